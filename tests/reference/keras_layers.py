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
    after_three_steps
                    all weights after three steps of Adam (learning rate 0.01) on sum(dy * outputs), the same inputs
                    each time, to 6 decimals; of a layer in training that has weights to train
    zero_gradients  numbers of weights whose gradient is 0 but for rounding, of which Adam makes steps all the same
    use_causal_mask of the call
    masks           of the inputs, if one has a mask: (rows, positions) of 0 and 1, or null
    output_mask     the same of the output, or null

tests/reference/layers was made by `keras_layers.py tests/reference/layers`, with Keras 3.15 and tf_keras 2.21;
tests/src/layers/keras_layers_test.cpp reads it. Needs, from PyPI: keras, tensorflow, tf_keras.
"""
import copy
import json
import pathlib
import sys

import numpy as np

from real_keras import find_keras


def numbers(values):
    """As short as they are: 0.1, not 0.10000000149011612."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def numbers_or_none(values):
    return None if values is None else numbers(values)


def random_inputs(random, shapes):
    return [np.round(random.normal(size=shape), 3).astype(np.float32) for shape in shapes]


def thousandths(random, shape):
    return np.round(random.normal(size=shape), 3)


def random_weight(random, name, shape, draw=thousandths):
    """Variances must be positive."""
    values = draw(random, shape)
    return np.abs(values) + 0.5 if "variance" in name else values


def case(name, keras, class_name, config, *shapes, rows=3, training=True, inputs=random_inputs, call=None,
         whole=False, draw=thousandths, masks=None):
    """`whole`: with the config as Keras writes it, and not only what is given here. `shapes`: of one sample, of each
    input. `inputs(random, shapes)` makes the inputs; integers get no gradient. `call(layer, inputs, training)`: how
    to call the layer, if not with one tensor or a list. `draw(random, shape)` makes the weights and dy. `masks`: as in the
    case, arrays."""
    module = find_keras(f"keras{keras}")
    import tensorflow as tf
    random = np.random.default_rng(5)
    layer = getattr(module.layers, class_name).from_config(copy.deepcopy(config))
    shapes = [(rows, *shape) for shape in shapes]
    x = [tf.constant(values) for values in inputs(random, shapes)]
    if call is None:
        def call(layer, x, training):
            arguments = {"training": training} if class_name in ("BatchNormalization", "Dropout") else {}
            return layer(x[0] if len(x) == 1 else x, **arguments)
    if masks is not None:
        unmasked_call = call

        def call(layer, x, training):  # which may take them away
            for value, mask in zip(x, masks):
                set_mask(value, mask)
            return unmasked_call(layer, x, training)
    call(layer, x, False)  # makes the weights
    layer.set_weights([random_weight(random, weight.name, weight.shape, draw) for weight in layer.weights])
    before = [numbers(weight) for weight in layer.weights]
    floating = [value for value in x if value.dtype.is_floating]
    trained = [getattr(weight, "value", weight) if keras == 3 else weight for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(floating)
        y = call(layer, x, training)
        dy = np.asarray(draw(random, y.shape), np.float32)
        objective = tf.reduce_sum(y * dy)
    by_inputs, by_weights = tape.gradient(objective, [floating, trained])
    by_inputs = iter(by_inputs)
    after = [numbers(weight) for weight in layer.weights]
    steps = {}
    if training and trained:
        layer.set_weights([np.reshape(np.float32(values), weight.shape)
                           for values, weight in zip(before, layer.weights)])
        steps["after_three_steps"] = three_steps(module, layer, lambda: tf.reduce_sum(call(layer, x, True) * dy))
    masked = {}
    if masks is not None:
        masked = {"masks": [None if mask is None else numbers(mask) for mask in masks],
                  "output_mask": numbers_or_none(getattr(y, "_keras_mask", None))}
    return {"name": f"keras{keras}_{name}", "keras": keras, "class_name": class_name,
            "config": layer.get_config() if whole else config, "input_shapes": shapes, "training": training,
            "inputs": [numbers(value) for value in x], "dy": numbers(dy), "outputs": numbers(y),
            "weights": before, **({"weights_after": after} if after != before else {}),
            "dx": [numbers_or_none(next(by_inputs)) if value.dtype.is_floating else None for value in x],
            "gradients": [numbers(tf.convert_to_tensor(gradient)) for gradient in by_weights], **steps, **masked}


def set_mask(value, mask):
    import tensorflow as tf
    if hasattr(value, "_keras_mask"):
        del value._keras_mask
    if mask is not None:
        value._keras_mask = tf.constant(np.asarray(mask, bool))


def three_steps(module, layer, objective):
    import tensorflow as tf
    optimizer = module.optimizers.Adam(learning_rate=0.01)
    for _ in range(3):
        with tf.GradientTape() as tape:
            value = objective()
        variables = layer.trainable_variables
        gradients = tape.gradient(value, [getattr(variable, "value", variable) if module.__name__ == "keras"
                                          else variable for variable in variables])
        # Keras 3 on TensorFlow squares the rows of an Embedding's sparse gradient before it adds up those of one token:
        # not so on JAX and PyTorch, nor in Keras 2.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, variables))
    return [numbers(np.round(weight, 6)) for weight in layer.weights]


def write(directory, class_name, cases):
    """One case a line."""
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases)
    pathlib.Path(directory, class_name + ".json").write_text(f"[\n{lines}\n]\n")


