#!/usr/bin/env python3
"""The cases of keras_layers.py for convolutions: inputs and weights are quarters, so that sums are exact in any order.

    keras_convolution.py DIR [CLASS ...]
"""
import numpy as np

import keras_layers


def quarters(random, shape):
    return random.integers(-4, 5, size=shape) / 4


def quarter_inputs(random, shapes):
    return [quarters(random, shape).astype(np.float32) for shape in shapes]


def cases_of(class_name, *which):
    """`which`: (name, input shape of a sample, config, ...): the first case by both Keras, the others by turns
    unless they name one."""
    def cases():
        for i, (name, shape, config, *more) in enumerate(which):
            options = {"rows": 2, **dict(*more)}
            for keras in (2, 3) if i == 0 else (options.pop("keras", 2 + i % 2),):
                yield keras_layers.case(name, keras, class_name, config, shape, inputs=quarter_inputs,
                                        draw=quarters, **options)
    return cases


def channels_first():
    """Of any class that knows it. Keras 3 on TensorFlow adds the bias to the last axis if that is as long."""
    def both(class_name, shape, config, **more):
        return cases_of(class_name, ("channels_first", shape, {**config, "data_format": "channels_first"}, more))()
    yield from both("Conv1D", (2, 7), window(3, 2, padding="same", strides=2))
    yield from both("Conv2D", (4, 2, 3), window(2, 2, padding="same", groups=2, activation="relu"))
    yield from both("Conv3D", (1, 2, 2, 2), window(2, 2), rows=1)
    yield from both("Conv2DTranspose", (2, 1, 3), window(3, 2, strides=2, activation="tanh"), rows=1)
    for class_name, shape, config in (("Flatten", (3, 2, 2), {}), ("ZeroPadding2D", (2, 1, 3), {"padding": 1}),
                                      ("AveragePooling2D", (2, 2, 4), {"pool_size": 2}),
                                      ("GlobalAveragePooling2D", (3, 2, 2), {"keepdims": True}),
                                      ("GlobalAveragePooling1D", (3, 2), {})):
        yield from both(class_name, shape, config)


def window(filters, kernel_size, **config):
    return {"filters": filters, "kernel_size": kernel_size, **config}


