"""Writes tests/reference/fits/NAME.json: what Keras 3's fit() makes of small networks with constraints, penalties of
activities, sample weights and trust ratios, in two epochs without shuffling: losses, and the weights in the end.

    python3 tests/reference/keras_fit.py

tests/distributed/training/keras_fit_test.cpp reads it. Needs, from PyPI: keras, tensorflow.
"""
import json
import pathlib

import numpy as np

from real_keras import find_keras

BATCH = 4


def numbers(values):
    return [float(f"{value:.6g}") for value in np.asarray(values, np.float64).ravel()]


def one_fit(keras, name, layers, *, shape=(4,), y=(), rows=10, optimizer=None, loss="sparse_categorical_crossentropy",
            ids=0, weights=None, padded=False):
    """`weights`: the shape of those of one row, if there are. `padded`: rows end with steps of zeros."""
    random = np.random.default_rng(3)
    model = keras.Sequential([keras.Input(shape), *layers])
    before = [np.round(random.normal(size=weight.shape), 2).astype(np.float32) for weight in model.weights]
    before = [np.abs(value) + 0.5 if "variance" in weight.path else value for value, weight in zip(before, model.weights)]
    model.set_weights(before)

    def draw(count):
        x = random.integers(0, ids, (count, *shape)) if ids else np.round(random.normal(size=(count, *shape)), 2)
        if padded:
            for row in range(count):
                x[row, shape[0] - row % shape[0]:] = 0
        targets = random.integers(0, 3, (count, *y))
        of_rows = None if weights is None else np.round(random.random((count, *weights)) * 2, 2)
        if of_rows is not None:
            of_rows[0] = 0
        return x.astype(np.float32), targets.astype(np.float32), of_rows

    data, held_out = draw(rows), draw(5)
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    history = model.fit(*data[:2], sample_weight=data[2], batch_size=BATCH, epochs=2, shuffle=False, verbose=0,
                        validation_data=held_out if held_out[2] is not None else held_out[:2])
    evaluated = model.evaluate(*held_out[:2], sample_weight=held_out[2], batch_size=BATCH, verbose=0)
    assert optimizer.use_ema or abs(evaluated[0] - history.history["val_loss"][-1]) < 1e-5
    return {"name": name, "model": json.loads(model.to_json()), "optimizer": keras.optimizers.serialize(optimizer),
            "loss": loss, "shape": shape, "y": y, "weights": weights,
            "data": [None if values is None else numbers(values) for values in data],
            "held_out": [None if values is None else numbers(values) for values in held_out],
            "before": [numbers(value) for value in before],
            "history": {key: numbers(value) for key, value in history.history.items()},
            "after": [numbers(value) for value in model.get_weights()]}


def cases(keras):
    layers, constraints, optimizers = keras.layers, keras.constraints, keras.optimizers
    dense = layers.Dense

    def fit(name, network, **more):
        return one_fit(keras, name, network, **more)
    yield fit("norms_of_columns", [
        dense(5, "relu", kernel_constraint=constraints.MaxNorm(0.8), bias_constraint="non_neg"),
        dense(3, "softmax", kernel_constraint=constraints.UnitNorm(axis=1))], optimizer=optimizers.SGD(0.1, momentum=0.5))
    yield fit("slow_norms", [
        dense(5, "tanh", kernel_constraint=constraints.MinMaxNorm(0.5, 1.0, rate=0.3, axis=[0, 1])),
        dense(3, "softmax", kernel_constraint=constraints.MinMaxNorm(1.5, 2.0, rate=0.9, axis=-1))],
        optimizer=optimizers.Adam(0.01, gradient_accumulation_steps=2, use_ema=True, ema_overwrite_frequency=2))
    yield fit("constraints_of_layers", [
        layers.Conv1D(2, 2, kernel_constraint=constraints.MaxNorm(0.7, axis=[0, 1])),
        layers.BatchNormalization(gamma_constraint="non_neg", beta_constraint=constraints.MaxNorm(0.5)),
        layers.LSTM(2, kernel_constraint=constraints.MaxNorm(0.5), recurrent_constraint="unit_norm",
                    bias_constraint="non_neg"),
        dense(3, "softmax")], shape=(4, 2))
    yield fit("constrained_table", [
        layers.Embedding(50, 2, embeddings_constraint=constraints.MaxNorm(0.5, axis=1)), layers.Flatten(),
        dense(3, "softmax")], shape=(3,), ids=50, optimizer=optimizers.SGD(0.1, momentum=0.9))
    yield fit("activities", [
        dense(5, "relu", activity_regularizer=keras.regularizers.L1L2(0.01, 0.02)),
        layers.ActivityRegularization(l1=0.03), dense(3, "softmax", activity_regularizer="l2")])
    yield fit("activities_of_steps", [
        layers.Masking(), layers.LSTM(2, return_sequences=True, activity_regularizer=keras.regularizers.L2(0.1)),
        dense(3, "softmax")], shape=(3, 2), y=(3,), padded=True)
    yield fit("sample_weights", [dense(5, "relu"), dense(3, "softmax")], weights=())
    yield fit("weights_of_steps", [layers.Masking(), layers.LSTM(2, return_sequences=True), dense(3, "softmax")],
              shape=(3, 2), y=(3,), weights=(3,), padded=True)
    yield fit("weights_of_sequences", [dense(3, "softmax", activity_regularizer="l1")], shape=(3, 2), y=(3,), weights=(1,),
              optimizer=optimizers.Adam(0.01, gradient_accumulation_steps=2))
    yield fit("lamb", [dense(5, "relu"), dense(3, "softmax")], optimizer=optimizers.Lamb(0.05))
    yield fit("lamb_of_all", [dense(5, "relu"), dense(3, "softmax", kernel_constraint=constraints.MaxNorm(1.0))],
              optimizer=optimizers.Lamb(0.05, beta_1=0.8, epsilon=1e-3, weight_decay=0.1, clipnorm=0.1,
                                        gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5))


def main():
    keras = find_keras("keras3")
    directory = pathlib.Path(__file__).parent / "fits"
    directory.mkdir(exist_ok=True)
    for case in cases(keras):
        (directory / f"{case['name']}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