def dense():
    for keras in (2, 3):
        yield case("gelu", keras, "Dense", {"units": 3, "activation": "gelu"}, (5,), whole=True)
        yield case("linear", keras, "Dense", {"units": 3}, (4,), rows=5)
        yield case("sequence", keras, "Dense", {"units": 2, "activation": "softmax"}, (4, 3))
        yield case("no_bias", keras, "Dense", {"units": 2, "use_bias": False}, (3,), rows=1)


def activations():
    for keras in (2, 3):
        for activation in ("hard_sigmoid", "selu", "softmax"):
            yield case(activation, keras, "Activation", {"activation": activation}, (2, 5), whole=True)


def batch_normalization():
    for keras in (2, 3):
        yield case("training", keras, "BatchNormalization", {}, (5,), rows=7, whole=True)
        yield case("inference", keras, "BatchNormalization", {}, (5,), rows=2, training=False)
        yield case("sequence", keras, "BatchNormalization", {"axis": 2, "momentum": 0.7, "epsilon": 0.1}, (4, 3))
        yield case("frozen", keras, "BatchNormalization", {"trainable": False}, (3, 2), rows=3)
        yield case("no_scale", keras, "BatchNormalization", {"scale": False}, (3,), rows=5)
        yield case("no_center", keras, "BatchNormalization", {"center": False}, (3,), rows=5)
    # Keras 2 has another variance for the moving one: see BatchNormalization.
    yield case("image", 3, "BatchNormalization", {}, (2, 3, 2), rows=3)
    yield case("synchronized", 3, "BatchNormalization", {"synchronized": True, "scale": False, "center": False}, (1,))


def layer_normalization():
    for keras in (2, 3):
        yield case("last", keras, "LayerNormalization", {}, (19,), rows=2, whole=True)
        yield case("sequence", keras, "LayerNormalization", {"epsilon": 1e-6}, (3, 5), rows=2)
        yield case("axes", keras, "LayerNormalization", {"axis": [2, 1] if keras == 2 else [1, 2]}, (3, 5), rows=2)
        yield case("last_two", keras, "LayerNormalization", {"axis": [-2, -1]}, (2, 2, 4), rows=2)
        yield case("no_scale", keras, "LayerNormalization", {"scale": False}, (4,), rows=3)
        yield case("no_center", keras, "LayerNormalization", {"center": False}, (4,), rows=3)


def group_normalization():
    for keras in (2, 3):
        yield case("image", keras, "GroupNormalization", {"groups": 3}, (2, 3, 6), rows=2, whole=True)
        yield case("each_channel", keras, "GroupNormalization", {"groups": -1, "scale": False}, (4, 3), rows=3)
        yield case("one_group", keras, "GroupNormalization", {"groups": 1, "axis": 2, "center": False}, (3, 4), rows=3)
        yield case("vector", keras, "GroupNormalization", {"groups": 2, "epsilon": 0.01}, (6,), rows=5)


def rms_normalization():
    yield case("last", 3, "RMSNormalization", {}, (19,), rows=3, whole=True)
    yield case("sequence", 3, "RMSNormalization", {"epsilon": 0.1}, (3, 5), rows=2)
    yield case("axes", 3, "RMSNormalization", {"axis": [1, 2]}, (3, 5), rows=3)


def unit_normalization():
    for keras in (2, 3):
        yield case("last", keras, "UnitNormalization", {}, (19,), rows=3, whole=True)
        yield case("axes", keras, "UnitNormalization", {"axis": [1, 2]}, (3, 5), rows=2)
    # Shorter than Keras 2's shortest, which is 1e-6.
    yield case("short", 2, "UnitNormalization", {}, (4,),
               inputs=lambda random, shapes: [x * np.float32(1e-7) for x in random_inputs(random, shapes)])
    yield case("short", 3, "UnitNormalization", {}, (4,), training=False,
               inputs=lambda random, shapes: [x * np.float32(1e-7) for x in random_inputs(random, shapes)])


CASES = {
    "Dense": dense, "Activation": activations,
    "BatchNormalization": batch_normalization, "LayerNormalization": layer_normalization,
    "GroupNormalization": group_normalization, "RMSNormalization": rms_normalization,
    "UnitNormalization": unit_normalization,
}


def main(cases):
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for class_name in sys.argv[2:] or cases:
        write(sys.argv[1], class_name, cases[class_name]())


if __name__ == "__main__":
    main(CASES)
