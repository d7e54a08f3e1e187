#!/usr/bin/env python3
"""Lockstep and real Keras on the same files, both ways.

    keras_reference.py write DIR DATA.h5
        Trains the reference network a little with Keras 2 (tf_keras) and Keras 3 and writes, into DIR,
        keras2.h5, keras3.h5 (whole models as Keras saves them), rows.h5 (x_test, y_test) and expected.json
        (loss, accuracy and predictions that Keras computes). tests/reference/files was made so.

    keras_reference.py write-training DIR DATA.h5
        Writes training_rows.h5 (x_train, y_train: the first 300 images) and, of each network (reference: that of the
        reference program; cnn, bn_cnn: those of launch/examples with few channels; recurrent: an LSTM and a
        bidirectional GRU), training_NETWORK.h5 (its first
        weights, compiled with Adam, as Keras 2 saves it); trains it from there in steps of 32 rows, without
        shuffling, with both Kerases and writes training_expected.json: the loss of every step and a sample of the
        last weights. tests/system/keras_training_test.py compares Lockstep's.

    keras_reference.py write-masked DIR
        The same of a tagger of sentences whose padding is masked: masked_rows.h5 (x_train: token ids, y_train: a class
        for each), training_masked.h5 and masked_expected.json.

    keras_reference.py check LOCKSTEP MODEL.h5 DATA.h5
        Opens MODEL.h5, a file that Lockstep wrote, in both Kerases and compares their predictions with
        those of `LOCKSTEP predict`, and their loss with that of `LOCKSTEP evaluate`, within 1e-5.

Needs, from PyPI: tensorflow-cpu, tf_keras, h5py.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import h5py
import keras
import numpy as np
import tensorflow as tf
import tf_keras

KERASES = {"keras2": tf_keras, "keras3": keras}
TOLERANCE = 1e-5
TRAINING_ROWS = 300  # 9 batches of 32 and one of 12


def reference_network(k):
    model = k.Sequential([k.layers.Input((784,)), k.layers.Dense(64, activation="relu"),
                          k.layers.Dense(32, activation="relu"), k.layers.Dense(10, activation="softmax")])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def write(directory, data):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with h5py.File(data) as file:
        x = file["x_train"][:4000].reshape(-1, 784).astype(np.float32)
        y = file["y_train"][:4000]
        x_test, y_test = file["x_test"][:128].reshape(-1, 784), file["y_test"][:128]
    with h5py.File(directory / "rows.h5", "w") as file:
        file.create_dataset("x_test", data=x_test, compression="gzip", compression_opts=9)
        file.create_dataset("y_test", data=y_test)
    expected = {}
    for name, k in KERASES.items():
        k.utils.set_random_seed(1)
        model = reference_network(k)
        model.fit(x / 255, y, epochs=2, batch_size=32, verbose=0)
        # Trained on pixels in [0, 1], evaluated on bytes: the first kernel takes the factor over.
        kernel, bias = model.layers[0].get_weights()
        model.layers[0].set_weights([kernel / 255, bias])
        model.save(directory / f"{name}.h5")
        loss, accuracy = model.evaluate(x_test.astype(np.float32), y_test, batch_size=128, verbose=0)
        expected[name] = {"version": k.__version__, "loss": float(loss), "accuracy": float(accuracy),
                          "predictions": model.predict(x_test[:4].astype(np.float32), verbose=0).tolist()}
        print(f"{name} {k.__version__}: loss {loss:.7f}, accuracy {accuracy:.4f}")
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def on_images(k, *layers):
    return k.Sequential([k.layers.Input((28, 28)), k.layers.Rescaling(1 / 255), *layers,
                         k.layers.Dense(10, activation="softmax")])


def reference_program(k):
    """The network of the README's reference program on bytes."""
    return on_images(k, k.layers.Flatten(), k.layers.Dense(64, activation="relu"), k.layers.Dense(32, activation="relu"))


def cnn(k):
    layers = [k.layers.Reshape((28, 28, 1))]
    for filters in (5, 8):
        layers += [k.layers.Conv2D(filters, 3, activation="relu"), k.layers.MaxPooling2D(2)]
    return on_images(k, *layers, k.layers.Flatten(), k.layers.Dense(16, activation="relu"))


def bn_cnn(k):
    layers = [k.layers.Reshape((28, 28, 1))]
    for filters in (5, 8):
        for _ in range(2):
            layers += [k.layers.Conv2D(filters, 3, padding="same", use_bias=False), k.layers.BatchNormalization(),
                       k.layers.Activation("relu")]
        layers += [k.layers.MaxPooling2D(2)]
    return on_images(k, *layers, k.layers.GlobalAveragePooling2D())


def recurrent(k):
    """The lines of an image as a sequence."""
    return on_images(k, k.layers.LSTM(12, return_sequences=True), k.layers.Bidirectional(k.layers.GRU(8)))


# network: what makes it, the rate, steps. Where batch statistics and maxima choose, rounding grows with every step:
# at a rate of 0.001 the two Kerases, too, part by 1e-3 within 100 steps of bn_cnn.
TRAINED = {"reference": (reference_program, 0.001, 200), "cnn": (cnn, 0.001, 100), "bn_cnn": (bn_cnn, 0.0001, 100),
           "recurrent": (recurrent, 0.001, 100)}


def compile_with_adam(k, model, rate):
    model.compile(optimizer=k.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])


def compile_with_sgd(k, model, rate):
    """For an Embedding: see keras_layers.py on Keras 3's Adam."""
    model.compile(optimizer=k.optimizers.SGD(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])


def shortest(values):
    """Fewest digits that come back as the same float32."""
    return [float(str(value)) for value in np.asarray(values, np.float32)]


