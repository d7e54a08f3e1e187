#!/usr/bin/env python3
"""Functional models - branches, shared layers, models as layers - as real Keras writes and trains them.

    keras_graphs.py write KERAS DIR [SHAPE ...]
        KERAS: keras2 (tf_keras) or keras3. Writes each model's network as JSON and its first weights; the model in the
        middle of its training, with the optimizer's state, as .h5 and .keras; and into DIR/KERAS.json its predictions
        and the loss of each step, one batch after the other without shuffling.

    keras_graphs.py write-orders DIR
        Random networks as JSON whose list of layers is shuffled, with the order that both Keras give to the layers; and
        Keras 2's summary of a graph.

    keras_graphs.py check LOCKSTEP DIR [KERAS]
        Trains each of the models on by LOCKSTEP, for two steps, and opens what comes out in both Keras: the network, its
        order of layers, and its predictions.

tests/reference/keras_graphs was made by the first two, with tf_keras 2.21 and Keras 3.15;
tests/system/keras_graphs_test.py, network_plan_test.cpp and summary_test.cpp of tests/src/model read it. Needs, from PyPI: keras,
tensorflow, tf_keras, h5py.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import h5py
import numpy as np

import real_keras
from real_keras import find_keras

ROWS, INPUTS, CLASSES, BATCH = 22, 8, 3, 8  # batches of 8, 8 and 6
STEPS, MIDDLE = 50, 21  # the middle is the end of the rows
MIDDLES = {"branches": ("h5",), "transfer": ("keras", "h5"), "twins": ("h5",), "deep": ("keras", "h5"),
           "translator": ("keras", "h5")}
GRAPHS = 8


def rows():
    source = np.random.default_rng(11)
    x = source.normal(size=(ROWS, INPUTS)).astype(np.float32)
    x[:, 3] += 4  # so that means over the batch matter
    return {"x": x, "labels": source.integers(0, CLASSES, ROWS), "values": source.normal(size=ROWS).astype(np.float32)}


class Models:
    """One method for each model; each returns it compiled, the name of its targets, and how Lockstep compiles it."""

    def __init__(self, keras):
        self.keras, self.layers = keras, keras.layers

    def compiled(self, model, y, loss, optimizer, **options):
        model.compile(optimizer=getattr(self.keras.optimizers, optimizer)(**options), loss=loss)
        words = ["--optimizer", optimizer.lower(), "--loss", loss]
        for option, value in options.items():
            words += ["--" + option.replace("_", "-"), str(value).lower()]
        return model, y, words

    def classifier(self, inputs, outputs, optimizer, **options):
        model = self.keras.Model(inputs, self.layers.Dense(CLASSES, activation="softmax", name="head")(outputs))
        return self.compiled(model, "labels", "sparse_categorical_crossentropy", optimizer, **options)

    def residual(self):
        layers = self.layers
        x = inputs = self.keras.Input((INPUTS,))
        for units in (6, 6):
            dense = lambda: layers.Dense(units, use_bias=False)  # else Adam trains a bias by what is rounded
            shortcut = x if x.shape[-1] == units else dense()(x)
            y = layers.ReLU()(layers.BatchNormalization()(dense()(x)))
            y = layers.BatchNormalization(momentum=0.9)(dense()(y))
            x = layers.Activation("relu")(layers.Add()([y, shortcut]))
        return self.classifier(inputs, x, "Adam", learning_rate=0.003)

    def branches(self):
        """A Dense on both branches, then on what it made itself, and every way to merge."""
        layers = self.layers
        inputs = self.keras.Input((INPUTS,))
        a = layers.Dense(5, activation="tanh", name="left")(inputs)
        b = layers.Dense(5, activation="softsign", name="right")(inputs)
        shared = layers.Dense(5, activation="tanh", kernel_regularizer=self.keras.regularizers.L2(0.01), name="shared")
        late = shared(shared(b))
        a, b = shared(a), shared(b)
        merged = [layers.Subtract()([late, a]), layers.Multiply()([a, b]), layers.Average()([a, b, late]),
                  layers.Maximum()([late, b]), layers.Minimum()([b, a]), layers.Dot(axes=1, normalize=True)([a, late])]
        model = self.keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(merged)))
        return self.compiled(model, "values", "mse", "SGD", learning_rate=0.02, momentum=0.9, nesterov=True)

    def base(self, name, dropout):
        layers = self.layers
        inputs = self.keras.Input((5,))
        x = layers.BatchNormalization(momentum=0.8)(layers.Dense(6, activation="softsign", name="dense")(inputs))
        x = layers.Add()([layers.Dropout(dropout)(x), layers.Dense(6, activation="tanh", name="dense_1")(x)])
        return self.keras.Model(inputs, layers.Dense(4, name="dense_2")(x), name=name)

    def transfer(self):
        """A frozen base with statistics of its own, called with training=False, twice; a Sequential inside.

        Keras 3 does not follow training=False when it trains.
        """
        layers = self.layers
        base = self.base("base", 0.25 if self.keras.__version__.startswith("2") else 0.0)
        base.compile(optimizer="sgd", loss="mse")
        pretext = np.random.default_rng(5).normal(2, 3, (64, 5)).astype(np.float32)
        base.fit(pretext, pretext[:, :4], epochs=3, verbose=0, shuffle=False)
        base.trainable = False
        inputs = self.keras.Input((INPUTS,))
        a = base(layers.Dense(5, name="dense")(inputs), training=False)
        b = base(layers.Dense(5, activation="tanh", name="dense_1")(inputs), training=False)
        top = self.keras.Sequential([layers.Input((8,)), layers.Dense(5, activation="elu", name="dense_3"),
                                     layers.BatchNormalization(), layers.Dropout(0.0)], name="top")
        return self.classifier(inputs, top(layers.Concatenate()([a, b])),
                               "SGD", learning_rate=0.01, momentum=0.9)

    def twins(self):
        """A model that trains, used twice, one of its layers frozen: its statistics move twice a step."""
        layers = self.layers
        base = self.base("base", 0.0)
        base.get_layer("dense_1").trainable = False
        inputs = self.keras.Input((INPUTS,))
        a = base(layers.Dense(5, name="left")(inputs))
        b = base(layers.Dense(5, activation="tanh", name="right")(inputs))
        beside = layers.Dense(4, activation="tanh", name="beside")(inputs)  # behind the first layers of the base
        return self.classifier(inputs, layers.Concatenate()([beside, a, b]), "SGD", learning_rate=0.01, momentum=0.9)

    def deep(self):
        """A model in a model in a model, of which the innermost is frozen, beside a shared BatchNormalization."""
        layers = self.layers
        inner = self.keras.Sequential([layers.Input((4,)), layers.Dense(3, activation="tanh"),
                                       layers.BatchNormalization()], name="inner")
        inner.trainable = False
        inputs = self.keras.Input((4,))
        x = layers.BatchNormalization()(layers.Dense(3, use_bias=False)(inputs))
        middle = self.keras.Model(inputs, layers.Concatenate()([inner(inputs), x]), name="middle")
        inputs = self.keras.Input((INPUTS,))
        shared = layers.BatchNormalization(name="shared")
        a = shared(layers.Dense(4, use_bias=False)(inputs))
        b = layers.Dense(4, activation="tanh")(shared(layers.Dense(4, activation="tanh")(inputs)))
        merged = layers.Average()([middle(a), middle(b)])
        beside = layers.Dense(4, activation="elu")(a)
        return self.classifier(inputs, layers.Concatenate()([beside, merged]), "Adam", learning_rate=0.01)


    def translator(self):
        """An encoder whose states begin a decoder, whose states begin a third."""
        layers = self.layers
        inputs = self.keras.Input((INPUTS,))
        _, h, c = layers.LSTM(4, return_state=True, name="encoder")(layers.Reshape((4, 2))(inputs))
        y, _, c = layers.LSTM(4, return_sequences=True, return_state=True, name="decoder")(
            layers.RepeatVector(3)(h), initial_state=[h, c])
        return self.classifier(inputs, layers.GRU(4, name="third")(y, initial_state=c), "Adam", learning_rate=0.003)

    def states(self):
        """Those of a layer that is used twice, of both directions, and of a stack of cells."""
        layers = self.layers
        inputs = self.keras.Input((INPUTS,))
        x = layers.Reshape((4, 2))(inputs)
        shared = layers.SimpleRNN(3, return_state=True, name="shared")
        _, first = shared(x)
        a, state = shared(x, initial_state=first)
        _, forward, backward = layers.Bidirectional(layers.GRU(3, return_state=True), name="both")(x)
        b = layers.Bidirectional(layers.GRU(3), name="both_again")(x, initial_state=[backward, forward])
        cells = lambda: [layers.LSTMCell(3), layers.GRUCell(2)]
        stack = layers.RNN(cells(), return_sequences=True, return_state=True, name="stack")(x)
        c = layers.RNN(cells(), name="stack_again")(stack[0], initial_state=stack[1:])
        return self.classifier(inputs, layers.Concatenate()([a, b, state, c]), "SGD", learning_rate=0.02, momentum=0.9)

    def gaps(self):
        """A decoder behind a mask. Of Keras 2 alone: Keras 3 shows none to a layer that is called with states, and writes
        a mask as operations, which Lockstep lacks."""
        layers = self.layers
        inputs = self.keras.Input((INPUTS,))
        x = layers.Masking()(layers.ReLU()(layers.Reshape((4, 2))(inputs)))
        _, h, c = layers.LSTM(3, return_state=True, name="encoder")(x)
        y = layers.LSTM(3, return_sequences=True, name="decoder")(x, initial_state=[h, c])
        return self.classifier(inputs, layers.GRU(3, name="last")(y), "SGD", learning_rate=0.05, momentum=0.9)


NAMES = ["residual", "branches", "transfer", "twins", "deep", "translator", "states", "gaps"]
BY_KERAS = ("translator", "states")  # what is written of them: Keras 2 reads the .h5, Keras 3 the .keras
OF_KERAS2 = ("gaps",)


def batch(step):
    first = step % 3 * BATCH
    return slice(first, min(first + BATCH, ROWS))


def write(name, directory, shapes):
    keras = find_keras(name)
    data = rows()
    predict = lambda model: np.asarray(model.predict(data["x"], verbose=0), np.float64).tolist()
    listing = directory / f"{name}.json"
    content = json.loads(listing.read_text()) if shapes else {"version": keras.__version__, "models": {}}
    for shape in shapes or NAMES:
        if shape in OF_KERAS2 and name == "keras3":
            continue
        keras.utils.set_random_seed(NAMES.index(shape) + 1)
        keras.backend.clear_session()
        model, y, words = getattr(Models(keras), shape)()
        file = f"{name}_{shape}"
        weights = f"{file}.{'weights.h5' if name == 'keras3' else 'h5'}"
        (directory / f"{file}.json").write_text(model.to_json())
        model.save_weights(directory / weights)
        entry = content["models"][shape] = {"network": ["--model", f"{file}.json", "--weights", weights], "compile": words,
                                            "y": y, "predictions": predict(model), "losses": []}
        for step in range(STEPS):
            if step == MIDDLE:
                for ending in MIDDLES.get(shape, ()):  # .keras first: Keras 3 forgets the optimizer in saving .h5
                    model.save(directory / f"{file}_middle.{ending}")
                entry["predictions in the middle"] = predict(model)
                entry["loss in the middle"] = float(model.evaluate(data["x"], data[y], batch_size=ROWS, verbose=0))
            model.reset_metrics()
            entry["losses"].append(float(model.train_on_batch(data["x"][batch(step)], data[y][batch(step)])))
        entry["predictions at the end"] = predict(model)
        print(f"{name} {keras.__version__}: {shape}, losses {entry['losses'][0]:.6f} to {entry['losses'][-1]:.6f}")
    listing.write_text(json.dumps(content) + "\n")


# --- The order of layers ---

def random_network(keras, source):
    """Dense layers, some of them used several times, and merging ones, that all lead to the output."""
    tensors, dense, used = [keras.Input((4,), name="in")], [], {0}
    for number in range(source.randint(5, 14)):
        inputs = [source.randrange(len(tensors))]
        if number % 3 == 2:
            inputs = source.sample(range(len(tensors)), 2)
            merge = source.choice([keras.layers.Add, keras.layers.Average, keras.layers.Maximum])
            tensors.append(merge(name=f"merge_{number}")([tensors[i] for i in inputs]))
        else:
            if not dense or source.random() < 0.7:
                dense.append(keras.layers.Dense(4, name=f"dense_{number}"))
            tensors.append((dense[-1] if source.random() < 0.7 else source.choice(dense))(tensors[inputs[0]]))
        used.update(inputs)
    ends = [tensor for i, tensor in enumerate(tensors) if i not in used]
    source.shuffle(ends)
    return keras.Model(tensors[0], ends[0] if len(ends) == 1 else keras.layers.Add(name="out")(ends))


def order_of(keras, network):
    """As the network of an .h5."""
    if keras.__version__.startswith("3"):
        from keras.src.legacy.saving.saving_utils import model_from_config
        return [layer.name for layer in model_from_config(json.loads(json.dumps(network))).layers]  # it empties it
    return [layer.name for layer in keras.models.model_from_json(json.dumps(network)).layers]


def write_orders(directory):
    keras2, keras3 = find_keras("keras2"), find_keras("keras3")
    source = random.Random(4)
    graphs = []
    while len(graphs) < GRAPHS:
        network = json.loads(random_network(keras2, source).to_json())
        source.shuffle(network["config"]["layers"])
        if not 6 <= len(network["config"]["layers"]) <= 15:
            continue
        order = order_of(keras2, network)
        assert order_of(keras3, network) == order
        graphs.append({"network": network, "order": order})
        print(*order)
    (directory / "orders.json").write_text(json.dumps(graphs) + "\n")


def write_summary(directory):
    keras = find_keras("keras2")
    layers = keras.layers
    inputs = keras.Input((4,), name="in")
    shared = layers.Dense(4, name="shared")
    a = shared(inputs)
    c = layers.Dense(4, use_bias=False, trainable=False, name="a_layer_with_a_rather_long_name_that_wraps")(inputs)
    x = layers.BatchNormalization(name="bn")(layers.Add(name="add")([a, shared(a), c]))
    model = keras.Model(inputs, layers.Dense(2, name="out")(layers.Concatenate(name="cat")([x, c])), name="graph")
    lines = []
    model.summary(print_fn=lines.append)
    (directory / "summary.txt").write_text("".join(line + "\n" for line in lines))
    (directory / "summary.json").write_text(model.to_json())


def write_all_orders(directory):
    write_orders(directory)
    write_summary(directory)


# --- What Lockstep makes of them ---

def order_in(final):
    with h5py.File(final) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
    return [layer["config"]["name"] for layer in layers]


def check(lockstep, directory, name):
    failed = 0
    for listing in ("keras2", "keras3"):
        for shape, entry in json.loads((directory / f"{listing}.json").read_text())["models"].items():
            networks = [[*entry["network"], *entry["compile"]]]
            networks += [["--from", f"{listing}_{shape}_middle.{ending}"] for ending in MIDDLES.get(shape, ())]
            for network in networks:
                with tempfile.TemporaryDirectory() as scratch:
                    final = pathlib.Path(scratch) / "run" / "final.h5"
                    ours = real_keras.train_and_predict(
                        lockstep, directory, [*network, "--y", entry["y"], "--epochs", 2], "x", final)
                    order = order_in(final)
                    for opened in [name] if name else ["keras2", "keras3"]:
                        if shape in OF_KERAS2 and opened == "keras3":
                            continue
                        keras, file = find_keras(opened), final
                        if shape in BY_KERAS and keras.__version__.startswith("3"):
                            file = final.with_suffix(".keras")
                            subprocess.run([lockstep, "export", final, "--to", "keras", "--out", file], check=True,
                                           stdout=subprocess.DEVNULL)
                        model = keras.models.load_model(file, compile=False)
                        difference = float(np.abs(ours - model.predict(rows()["x"], verbose=0)).max())
                        in_order = [layer.name for layer in model.layers] == order
                        failed += difference > 1e-6 or not in_order
                        print(f"{network[1]}, trained on, in Keras {keras.__version__}: largest difference "
                              f"{difference:.1e}{'' if in_order else ', layers in another order'}")
    return failed


if __name__ == "__main__":
    sys.exit(real_keras.main(__doc__, rows, write, {"write-orders": write_all_orders}, check, NAMES))
