"""Run by a Python with Keras 3 (and tf_keras): optimizers in files.

    keras_optimizers.py write LIBRARY DIR    trains three steps with every optimizer, saves models in both forms, and
                                             trains on; prints the losses from there by file
    keras_optimizers.py read LIBRARY FILES   loads each file, and trains on: prints the losses, and what it knew

LIBRARY: keras or tf_keras. Rows are in rows.h5 of the directory.
"""
import importlib
import json
import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import numpy as np

BATCH, BEFORE, AFTER = 8, 3, 6
OPTIMIZERS = {
    "adam": ("Adam", {"weight_decay": 0.1, "clipvalue": 0.05}), "amsgrad": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {"learning_rate": 0.01}), "sgd": ("SGD", {"momentum": 0.9, "clipnorm": 0.1}),
    "rmsprop": ("RMSprop", {}), "rmsprop_all": ("RMSprop", {"momentum": 0.5, "centered": True, "epsilon": 1e-5}),
    "adagrad": ("Adagrad", {"learning_rate": 0.05}), "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "lion": ("Lion", {"learning_rate": 0.001}), "ftrl": ("Ftrl", {"learning_rate": 0.1}),
}
OF_KERAS_3 = {
    "nadam": ("Nadam", {"learning_rate": 0.01}),  # tf_keras multiplies its product once for each weight
    "lamb": ("Lamb", {"learning_rate": 0.05, "weight_decay": 0.1}),
    "averages": ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}),
    "accumulation": ("Adam", {"learning_rate": 0.01, "gradient_accumulation_steps": 2, "global_clipnorm": 0.1}),
}


def steps(keras, model, rows, count, first=0):
    """The loss of every batch before its update."""
    x, y = rows
    losses = []
    for step in range(first, first + count):
        part = slice(step * BATCH % len(x), step * BATCH % len(x) + BATCH)
        predictions = np.asarray(model(x[part], training=False), "float64")
        losses.append(float(-np.log(predictions[np.arange(BATCH), y[part]]).mean()))
        model.train_on_batch(x[part], y[part])
    return losses


def write(keras, directory, rows):
    layers, written = keras.layers, {}
    optimizers = {**OPTIMIZERS, **OF_KERAS_3} if keras.__version__.startswith("3") else OPTIMIZERS
    for name, (class_name, settings) in optimizers.items():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([layers.Input((4,)), layers.Dense(5, activation="relu", name="one"),
                                  layers.Dense(3, activation="softmax", name="two")])
        model.compile(getattr(keras.optimizers, class_name)(**settings), "sparse_categorical_crossentropy")
        steps(keras, model, rows, BEFORE)
        # In this order: when it has saved an .h5, Keras 3 does not write the optimizer any more.
        files = [f"{keras.__name__}_{name}.{form}" for form in ("keras", "h5")]
        for file in files:
            model.save(directory / file)
        losses = steps(keras, model, rows, AFTER, BEFORE)
        written.update({file: losses for file in files})
    return written


def read(keras, files):
    known = {}
    for name in files:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = keras.models.load_model(name)
        optimizer = model.optimizer
        known[name] = {"warnings": [str(warning.message) for warning in caught],
                       "iterations": int(optimizer.iterations),
                       "losses": steps(keras, model, rows_in(pathlib.Path(name).parent), AFTER, BEFORE)}
    return known


def rows_in(directory):
    with h5py.File(directory / "rows.h5") as file:
        return file["x"][:], file["y"][:]


def main():
    what, library, *names = sys.argv[1:]
    keras = importlib.import_module(library)
    if what == "write":
        directory = pathlib.Path(names[0])
        print(json.dumps(write(keras, directory, rows_in(directory))))
    else:
        print(json.dumps(read(keras, names)))


if __name__ == "__main__":
    main()
