#!/usr/bin/env python3
"""Networks with stateful layers, on windows in order, and what real Keras makes of them.

    keras_stateful.py write KERAS DIR [SHAPE ...]
        KERAS: keras2 (tensorflow.keras up to 2.15, or tf_keras) or keras3. Writes rows.h5, a file of each network
        before its training, and into DIR/KERAS.json for each: losses of training alone, with validation, and with
        states that are reset before every epoch; the test loss behind training; loss and predictions from the file.

    keras_stateful.py check LOCKSTEP DIR [KERAS]
        Trains each of the files on by LOCKSTEP, opens what comes out in this Keras and compares their predictions.

tests/reference/stateful was made by the first, with tf_keras 2.21 and Keras 3.15; tests/system/stateful_test.py reads
it. Needs, from PyPI: tf_keras or keras; h5py.
"""
import json
import pathlib
import sys
import tempfile
import zipfile

import numpy as np

import real_keras
from real_keras import find_keras

BATCH, STEPS, FEATURES, EPOCHS = 6, 3, 2, 3
OPTIONS = ["--optimizer", "sgd", "--learning-rate", "0.2", "--loss", "mse"]  # of the files, which are not compiled
PARTS = {"train": 4, "val": 2, "test": 3}  # batches


def rows():
    """Of each part, inputs, some of whose steps are all zeros (masked by Masking), and targets."""
    random = np.random.default_rng(5)
    all_rows = {}
    for part, batches in PARTS.items():
        x = random.normal(size=(batches * BATCH, STEPS, FEATURES))
        x[random.random(x.shape[:2]) < 0.3] = 0
        all_rows[f"x_{part}"] = x.astype(np.float32)
        all_rows[f"y_{part}"] = random.normal(size=(batches * BATCH, 1)).astype(np.float32)
    return all_rows


class Shapes:
    """One method for each network: its layers."""

    def __init__(self, keras):
        self.keras, self.layers = keras, keras.layers

    def simple_rnn(self):
        return [self.layers.SimpleRNN(3, stateful=True)]

    def lstm(self):
        """Two, of which one hands on sequences."""
        return [self.layers.LSTM(3, stateful=True, return_sequences=True), self.layers.LSTM(4, stateful=True)]

    def gru(self):
        return [self.layers.GRU(3, stateful=True, return_sequences=True, go_backwards=True),
                self.layers.GRU(2, stateful=True, reset_after=False)]

    def bidirectional(self):
        return [self.layers.Bidirectional(self.layers.LSTM(3, stateful=True))]

    def cells(self):
        """In front of a layer that is not stateful. Keras 3 fails to carry the states of several cells."""
        cells = [self.layers.LSTMCell(3), self.layers.SimpleRNNCell(2)]
        if self.keras.__version__.startswith("3"):
            cells = cells[0]
        return [self.layers.RNN(cells, stateful=True, return_sequences=True), self.layers.SimpleRNN(2)]

    def masked(self):
        return [self.layers.Masking(0.0), self.layers.LSTM(3, stateful=True, return_sequences=True),
                self.layers.GRU(3, stateful=True)]


SHAPES = [name for name in vars(Shapes) if not name.startswith("_")]


def build(keras, shape):
    layers = [keras.layers.Input(batch_shape=(BATCH, STEPS, FEATURES)), *getattr(Shapes(keras), shape)(),
              keras.layers.Dense(1)]
    return keras.Sequential(layers)


def compiled(keras, model):
    model.compile(optimizer=keras.optimizers.SGD(0.2), loss="mean_squared_error")
    return model


def reset(model):
    if hasattr(model, "reset_states"):
        return model.reset_states()
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states() if hasattr(layer, "reset_states") else layer.reset_state()


def expected(keras, build_again, data):
    """build_again() gives the same network with states of zeros."""
    options = {"batch_size": BATCH, "verbose": 0}
    x, y = data["x_train"], data["y_train"]

    def fit(model, **more):
        return model.fit(x, y, epochs=EPOCHS, shuffle=False, **options, **more).history

    result = {}
    model = build_again()
    result["loss_of_file"] = model.evaluate(data["x_test"], data["y_test"], **options)
    model = build_again()
    result["predictions"] = model.predict(data["x_test"], **options).ravel().tolist()
    model = build_again()
    result["alone"] = fit(model)["loss"]
    result["test"] = model.evaluate(data["x_test"], data["y_test"], **options)
    history = fit(build_again(), validation_data=(data["x_val"], data["y_val"]), validation_batch_size=BATCH)
    result["loss"], result["val_loss"] = history["loss"], history["val_loss"]
    model = build_again()
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: reset(model))
    result["reset"] = fit(model, callbacks=[callback])["loss"]
    return result


def compress(archive):
    """Keras stores what it puts into an archive."""
    with zipfile.ZipFile(archive) as before:
        members = {name: before.read(name) for name in before.namelist()}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as after:
        for name, content in members.items():
            after.writestr(name, content)


def write(name, directory, shapes):
    keras = find_keras(name)
    listing = directory / f"{name}.json"
    content = json.loads(listing.read_text()) if shapes else {"version": keras.__version__, "networks": {}}
    data = rows()
    for shape in shapes or SHAPES:
        keras.utils.set_random_seed(SHAPES.index(shape) + 1)
        model = build(keras, shape)
        weights = model.get_weights()
        # Biases of zeros would hide what they do.
        weights = [w + np.random.normal(size=w.shape, scale=0.2).astype(np.float32) for w in weights]
        model.set_weights(weights)
        file = f"{name}_{shape}." + ("h5" if shape in ("lstm", "gru") else "keras")
        model.save(directory / file)  # uncompiled: it is small
        if file.endswith(".keras"):
            compress(directory / file)

        def build_again():
            again = compiled(keras, build(keras, shape))
            again.set_weights(weights)
            return again

        content["networks"][shape] = {"file": file, **expected(keras, build_again, data)}
        print(f"{name} {keras.__version__}: {shape}")
    listing.write_text(json.dumps(content, indent=1) + "\n")


def check(lockstep, directory, name):
    name = name or "keras3"
    keras = find_keras(name)
    x = rows()["x_train"]
    failed = 0
    for listing in sorted(directory.glob("*.json")):
        for shape, entry in json.loads(listing.read_text())["networks"].items():
            for ending in ("h5", "keras") if name == "keras3" else ("h5",):
                with tempfile.TemporaryDirectory() as scratch:
                    scratch = pathlib.Path(scratch)
                    ours = real_keras.train_and_predict(
                        lockstep, directory.resolve(),
                        ["--from", entry["file"], "--no-shuffle", "--batch-size", BATCH, "--epochs", 2, *OPTIONS,
                         "--save-format", ending], "x_train", scratch / "run" / f"final.{ending}")
                    model = keras.models.load_model(scratch / "run" / f"final.{ending}", compile=False)
                    theirs = model.predict(x, batch_size=BATCH, verbose=0)
                difference = float(np.abs(theirs - ours.reshape(theirs.shape)).max())
                failed += not difference < 1e-5
                print(f"{listing.stem} {shape} .{ending}: {'ok' if difference < 1e-5 else 'FAILED'}, {difference:.1e}")
    return failed


if __name__ == "__main__":
    sys.exit(real_keras.main(__doc__, rows, write, {}, check, SHAPES))
