#!/usr/bin/env python3
"""Model files as people bring them, written by real Keras, with what Keras predicts from them.

    keras_files.py write KERAS DIR [SHAPE ...]
        KERAS: keras2 (tensorflow.keras up to 2.15, or tf_keras) or keras3. Writes the files of that Keras, or
        those that are named, into DIR and notes in DIR/KERAS.json for each: the rows' predictions, the
        arguments that `lockstep predict` needs beside --data (MODEL or --model/--layers and --weights) and
        those with which `lockstep train` goes on from it.

    keras_files.py write-old DIR
        Writes files in Keras 1's form by hand. Predictions by NumPy.

    keras_files.py check LOCKSTEP DIR [KERAS]
        Trains each of the files on by LOCKSTEP, for one step, and opens what comes out in this Keras.

tests/reference/keras_files was made by the first two (and keras_old_files.py), with Keras 2.15 (tensorflow-cpu==2.15.1;
convolutions: tf_keras 2.21) and Keras 3.15; tests/system/keras_files_test.py reads it. Needs, from PyPI: one of
tensorflow-cpu==2.15.1, tf_keras, keras; h5py.
"""
import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np

import real_keras
from real_keras import find_keras

ROWS, IMAGE, CLASSES = 12, (4, 4), 3


def rows():
    """Inputs as rows and as images, targets of each kind; the same in every run."""
    random = np.random.default_rng(7)
    images = random.normal(size=(ROWS, *IMAGE)).astype(np.float32)
    labels = random.integers(0, CLASSES, ROWS)
    return {"images": images, "flat": images.reshape(ROWS, -1), "labels": labels,
            "one_hot": np.eye(CLASSES, dtype=np.float32)[labels], "binary": (labels == 1).astype(np.float32),
            "values": random.normal(size=ROWS).astype(np.float32),
            "ids": random.integers(0, 10, (ROWS, 6)).astype(np.float32)}


