#!/usr/bin/env python3
"""What real Keras computes in single layers: outputs, and the gradients of sum(dy * outputs).

    keras_layers.py DIR [CLASS ...]
        Writes DIR/CLASS.json for each class, or for those that are named: a list of cases.

A case, numbers row by row (float32):
    name            tells the cases of a class apart; letters, digits and underscores
    keras           2 or 3: who wrote the config and computed
    class_name, config
    input_shapes    with the batch axis in front
    training        of the call
    inputs, dy, outputs
    weights         in Keras's order, before the call
    weights_after   behind it, if it changes them (moving statistics)
    dx              by each input; null for one that has no gradient (indices)
    gradients       by each trained weight, in the order of the weights

tests/reference/layers was made by `keras_layers.py tests/reference/layers`, with Keras 3.15 and tf_keras 2.21;
tests/src/layers/keras_layers_test.cpp reads it. Needs, from PyPI: keras, tensorflow, tf_keras.
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np


def numbers(values):
    """As short as they are: 0.1, not 0.10000000149011612."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def random_inputs(random, shapes):
    return [np.round(random.normal(size=shape), 3).astype(np.float32) for shape in shapes]


def random_weight(random, name, shape):
    """Variances must be positive."""
    values = np.round(random.normal(size=shape), 3)
    return np.abs(values) + 0.5 if "variance" in name else values


def case(name, keras, class_name, config, *shapes, rows=3, training=True, inputs=random_inputs, call=None):
    """`shapes`: of one sample, of each input. `inputs(random, shapes)` makes the inputs; integers get no gradient.
    `call(layer, inputs, training)`: how to call the layer, if not with one tensor or a list."""
    import tensorflow as tf
    module = __import__("keras" if keras == 3 else "tf_keras")
    random = np.random.default_rng(5)
    layer = getattr(module.layers, class_name).from_config(dict(config))
    shapes = [(rows, *shape) for shape in shapes]
    x = [tf.constant(values) for values in inputs(random, shapes)]
    if call is None:
        def call(layer, x, training):
            arguments = {"training": training} if class_name in ("BatchNormalization", "Dropout") else {}
            return layer(x[0] if len(x) == 1 else x, **arguments)
    call(layer, x, False)  # makes the weights
    layer.set_weights([random_weight(random, weight.name, weight.shape) for weight in layer.weights])
    before = [numbers(weight) for weight in layer.weights]
    floating = [value for value in x if value.dtype.is_floating]
    trained = [getattr(weight, "value", weight) if keras == 3 else weight for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(floating)
        y = call(layer, x, training)
        dy = np.round(random.normal(size=y.shape), 3).astype(np.float32)
        objective = tf.reduce_sum(y * dy)
    by_inputs, by_weights = tape.gradient(objective, [floating, trained])
    by_inputs = iter(by_inputs)
    after = [numbers(weight) for weight in layer.weights]
    return {"name": f"keras{keras}_{name}", "keras": keras, "class_name": class_name,
            "config": layer.get_config(), "input_shapes": shapes, "training": training,
            "inputs": [numbers(value) for value in x], "dy": numbers(dy), "outputs": numbers(y),
            "weights": before, **({"weights_after": after} if after != before else {}),
            "dx": [numbers(next(by_inputs)) if value.dtype.is_floating else None for value in x],
            "gradients": [numbers(tf.convert_to_tensor(gradient)) for gradient in by_weights]}


def write(directory, class_name, cases):
    """One case a line."""
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases)
    pathlib.Path(directory, class_name + ".json").write_text(f"[\n{lines}\n]\n")


def dense():
    for keras in (2, 3):
        yield case("gelu", keras, "Dense", {"units": 3, "activation": "gelu"}, (5,))
        yield case("sequence", keras, "Dense", {"units": 2, "activation": "softmax"}, (4, 3))
        yield case("no_bias", keras, "Dense", {"units": 2, "use_bias": False}, (3,), rows=1)


def activations():
    for keras in (2, 3):
        for activation in ("hard_sigmoid", "selu", "softmax"):
            yield case(activation, keras, "Activation", {"activation": activation}, (2, 5))


CASES = {"Dense": dense, "Activation": activations}


def main(cases):
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for class_name in sys.argv[2:] or cases:
        write(sys.argv[1], class_name, cases[class_name]())


if __name__ == "__main__":
    main(CASES)