CASES = {
    "Conv1D": cases_of(
        "Conv1D",
        ("plain", (7, 3), window(2, 3, activation="relu"), {"whole": True}),
        ("causal", (6, 2), window(3, 3, padding="causal", dilation_rate=2)),
        ("causal_stride", (6, 2), window(1, 2, padding="causal", strides=2)),
        ("same_even", (8, 2), window(2, 3, padding="same", strides=2), {"rows": 1}),
        ("same_odd", (7, 1), window(2, [4], padding="same", strides=[3], activation="tanh")),
        ("larger_than_input", (2, 3), window(2, 5, padding="same", use_bias=False)),
        ("groups", (5, 6), window(4, 2, groups=2)),
        ("one", (4, 17), window(2, 1, activation="relu")),
        ("one_no_bias", (4, 3), window(2, 1, activation="relu", use_bias=False))),
    "Conv2D": cases_of(
        "Conv2D",
        ("plain", (5, 4, 3), window(2, 3, activation="relu"), {"whole": True, "rows": 1}),
        ("same_even", (6, 4, 1), window(3, 3, padding="same", strides=2)),
        ("same_odd", (5, 3, 2), window(1, [4, 3], padding="same", strides=[2, 3], activation="relu")),
        ("dilation", (6, 5, 1), window(1, 3, dilation_rate=2)),
        ("dilation_same", (5, 4, 1), window(2, [2, 3], padding="same", dilation_rate=[3, 2]), {"rows": 1}),
        ("larger_than_input", (2, 3, 1), window(2, 5, padding="same", use_bias=False)),
        ("smaller_than_stride", (5, 7, 1), window(2, 2, strides=3)),
        ("groups", (3, 4, 6), window(3, 2, groups=3)),
        ("one", (2, 1, 17), window(2, 1, activation="softmax"), {"rows": 1}),
        ("one_stride", (3, 4, 3), window(2, 1, strides=2, padding="same"))),
    "Conv3D": cases_of(
        "Conv3D",
        ("plain", (3, 4, 3, 1), window(2, [2, 3, 1], activation="relu"), {"whole": True}),
        ("same", (3, 2, 4, 2), window(1, [2, 3, 3], padding="same", strides=[2, 1, 2]), {"rows": 1}),
        ("dilation", (4, 3, 4, 1), window(1, 2, dilation_rate=[2, 1, 3])),
        ("groups", (2, 2, 3, 4), window(2, 2, groups=2)),
        ("one", (2, 1, 2, 3), window(2, 1), {"rows": 1})),
    "SeparableConv1D": cases_of(
        "SeparableConv1D",
        ("plain", (5, 3), window(2, 3, activation="relu", depth_multiplier=2), {"whole": True}),
        ("same", (6, 2), window(3, 2, padding="same", strides=2)),
        ("causal", (4, 2), window(1, 2, padding="causal", use_bias=False), {"keras": 2}),
        ("dilation", (5, 3), window(1, 2, dilation_rate=2))),
    "SeparableConv2D": cases_of(
        "SeparableConv2D",
        ("plain", (4, 3, 3), window(2, [2, 3], activation="relu"), {"whole": True, "rows": 1}),
        ("same", (4, 3, 2), window(2, 3, padding="same", strides=2, depth_multiplier=2)),
        ("larger_than_input", (1, 2, 3), window(2, 4, padding="same", activation="tanh", use_bias=False)),
        ("dilation", (4, 5, 1), window(1, 2, dilation_rate=2, depth_multiplier=3))),
    "Conv1DTranspose": cases_of(
        "Conv1DTranspose",
        ("plain", (4, 3), window(2, 3, activation="relu"), {"whole": True}),
        ("stride", (3, 2), window(1, 4, strides=2)),
        ("smaller_than_stride", (3, 2), window(2, 2, strides=3)),
        ("same_odd", (3, 1), window(2, 3, padding="same", strides=2)),
        ("same_even", (4, 1), window(2, 4, padding="same", strides=3, use_bias=False)),
        ("same_smaller", (3, 1), window(1, 1, padding="same", strides=2)),
        ("output_padding", (3, 2), window(1, 3, strides=2, output_padding=1)),
        ("output_padding_same", (3, 2), window(1, 3, strides=3, padding="same", output_padding=1)),
        ("output_padding_even", (3, 2), window(1, 4, strides=3, padding="same", output_padding=2)),
        ("no_output_padding", (3, 2), window(1, 5, strides=2, padding="same", output_padding=0)),
        ("dilation", (4, 2), window(2, 3, dilation_rate=2))),
    "Conv2DTranspose": cases_of(
        "Conv2DTranspose",
        ("plain", (3, 2, 3), window(2, 3, activation="relu"), {"whole": True, "rows": 1}),
        ("same", (2, 3, 1), window(2, [3, 4], padding="same", strides=2)),
        ("stride", (2, 3, 2), window(1, [2, 3], strides=[3, 2], activation="tanh"), {"rows": 1}),
        ("output_padding", (2, 2, 1), window(2, 3, padding="same", strides=[2, 3], output_padding=[0, 2])),
        ("channels", (1, 2, 17), window(2, 2, strides=2), {"rows": 1}),
        ("dilation", (3, 3, 1), window(1, 3, dilation_rate=2)),
        ("dilation_same", (3, 4, 1), window(1, [2, 3], padding="same", dilation_rate=2))),
    "Conv3DTranspose": cases_of(
        "Conv3DTranspose",
        ("plain", (2, 1, 3, 2), window(2, [2, 3, 1], activation="relu"), {"whole": True, "rows": 1}),
        ("same", (2, 1, 2, 1), window(1, [2, 3, 3], padding="same", strides=[2, 1, 3])),
        ("output_padding", (1, 2, 2, 1), window(1, 2, strides=2, output_padding=1), {"rows": 1})),
    "ChannelsFirst": channels_first,
}

if __name__ == "__main__":
    keras_layers.main(CASES)
