#!/usr/bin/env python3
"""Model files as Keras 1 and the first Keras 2 wrote them, by those themselves, in the words of Keras 1.

    keras_old_files.py NAME DIR
        Writes NAME_*.h5 into DIR, and NAME.json with what that Keras predicts from each (see keras_files.py), also
        after three more steps of all rows.

tests/reference/keras_files has those of keras122 (keras==1.2.2) and keras208 (2.0.8) with tensorflow==1.4.1 on Python 3.6,
and keras224 (2.2.4) with tensorflow==1.15.5 on Python 3.7, each with numpy==1.16.6, h5py==2.10.0, scipy and pyyaml.
"""
import json
import os
import sys

import h5py
import keras
import numpy as np
from keras.layers import *  # noqa: F403
from keras.models import Model, Sequential

TF = {"dim_ordering": "tf"}
TH = {"dim_ordering": "th"}
FIRST = keras.__version__[0] == "1"


def rows():
    with h5py.File(os.path.join(sys.argv[2], "rows.h5"), "r") as file:
        return {name: file[name][:] for name in file}


def mlp():
    return Sequential([Dense(6, input_dim=16, init="uniform", W_regularizer="l2", activation="relu"), Dropout(.3),
                       BatchNormalization(), PReLU(), Dense(3, bias=False, activation="softmax")]), "flat", None


def side_by_side():
    """No gradient reads a weight: on TensorFlow 1 that may be the updated one already."""
    x = Input((16,))
    second, first = Dense(3, activation="tanh", name="second")(x), Dense(3, name="first")(x)
    whole = merge([second, first], mode="sum") if keras.__version__ < "2.2" else add([second, first])
    return Model(x, Activation("softmax")(whole)), "flat"


def with_adam():
    """Keras 1 on TensorFlow 1 may take a step's number before or after it was counted."""
    return side_by_side() + (("adam", not FIRST),)


def with_sgd():
    return side_by_side() + (("sgd", True),)


def with_rmsprop():
    """Its epsilon stood beside the root, where Keras 3 has it below."""
    return side_by_side() + (("rmsprop", False),)


def cnn():
    return Sequential([Reshape((4, 4, 1), input_shape=(4, 4)), Convolution2D(3, 2, 3, border_mode="same", **TF),
                       Activation("relu"), MaxPooling2D(pool_size=(2, 2), **TF), Flatten(), Dropout(0.),
                       Dense(3, activation="softmax")]), "images", None


def channels_first():
    """Keras 1 does not write which order padding has."""
    return Sequential([Reshape((1, 4, 4), input_shape=(4, 4)), ZeroPadding2D((1, 1), **TH),
                       Convolution2D(3, 2, 3, activation="relu", **TH), BatchNormalization(axis=1),
                       AveragePooling2D(pool_size=(2, 2), border_mode="same", **TH), Flatten(),
                       Dense(3, activation="softmax")]), "images", None


def recurrent():
    return Sequential([LSTM(3, input_shape=(4, 4), return_sequences=True, consume_less="mem"),
                       GRU(4, return_sequences=True, inner_activation="sigmoid"),
                       LSTM(2, consume_less="gpu", forget_bias_init="zero"), Dense(3, activation="softmax")]), \
        "images", None


def wrapped():
    return Sequential([Bidirectional(LSTM(3, return_sequences=True), input_shape=(4, 4)),
                       TimeDistributed(Dense(4, activation="tanh")), GRU(3, activation="softsign")]), "images", None


def of_one_axis():
    return Sequential([Convolution1D(3, 2, border_mode="same", input_shape=(4, 4)), MaxPooling1D(pool_length=2),
                       Flatten(), Dense(3, activation="softmax")]), "images", None


def words():
    return Sequential([Embedding(10, 4, input_length=6, mask_zero=True), LSTM(3),
                       Dense(3, activation="softmax")]), "ids", None


def any_length():
    return Sequential([Embedding(10, 4), LSTM(3), Dense(3, activation="softmax")]), "ids", None


def merged():
    x = Input((16,))
    a, b = Dense(4, activation="tanh")(x), Dense(4)(x)
    if keras.__version__ < "2.2":
        both = [merge([a, b], mode=mode) for mode in ("sum", "mul", "ave", "max")]
        whole = merge(both + [a], mode="concat", concat_axis=1)
    else:
        both = [add([a, b]), multiply([a, b]), average([a, b]), maximum([a, b])]
        whole = concatenate(both + [a], axis=1)
    return Model(x, Dense(3, activation="softmax")(whole)), "flat", None


def convolutions():
    x = Reshape((4, 4, 1), input_shape=(4, 4))
    layers = [x, UpSampling2D((2, 2)), AtrousConvolution2D(3, 2, 2, atrous_rate=(2, 2), **TF)] if FIRST else \
        [x, UpSampling2D((2, 2)), Conv2D(3, 2, dilation_rate=2)]
    if FIRST:
        layers += [Deconvolution2D(2, 2, 2, output_shape=(None, 7, 7, 2), **TF),
                   SeparableConvolution2D(3, 2, 2, depth_multiplier=2, **TF)]
    else:
        layers += [Conv2DTranspose(2, 2), SeparableConv2D(3, 2, depth_multiplier=2)]
    return Sequential(layers + [Flatten(), Dense(3, activation="softmax")]), "images", None