def weight_sample(values):
    """About a thousand of a layer's weights, in C order; every one of a small layer."""
    return values.ravel()[::values.size // 1000 | 1]


def write_training(directory, data):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with h5py.File(data) as file:
        x, y = file["x_train"][:TRAINING_ROWS], file["y_train"][:TRAINING_ROWS]
    with h5py.File(directory / "training_rows.h5", "w") as file:
        file.create_dataset("x_train", data=x, compression="gzip", compression_opts=9)
        file.create_dataset("y_train", data=y)
    expected = {network: train_both(directory / f"training_{network}.h5", *how, x, y) for network, how in TRAINED.items()}
    (directory / "training_expected.json").write_text(json.dumps(expected) + "\n")


def masked(k):
    return k.Sequential([k.layers.Input((10,)), k.layers.Embedding(20, 6, mask_zero=True),
                         k.layers.Bidirectional(k.layers.GRU(5, return_sequences=True)),
                         k.layers.LSTM(6, return_sequences=True), k.layers.Dense(4, activation="softmax")])


def write_masked(directory):
    """Sentences of 0 to 10 words, padded on the left or right, some with a gap; the class of a word is that of the
    word and the one before it."""
    directory = pathlib.Path(directory)
    random = np.random.default_rng(3)
    x = random.integers(1, 20, size=(TRAINING_ROWS, 10))
    y = (x + np.roll(x, 1, axis=1)) % 4
    for row, length in enumerate(random.integers(0, 11, size=TRAINING_ROWS)):
        if row % 2:
            x[row, length:] = 0
        else:
            x[row, :10 - length] = 0
        if row % 5 == 0:
            x[row, 4:6] = 0
    x, y = x.astype(np.uint8), y.astype(np.uint8)
    with h5py.File(directory / "masked_rows.h5", "w") as file:
        file.create_dataset("x_train", data=x, compression="gzip", compression_opts=9)
        file.create_dataset("y_train", data=y, compression="gzip", compression_opts=9)
    found = train_both(directory / "training_masked.h5", masked, 1.0, 60, x, y, compile_with_sgd)
    (directory / "masked_expected.json").write_text(json.dumps(found) + "\n")


def train_both(initial_file, network, rate, steps, x, y, compiled=compile_with_adam):
    """Losses and last weights of each Keras from the same first weights, which it writes."""
    tf_keras.utils.set_random_seed(1)
    initial = network(tf_keras)
    compiled(tf_keras, initial, rate)
    # Without it, tf_keras saves "accuracy" as categorical_accuracy, whatever the loss.
    initial.evaluate(x, y, verbose=0)
    initial.save(initial_file)

    found = {}
    for name, k in KERASES.items():
        model = network(k)
        model.set_weights(initial.get_weights())
        compiled(k, model, rate)
        # fit() reports means over an epoch so far: epochs of one step, batches one stream over all of them.
        rows = tf.data.Dataset.from_tensor_slices((x.astype(np.float32), y)).batch(32).repeat()
        losses = model.fit(rows, epochs=steps, steps_per_epoch=1, verbose=0).history["loss"]
        weights = [shortest(weight_sample(values)) for values in model.get_weights()]
        found[name] = {"version": k.__version__, "losses": shortest(losses), "weights": weights}
        print(f"{initial_file.name}, {name} {k.__version__}: loss {losses[0]:.7f} of the first step, {losses[-1]:.7f} "
              "of the last")
    one, other = (np.array(found[name]["losses"]) for name in KERASES)
    print(f"largest relative difference of a loss between the two: {np.abs(one / other - 1).max():.1e}")
    return found


def check(lockstep, model_path, data):
    with h5py.File(data) as file:
        x, y = file["x_test"][:].astype(np.float32), file["y_test"][:]
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "predictions.h5"
        subprocess.run([lockstep, "predict", model_path, "--data", data, "--out", out], check=True,
                       stdout=subprocess.DEVNULL)
        with h5py.File(out) as file:
            ours = file["predictions"][:]
    evaluation = json.loads(subprocess.run([lockstep, "evaluate", model_path, "--data", data, "--json"],
                                           check=True, capture_output=True, text=True).stdout)
    failed = 0
    for name, k in KERASES.items():
        model = k.models.load_model(model_path)
        theirs = model.predict(x, batch_size=1000, verbose=0)
        difference = float(np.abs(ours - theirs).max())
        loss, accuracy = model.evaluate(x, y, batch_size=1000, verbose=0)
        loss_difference = abs(evaluation["loss"] - loss)
        state = model.optimizer.iterations.numpy() if model.optimizer is not None else None
        good = difference <= TOLERANCE and loss_difference <= TOLERANCE * max(1, loss)
        failed += not good
        print(f"{name} {k.__version__}: {len(x)} predictions, largest difference {difference:.2e}; loss {loss:.7f} "
              f"there, {evaluation['loss']:.7f} here; accuracy {accuracy:.4f} there, {evaluation['accuracy']:.4f} here; "
              f"optimizer iterations {state}: {'ok' if good else 'DIFFERS'}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write-masked")
    writing.add_argument("directory")
    for command in ("write", "write-training"):
        writing = commands.add_parser(command)
        writing.add_argument("directory")
        writing.add_argument("data")
    checking = commands.add_parser("check")
    checking.add_argument("lockstep")
    checking.add_argument("model")
    checking.add_argument("data")
    args = parser.parse_args()
    if args.command == "write":
        write(args.directory, args.data)
        return 0
    if args.command == "write-masked":
        write_masked(args.directory)
        return 0
    if args.command == "write-training":
        write_training(args.directory, args.data)
        return 0
    return check(args.lockstep, args.model, args.data)


if __name__ == "__main__":
    sys.exit(main())