class Shapes:
    """One method for each shape of file: builds, fits a little, saves, and returns what is expected."""

    def __init__(self, keras, name, directory):
        self.keras, self.name, self.directory = keras, name, directory
        self.layers, self.rows = keras.layers, rows()

    def inputs(self, shape):
        return self.keras.Input(shape)

    def mlp(self, hidden="relu", last="softmax", units=CLASSES):
        """The network of most tutorials."""
        return self.keras.Sequential([self.inputs(IMAGE), self.layers.Flatten(),
                                      self.layers.Dense(8, activation=hidden), self.layers.Dropout(0.2),
                                      self.layers.Dense(units, activation=last)])

    def fit(self, model, x="images", y="labels", optimizer="adam", loss="sparse_categorical_crossentropy",
            metrics=("accuracy",)):
        model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
        model.fit(self.rows[x], self.rows[y], epochs=2, batch_size=4, verbose=0)
        return model

    def entry(self, model, file, x="images", y="labels", train=(), predict=None, custom=None):
        """Writes `file` unless `predict` says that the test needs another."""
        if predict is None:
            model.save(self.directory / file)
        return {"predict": predict or [file], "x": x, "y": y, "train": list(train),
                "predictions": np.asarray(model.predict(self.rows[x], verbose=0), np.float64).round(8).tolist()}

    def file(self, name, ending="h5"):
        return f"{self.name}_{name}.{ending}"

    # --- The shapes ---

    def sequential(self):
        return self.entry(self.fit(self.mlp()), self.file("sequential"))

    def functional(self):
        x = inputs = self.inputs(IMAGE)
        for layer in (self.layers.Flatten(), self.layers.Dense(8), self.layers.Activation("relu"),
                      self.layers.Dropout(0.3), self.layers.Dense(CLASSES, activation="softmax")):
            x = layer(x)
        model = self.fit(self.keras.Model(inputs, x), y="one_hot", loss="categorical_crossentropy")
        return self.entry(model, self.file("functional"), y="one_hot")

    def archive(self):
        return self.entry(self.fit(self.mlp(hidden="tanh")), self.file("archive", "keras"))

    def weights(self):
        model = self.fit(self.mlp())
        file = self.file("weights", "weights.h5")
        model.save_weights(self.directory / file)
        layers = "Input((4, 4)), Flatten(), Dense(8, relu), Dropout(0.2), Dense(3, softmax)"
        return self.entry(model, "", predict=["--layers", layers, "--weights", file])

    def weights_by_json(self):
        """Keras 2's layout; the network is a functional one, beside it as JSON."""
        inner = self.keras.Sequential([self.inputs((16,)), self.layers.Dense(5, activation="relu"),
                                       self.layers.Dense(4)], name="inner")
        inputs = self.inputs((16,))
        outputs = self.layers.Dense(CLASSES, activation="softmax")(inner(inputs))
        model = self.fit(self.keras.Model(inputs, outputs), x="flat")
        weights = self.file("weights_by_json", "h5" if self.name == "keras2" else "weights.h5")
        network = self.file("weights_by_json", "json")
        model.save_weights(self.directory / weights)
        (self.directory / network).write_text(model.to_json())
        return self.entry(model, "", x="flat", predict=["--model", network, "--weights", weights])

    def foreign(self):
        """RMSprop, a loss and a metric of somebody's own."""
        keras = self.keras

        def my_loss(y_true, y_pred):
            return keras.losses.mean_squared_error(y_true, y_pred)

        def my_metric(y_true, y_pred):
            return keras.losses.mean_absolute_error(y_true, y_pred)

        model = self.fit(self.mlp(last="linear", units=1), y="values", optimizer=keras.optimizers.RMSprop(0.01),
                         loss=my_loss, metrics=(my_metric, lambda t, p: my_metric(t, p) * 2))
        return self.entry(model, self.file("foreign"), y="values",
                          train=["--optimizer", "adam", "--loss", "mse", "--metrics", "mae"])

    def foreign_archive(self):
        model = self.fit(self.mlp(), optimizer=self.keras.optimizers.RMSprop(0.01))
        return self.entry(model, self.file("foreign_archive", "keras"), train=["--optimizer", "sgd"])

    def nested(self):
        """A frozen Sequential and a functional model in a Sequential."""
        inputs = self.inputs((6,))
        chain = self.keras.Model(inputs, self.layers.Dense(5, activation="tanh", name="dense")(inputs), name="chain")
        frozen = self.keras.Sequential([self.inputs((16,)), self.layers.Dense(6, activation="relu", name="dense"),
                                        self.layers.Dropout(0.1)], name="base")
        frozen.trainable = False
        model = self.keras.Sequential([self.inputs(IMAGE), self.layers.Flatten(), frozen, chain,
                                       self.layers.Dense(CLASSES, activation="softmax", name="head")])
        return self.entry(self.fit(model), self.file("nested"))

    def nested_archive(self):
        body = self.keras.Sequential([self.inputs((16,)), self.layers.Dense(6, activation="relu"),
                                      self.layers.Dense(5, activation="elu")])
        x = inputs = self.inputs(IMAGE)
        for layer in (self.layers.Flatten(), body, self.layers.Dense(CLASSES), self.layers.Softmax()):
            x = layer(x)
        return self.entry(self.fit(self.keras.Model(inputs, x)), self.file("nested_archive", "keras"))

    def activations(self):
        """As layers and as an argument."""
        layers = self.layers
        slope = {"alpha": 0.15} if self.name == "keras2" else {"negative_slope": 0.15}
        model = self.keras.Sequential([
            self.inputs((16,)), layers.Dense(7, activation=layers.LeakyReLU(**slope)), layers.Dense(7),
            layers.LeakyReLU(), layers.Dense(6), layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2),
            layers.Dense(6, activation=layers.ReLU()), layers.ELU(0.7), layers.Dense(CLASSES), layers.Softmax()])
        return self.entry(self.fit(model, x="flat", optimizer="sgd"), self.file("activations"), x="flat")

    def names(self):
        """By every name that there is; uncompiled."""
        names = ["softsign", "exponential", "mish", "hard_sigmoid", "softplus", "selu", "gelu", "swish", "elu"]
        if self.name == "keras3":
            names += ["relu6", "leaky_relu", "hard_silu", "log_sigmoid", "hard_tanh", "celu", "squareplus",
                      "sparse_plus", "sparse_sigmoid", "tanh_shrink", "soft_shrink", "hard_shrink", "log_softmax"]
        model = self.keras.Sequential([self.inputs((16,)), self.layers.Dense(6)])
        for name in names:
            model.add(self.layers.Activation(name))
        model.add(self.layers.Dense(CLASSES, activation="softmax"))
        return self.entry(model, self.file("names"), x="flat")

    def mixed(self):
        """Saved with a policy of half precision; Keras predicts here with the same weights in float32."""
        float32 = self.mlp()
        self.keras.mixed_precision.set_global_policy("mixed_float16")
        half = self.mlp()
        self.keras.mixed_precision.set_global_policy("float32")
        half.set_weights(self.fit(float32).get_weights())
        half.save(self.directory / self.file("mixed"))
        entry = self.entry(float32, "", predict=[self.file("mixed")])
        return entry

    def double(self):
        self.keras.backend.set_floatx("float64")
        try:
            model = self.fit(self.mlp(), optimizer="sgd")
            return self.entry(model, self.file("double"))
        finally:
            self.keras.backend.set_floatx("float32")

    def constrained(self):
        model = self.keras.Sequential([
            self.inputs((16,)),
            self.layers.Dense(6, activation="relu", kernel_constraint=self.keras.constraints.MaxNorm(2),
                              kernel_regularizer="l2"),
            self.layers.Dense(1, activation="sigmoid", activity_regularizer="l1")])
        return self.entry(self.fit(model, x="flat", y="binary", loss="binary_crossentropy"),
                          self.file("constrained"), x="flat", y="binary")

    def partly_frozen(self):
        """Keras lists the weights of an inner model's trainable layers first."""
        base = self.keras.Sequential([self.inputs((16,)), self.layers.Dense(6, activation="relu"),
                                      self.layers.Dense(6, activation="tanh")])
        base.layers[0].trainable = False
        model = self.keras.Sequential([self.inputs((16,)), base, self.layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model, x="flat"), self.file("partly_frozen"), x="flat")

    def convolutions(self):
        layers = self.layers
        model = self.keras.Sequential([
            self.inputs(IMAGE), layers.Reshape((*IMAGE, 1)),
            layers.Conv2D(3, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.Conv2D(4, (2, 3), strides=2, padding="same", activation="swish"),
            layers.Conv2DTranspose(2, 3, strides=2, activation="tanh"), layers.Conv2D(2, 1, use_bias=False),
            layers.Flatten(), layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model), self.file("convolutions"))

    def convolutions_archive(self):
        """Over one axis and three."""
        layers = self.layers
        x = inputs = self.inputs(IMAGE)
        for layer in (layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
                      layers.Conv1DTranspose(3, 2, strides=2, padding="same", activation="relu"),
                      layers.Reshape((2, 2, 2, 3)), layers.Conv3D(2, 2, padding="same", activation="elu"),
                      layers.Conv3DTranspose(2, (1, 2, 3), output_padding=0), layers.Flatten(),
                      layers.Dense(CLASSES, activation="softmax")):
            x = layer(x)
        return self.entry(self.fit(self.keras.Model(inputs, x)), self.file("convolutions_archive", "keras"))

    def channels_first(self):
        """One Flatten in Keras's order of memory, one in that of channels_last."""
        layers, first = self.layers, {"data_format": "channels_first"}
        inputs = self.inputs(IMAGE)
        image = layers.Reshape((2, 4, 2))(inputs)
        image = layers.Conv2D(3, 2, padding="same", activation="relu", **first)(image)
        image = layers.Conv2D(5, 1, activation="tanh", **first)(image)
        image = layers.AveragePooling2D((2, 1), **first)(image)
        flat = layers.concatenate([layers.Flatten()(image), layers.Flatten(**first)(image)])
        model = self.keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(flat))
        return self.entry(self.fit(model), self.file("channels_first"))

    def cnn(self):
        layers = self.layers
        model = self.keras.Sequential([
            self.inputs(IMAGE), layers.Reshape((*IMAGE, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
            layers.SeparableConv2D(5, 2, padding="same", depth_multiplier=2, activation="relu"),
            layers.DepthwiseConv2D((1, 2), padding="same"), layers.BatchNormalization(), layers.Flatten(),
            layers.Dense(6, activation="relu"), layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model), self.file("cnn"))

    def positions(self):
        """Over two axes."""
        layers = self.layers
        model = self.keras.Sequential([
            self.inputs(IMAGE), layers.Reshape((*IMAGE, 1)), layers.ZeroPadding2D(((1, 0), (0, 2))),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=3, activation="relu", depthwise_regularizer="l2"),
            layers.MaxPooling2D(3, 2, padding="same"), layers.UpSampling2D(2, interpolation="bilinear"),
            layers.DepthwiseConv2D((2, 3), use_bias=False), layers.Cropping2D((0, 1)),
            layers.AveragePooling2D((1, 2)), layers.GlobalMaxPooling2D(), layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model), self.file("positions"))

    def positions_archive(self):
        """Over one axis and three."""
        layers = self.layers
        x = inputs = self.inputs(IMAGE)
        for layer in (layers.ZeroPadding1D((0, 2)), layers.DepthwiseConv1D(2, strides=2, padding="same"),
                      layers.AveragePooling1D(2, 1), layers.UpSampling1D(3), layers.Cropping1D((1, 1)),
                      layers.Reshape((2, 2, 2, -1)), layers.ZeroPadding3D(1), layers.MaxPooling3D(2, 1),
                      layers.UpSampling3D((1, 2, 1)), layers.Cropping3D(((0, 1), (1, 0), (0, 0))),
                      layers.AveragePooling3D((1, 2, 1)), layers.GlobalAveragePooling3D(),
                      layers.Dense(CLASSES, activation="softmax")):
            x = layer(x)
        return self.entry(self.fit(self.keras.Model(inputs, x)), self.file("positions_archive", "keras"))

    def recurrent(self):
        layers = self.layers
        model = self.keras.Sequential([
            self.inputs(IMAGE), layers.LSTM(5, return_sequences=True, recurrent_regularizer="l2"),
            layers.GRU(4, return_sequences=True, go_backwards=True),
            layers.GRU(3, reset_after=False, activation="relu", return_sequences=True),
            layers.SimpleRNN(6, use_bias=False), layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model), self.file("recurrent"))

    def recurrent_archive(self):
        layers = self.layers
        x = inputs = self.inputs(IMAGE)
        for layer in (layers.GRU(5, return_sequences=True), layers.SimpleRNN(4, return_sequences=True, unroll=True),
                      layers.LSTM(3, unit_forget_bias=False, dropout=0.2), layers.Dense(CLASSES, activation="softmax")):
            x = layer(x)
        return self.entry(self.fit(self.keras.Model(inputs, x)), self.file("recurrent_archive", "keras"))

    def embedding(self, x):
        return self.layers.Embedding(10, 4, mask_zero=True)(x)

    def masks(self):
        """Keras 3 writes what it computes of them, too."""
        layers = self.layers
        x = inputs = self.inputs((6,))
        a, b = self.embedding(x), self.embedding(x)
        x = layers.concatenate([layers.add([a, b]), layers.Dropout(0.1)(b)])
        x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
        outputs = layers.Dense(CLASSES, activation="softmax")(layers.GlobalAveragePooling1D()(x))
        return self.entry(self.keras.Model(inputs, outputs), self.file("masks"), x="ids",
                          train=["--loss", "sparse_categorical_crossentropy"])

    def masks_archive(self):
        layers = self.layers
        x = inputs = self.inputs(IMAGE)
        x = layers.TimeDistributed(layers.Dense(3))(layers.GRU(3, return_sequences=True)(layers.Masking(0.0)(x)))
        outputs = layers.Dense(CLASSES, activation="softmax")(layers.LSTM(3)(x))
        return self.entry(self.keras.Model(inputs, outputs), self.file("masks_archive", "keras"),
                          train=["--loss", "sparse_categorical_crossentropy"])

    def numbers(self):
        """x / 2 - 1 and the like."""
        inputs = self.inputs((16,))
        x = self.layers.Dense(5)(inputs) / 2.5 - 1.0
        outputs = self.layers.Dense(CLASSES, activation="softmax")(0.5 - (x + 3) * 0.25)
        return self.entry(self.keras.Model(inputs, outputs), self.file("numbers"), x="flat",
                          train=["--loss", "sparse_categorical_crossentropy"])

    def named_ends(self):
        inputs = self.inputs((16,))
        outputs = self.layers.Dense(CLASSES, activation="softmax")(inputs)
        model = self.keras.Model({"x": inputs}, {"y": outputs})
        model.save(self.directory / self.file("named_ends"))
        return self.entry(self.keras.Model(inputs, outputs), "", predict=[self.file("named_ends")], x="flat",
                          train=["--loss", "sparse_categorical_crossentropy"])

    def any_length(self):
        inputs = self.inputs((None,))
        outputs = self.layers.Dense(CLASSES, activation="softmax")(self.layers.LSTM(3)(self.embedding(inputs)))
        return self.entry(self.fit(self.keras.Model(inputs, outputs), x="ids"), self.file("any_length"), x="ids")

    def any_size_archive(self):
        layers = self.layers
        model = self.keras.Sequential([self.inputs((None, 4)), layers.Conv1D(3, 2), layers.GlobalMaxPooling1D(),
                                       layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model), self.file("any_size_archive", "keras"))

    def first_axis(self):
        """Channels that BatchNormalization alone names."""
        layers, first = self.layers, {"data_format": "channels_first"}
        model = self.keras.Sequential([
            self.inputs(IMAGE), layers.Reshape((2, 4, 2)), layers.ZeroPadding2D(1, **first),
            layers.BatchNormalization(axis=1), layers.AveragePooling2D(2, **first), layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax")])
        return self.entry(model, self.file("first_axis"), train=["--loss", "sparse_categorical_crossentropy"])

    def bidirectional_archive(self):
        """Keras 3 builds what follows for as many units in both directions."""
        layers = self.layers
        other = {"backward_layer": layers.LSTM(4, go_backwards=True)} if self.name == "keras2" else {}
        model = self.keras.Sequential([
            self.inputs(IMAGE), layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="ave"),
            layers.Bidirectional(layers.LSTM(2), **other),
            layers.Dense(CLASSES, activation="softmax")])
        return self.entry(self.fit(model), self.file("bidirectional_archive", "keras"))


SHAPES = [name for name, member in vars(Shapes).items()
          if callable(member) and name not in ("__init__", "inputs", "mlp", "fit", "entry", "file", "embedding")]


def write(name, directory, shapes):
    keras = find_keras(name)
    listing = directory / f"{name}.json"
    content = json.loads(listing.read_text()) if shapes else {"version": keras.__version__, "files": {}}
    for shape in shapes or SHAPES:
        keras.utils.set_random_seed(SHAPES.index(shape) + 1)
        content["files"][shape] = getattr(Shapes(keras, name, directory), shape)()
        print(f"{name} {keras.__version__}: {shape}")
    listing.write_text(json.dumps(content, indent=1) + "\n")


# --- Keras 1 ---

def keras1_dense(name, units, activation, inputs=None):
    config = {"W_constraint": None, "b_constraint": None, "name": name, "output_dim": units,
              "activity_regularizer": None, "trainable": True, "init": "glorot_uniform", "bias": True,
              "input_dtype": None if inputs is None else "float32", "input_dim": inputs, "b_regularizer": None,
              "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}, "activation": activation}
    if inputs is not None:
        config["batch_input_shape"] = [None, inputs]
    return {"class_name": "Dense", "config": config}


def write_old(directory):
    """What Keras 1.2.2 wrote: a list as the Sequential's config, other words, no ':0' in names."""
    random = np.random.default_rng(3)
    layers = [keras1_dense("dense_1", 6, "linear", 16),
              {"class_name": "Activation", "config": {"activation": "hard_sigmoid", "trainable": True,
                                                      "name": "activation_1"}},
              {"class_name": "Dropout", "config": {"p": 0.25, "trainable": True, "name": "dropout_1"}},
              keras1_dense("dense_2", CLASSES, "softmax")]
    weights = {"dense_1": [random.normal(size=(16, 6)), random.normal(size=6)], "activation_1": [], "dropout_1": [],
               "dense_2": [random.normal(size=(6, CLASSES)), random.normal(size=CLASSES)]}
    network = {"class_name": "Sequential", "config": layers, "keras_version": "1.2.2"}
    (directory / "keras1.json").write_text(json.dumps(network))
    training = {"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.01, "momentum": 0.0, "decay": 0.0,
                                                                     "nesterov": False}},
                "loss": "categorical_crossentropy", "metrics": ["accuracy"], "sample_weight_mode": None,
                "loss_weights": None}

    def write_groups(root):
        root.attrs["layer_names"] = np.array([name.encode() for name in weights])
        for name, values in weights.items():
            group = root.create_group(name)
            names = [f"{name}_{suffix}" for suffix, _ in zip("Wb", values)]
            group.attrs["weight_names"] = np.array([n.encode() for n in names]) if names else np.zeros(0)
            for weight, value in zip(names, values):
                group.create_dataset(weight, data=value.astype(np.float32))

    with h5py.File(directory / "keras1.h5", "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(network).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        write_groups(file.create_group("model_weights"))
    with h5py.File(directory / "keras1_weights.h5", "w") as file:
        write_groups(file)
    (directory / "keras1_string.json").write_text(json.dumps(json.dumps(network)))  # json.dump(model.to_json())

    x = rows()["flat"].astype(np.float64)
    hidden = np.clip(0.2 * (x @ weights["dense_1"][0] + weights["dense_1"][1]) + 0.5, 0, 1)
    logits = hidden @ weights["dense_2"][0] + weights["dense_2"][1]
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    predictions = (e / e.sum(axis=1, keepdims=True)).round(8).tolist()
    whole = {"x": "flat", "y": "one_hot", "train": [], "predictions": predictions}
    files = {"whole": {"predict": ["keras1.h5"], **whole}}
    for name in ("keras1.json", "keras1_string.json"):
        files[name] = {"predict": ["--model", name, "--weights", "keras1_weights.h5"], **whole,
                       "train": ["--loss", "categorical_crossentropy"]}
    (directory / "keras1.expected.json").write_text(json.dumps({"version": "1.2.2", "files": files}, indent=1) + "\n")


# --- What Lockstep makes of them ---

def installed_keras():
    try:
        import keras
        return "keras" + keras.__version__[0]
    except ImportError:
        return "keras2"


def check(lockstep, directory, name):
    keras = find_keras(name or installed_keras())
    version = keras.__version__
    failed = 0
    for listing in sorted(directory.glob("*.json")):
        files = json.loads(listing.read_text())
        if "files" not in files:
            continue
        for shape, entry in files["files"].items():
            network = entry["predict"] if len(entry["predict"]) > 1 else ["--from", *entry["predict"]]
            with tempfile.TemporaryDirectory() as scratch:
                final = pathlib.Path(scratch) / "run" / "final.h5"
                ours = real_keras.train_and_predict(
                    lockstep, directory, ["--y", entry["y"], *network, *entry["train"]], entry["x"], final)
                theirs = keras.models.load_model(final, compile=False).predict(rows()[entry["x"]], verbose=0)
            difference = float(np.abs(ours - theirs).max())
            # Keras 3 reads other functions out of Keras 1's and 2's files as well.
            foreign = version[0] == "3" and (files["version"][0] == "1" or
                                             files["version"][0] == "2" and shape == "names")
            failed += difference > 1e-5 and not foreign
            print(f"{listing.stem} {shape}, trained on, in Keras {version}: largest difference {difference:.1e}"
                  f"{' (another hard_sigmoid)' if foreign else ''}")
    return failed


if __name__ == "__main__":
    sys.exit(real_keras.main(__doc__, rows, write, {"write-old": write_old}, check, SHAPES))