def nested():
    inner = Sequential([Dense(5, input_dim=16, activation="tanh"), BatchNormalization(), Dense(4)])
    return Sequential([inner, Dense(3, activation="softmax")]), "flat", None


def without_cudnn():
    return Sequential([Bidirectional(LSTM(3, recurrent_activation="sigmoid", return_sequences=True), input_shape=(4, 4)),
                       GRU(2, recurrent_activation="sigmoid", reset_after=True), Dense(3, activation="softmax")])


def rewrite_as_cudnn(path):
    """The same network of layers that compute on GPUs alone: what Keras would write for them."""
    from keras.engine.saving import _convert_rnn_weights
    names = {"LSTM": "CuDNNLSTM", "GRU": "CuDNNGRU"}
    own = ("activation", "recurrent_activation", "use_bias", "dropout", "recurrent_dropout", "implementation",
           "reset_after", "unroll")

    def rewrite(layer):
        config = layer["config"]
        if "layer" in config:
            rewrite(config["layer"])
        if layer["class_name"] in names:
            layer["class_name"] = names[layer["class_name"]]
            for key in own:
                config.pop(key, None)

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"].decode())
        layers = config["config"]["layers"]
        for layer, kind in zip(layers, ("CuDNNLSTM", "CuDNNGRU")):
            rewrite(layer)
            group = file["model_weights"][layer["config"]["name"]]
            weights = [name.decode() for name in group.attrs["weight_names"]]
            for i in range(0, len(weights), 3):
                converted = _convert_rnn_weights(type(kind, (), {})(), [group[w][()] for w in weights[i:i + 3]])
                for name, value in zip(weights[i:i + 3], converted):
                    del group[name]
                    group[name] = value
        file.attrs["model_config"] = json.dumps(config).encode()


def write_cudnn(name, directory, inputs):
    model = without_cudnn()
    random = np.random.RandomState(99)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    file = "{}_cudnn.h5".format(name)
    model.save(os.path.join(directory, file))
    rewrite_as_cudnn(os.path.join(directory, file))
    shrink(os.path.join(directory, file))
    return {"x": "images", "y": "one_hot", "predict": [file], "train": ["--loss", "mse"],
            "predictions": model.predict(inputs["images"]).astype("float64").round(8).tolist()}


def optimizer(name):
    return {"adam": keras.optimizers.Adam(lr=0.01), "sgd": keras.optimizers.SGD(lr=0.1, momentum=0.9),
            "rmsprop": keras.optimizers.RMSprop(lr=0.01), "adagrad": keras.optimizers.Adagrad(lr=0.1)}[name]


def shrink(path):
    """The same in the smaller form of newer HDF5."""
    with h5py.File(path, "r") as old, h5py.File(path + ".new", "w", libver="latest") as new:
        for key in old:
            old.copy(key, new)
        for key, value in old.attrs.items():
            new.attrs[key] = value
    os.rename(path + ".new", path)


def main():
    name, directory = sys.argv[1:]
    inputs, files = rows(), {}
    targets = np.eye(3, dtype="float32")[inputs["labels"]]
    for number, shape in enumerate((mlp, with_adam, with_sgd, with_rmsprop, cnn, channels_first, recurrent,
                                    wrapped, of_one_axis, words, any_length, merged, convolutions, nested)):
        np.random.seed(number + 1)
        model, x, how = shape()
        random = np.random.RandomState(number)
        model.set_weights([random.normal(size=w.shape) * .4 if w.ndim > 1 else random.uniform(.1, .9, w.shape)
                           for w in model.get_weights()])
        if how:
            model.compile(optimizer(how[0]), "categorical_crossentropy", metrics=["accuracy"])
            for _ in range(2):
                model.train_on_batch(inputs[x], targets)
        file = "{}_{}.h5".format(name, shape.__name__)
        model.save(os.path.join(directory, file))
        shrink(os.path.join(directory, file))
        weights = "{}_{}_weights.h5".format(name, shape.__name__)
        entry = {"x": x, "y": "one_hot", "predict": [file], "train": None if not how else []}
        if not how:
            entry["train"] = ["--loss", "mse"]
        entry["predictions"] = model.predict(inputs[x]).astype("float64").round(8).tolist()
        if how and how[1]:
            for _ in range(3):
                model.train_on_batch(inputs[x], targets)
            entry["after_three_steps"] = model.predict(inputs[x]).astype("float64").round(8).tolist()
        files[shape.__name__] = entry
        if shape is recurrent:  # whose file says no version in Keras 1
            model.load_weights(os.path.join(directory, file))
            model.save_weights(os.path.join(directory, weights), overwrite=True)
            shrink(os.path.join(directory, weights))
            with open(os.path.join(directory, "{}_{}.json".format(name, shape.__name__)), "w") as text:
                text.write(model.to_json())
            files["recurrent_weights"] = dict(entry, predict=["--model", "{}_{}.json".format(name, shape.__name__),
                                                              "--weights", weights],
                                              train=["--loss", "mse"])
            files["recurrent_weights"].pop("after_three_steps", None)
    if keras.__version__ >= "2.2":
        files["cudnn"] = write_cudnn(name, directory, inputs)
    with open(os.path.join(directory, name + ".expected.json"), "w") as text:
        json.dump({"version": keras.__version__, "files": files}, text, indent=1)
        text.write("\n")


main()
