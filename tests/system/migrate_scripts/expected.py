"""Run by a Python with Keras 3 and TensorFlow: runs the scripts, on small arrays of random numbers, and writes expected.json: what they
train by their own words."""
import json
import pathlib
import runpy
import sys
import types
from unittest import mock

import keras
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
random = np.random.default_rng(1)


class Table:
    """As much of a pandas.DataFrame as the scripts use."""
    values = random.random((140, 1))

    def dropna(self):
        return self

    def drop(self, *_, **__):
        return types.SimpleNamespace(values=random.random((30, 9)))

    def pop(self, *_):
        return types.SimpleNamespace(values=random.random(30))


def module(name, **members):
    sys.modules[name] = types.SimpleNamespace(__name__=name, __spec__=None, __path__=[], **members)


scaler = types.SimpleNamespace(fit_transform=lambda x: x, inverse_transform=lambda x: x)
module("pandas", read_csv=lambda *_, **__: Table())
module("sklearn")
module("sklearn.preprocessing", MinMaxScaler=lambda **_: scaler)
module("matplotlib")
module("matplotlib.pyplot", **{name: lambda *_, **__: None for name in ("figure", "subplot", "imshow", "xlabel", "show")},
       cm=types.SimpleNamespace(binary=None))


def images(rows, test_rows, *shape):
    def part(count):
        return random.integers(0, 255, (count, *shape)).astype(np.uint8), random.integers(0, 10, count)
    return lambda *_, **__: (part(rows), part(test_rows))


def texts(*_, **__):
    def part():
        return [list(random.integers(1, 50, 9)) for _ in range(6)], random.integers(0, 2, 6)
    return part(), part()


keras.datasets.mnist.load_data = images(60000, 10000, 28, 28)
keras.datasets.fashion_mnist.load_data = images(60000, 10000, 28, 28)
keras.datasets.cifar10.load_data = images(20, 10, 32, 32, 3)
keras.datasets.imdb.load_data = texts


def leaves(model):
    for layer in getattr(model, "operations", model.layers):  # x + y is an operation
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def describe(model, arguments):
    optimizer = model.optimizer.get_config()
    rate = optimizer["learning_rate"]
    return {
        "layers": [type(layer).__name__ for layer in leaves(model)],
        "weights": [list(weight.shape) for layer in leaves(model) for weight in getattr(layer, "weights", ())
                    if "seed_generator" not in weight.path],
        "trained": int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        "optimizer": type(model.optimizer).__name__,
        "settings": {key: value for key, value in optimizer.items() if isinstance(value, (int, float, bool))
                     and key != "learning_rate"},
        "rate": rate["config"] if isinstance(rate, dict) else float(rate),
        "loss": getattr(model.loss, "name", model.loss),
        "fit": {key: value for key, value in arguments.items() if isinstance(value, (int, float))},
        "callbacks": [type(callback).__name__ for callback in arguments.get("callbacks") or []],
    }


fits = []


def fit(self, x=None, y=None, **arguments):
    if not self.built:
        self(x[:1])
    fits.append(describe(self, arguments))
    return types.SimpleNamespace(history={}, epoch=[])


def main():
    expected = {}
    keras.Model.fit = fit
    keras.Model.evaluate = lambda self, *_, **__: [0.0] * 3
    keras.Model.predict = lambda self, x, *_, **__: x
    keras.Model.save = lambda *_, **__: None
    keras.Model.summary = lambda *_, **__: None
    inputs = keras.Input((12,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    pretrained = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    keras.models.load_model = lambda *_: pretrained
    for path in sorted(HERE.glob("*.py")):
        if path.name == "expected.py":
            continue
        fits.clear()
        arrays = {name: random.random((6, 12)) for name in ("x", "y", "x_val", "y_val")}
        with mock.patch("numpy.load", lambda *_, **__: arrays):
            try:
                runpy.run_path(str(path), run_name="__main__")
            except Exception as error:  # after its last fit
                print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
        expected[path.stem] = list(fits)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(of)}" for name, of in expected.items())
    (HERE / "expected.json").write_text("{" + lines + "}\n")


main()
