#!/usr/bin/env python3
"""The cases of keras_layers.py for layers that pad, crop, repeat or pool positions, and for depthwise convolutions.

    keras_positions.py DIR [CLASS ...]
"""
import numpy as np

import keras_layers
from keras_convolution import quarter_inputs, quarters
from keras_layers import case

SHAPES = {1: (5, 2), 2: (3, 4, 1), 3: (2, 3, 2, 2)}


def zero_padding(dimensions, *paddings):
    def cases():
        for keras in (2, 3):
            yield case("default", keras, f"ZeroPadding{dimensions}D", {}, SHAPES[dimensions], rows=2, whole=True)
            for i, padding in enumerate(paddings):
                yield case(f"padding{i}", keras, f"ZeroPadding{dimensions}D", {"padding": padding},
                           SHAPES[dimensions], rows=1)
    return cases


def cropping(dimensions, *croppings):
    def cases():
        for keras in (2, 3):
            if dimensions < 3:
                yield case("default", keras, f"Cropping{dimensions}D", {}, SHAPES[dimensions], rows=2, whole=True)
            for i, cropping in enumerate(croppings):
                yield case(f"cropping{i}", keras, f"Cropping{dimensions}D", {"cropping": cropping},
                           SHAPES[dimensions], whole=dimensions == 3)
    return cases


def up_sampling(dimensions, *sizes, **bilinear):
    def cases():
        for keras in (2, 3):
            yield case("default", keras, f"UpSampling{dimensions}D", {}, SHAPES[dimensions], rows=1, whole=True)
            for i, size in enumerate(sizes):
                yield case(f"size{i}", keras, f"UpSampling{dimensions}D", {"size": size}, SHAPES[dimensions], rows=1)
            for name, size in bilinear.items():
                yield case(name, keras, f"UpSampling{dimensions}D", {"size": size, "interpolation": "bilinear"},
                           SHAPES[dimensions], rows=1, whole=True)
    return cases


# Odd extents, so that windows overhang, and leave something over.
POOLED = {1: (7, 3), 2: (5, 4, 2), 3: (3, 4, 3, 1)}


def pooling(kind, dimensions):
    def cases():
        class_name, shape = f"{kind}Pooling{dimensions}D", POOLED[dimensions]

        def one(name, config, **more):
            for keras in (2, 3):
                yield case(name, keras, class_name, {"pool_size": 2, **config}, shape, **more)
        yield from one("default", {}, rows=2, whole=True)
        yield from one("same", {"padding": "same"}, rows=1)
        yield from one("overlapping", {"pool_size": 3, "strides": 1}, rows=1)
        yield from one("overhanging", {"pool_size": 3, "strides": 2, "padding": "same"}, rows=1)
        yield from one("with_gaps", {"pool_size": 1, "strides": 2}, rows=1)
        if dimensions > 1:
            sizes, strides = [[1, 3, 2][:dimensions], [2, 1, 1][:dimensions]]
            yield from one("by_axes", {"pool_size": sizes, "strides": strides, "padding": "same"}, rows=1)
        else:
            yield from one("larger_than_input", {"pool_size": 9, "strides": 3, "padding": "same"}, rows=1)
    return cases


def global_pooling(kind, dimensions):
    def cases():
        for keras in (2, 3):
            for keepdims in (False, True):
                yield case(f"keepdims{keepdims:d}", keras, f"Global{kind}Pooling{dimensions}D",
                           {"keepdims": keepdims}, POOLED[dimensions], whole=True)
    return cases


def adaptive_pooling(kind, dimensions, *sizes):
    """Keras 3 has them alone; on TensorFlow it cannot do an extent of 1."""
    def cases():
        for i, size in enumerate(sizes):
            yield case(f"size{i}", 3, f"Adaptive{kind}Pooling{dimensions}D", {"output_size": size},
                       POOLED[dimensions], rows=2, whole=True)
    return cases


def depthwise(dimensions):
    def cases():
        class_name, shape = f"DepthwiseConv{dimensions}D", {1: (6, 2), 2: (4, 3, 2)}[dimensions]

        def one(name, config, **more):
            for keras in (2, 3):
                yield case(name, keras, class_name, {"kernel_size": 3, **config}, shape, inputs=quarter_inputs,
                           draw=quarters, **more)
        yield from one("default", {}, rows=3 - dimensions, whole=True)
        yield from one("same", {"padding": "same", "activation": "relu"}, rows=1)
        yield from one("strides", {"padding": "same", "strides": 2, "depth_multiplier": 3}, rows=1)
        yield from one("dilation", {"padding": "same", "dilation_rate": 2, "use_bias": False}, rows=1)
        yield from one("multiplier", {"depth_multiplier": 2, "activation": "tanh"}, rows=1)
        yield from one("channels_first", {"kernel_size": 1, "data_format": "channels_first"}, rows=1)
        if dimensions == 2:
            yield from one("by_axes", {"kernel_size": [2, 1], "strides": [1, 2]}, rows=1)
            yield from one("larger_than_input", {"kernel_size": [5, 1], "padding": "same"}, rows=1)
    return cases


CASES = {
    "DepthwiseConv1D": depthwise(1),
    "DepthwiseConv2D": depthwise(2),
    "ZeroPadding1D": zero_padding(1, 2, [0, 3]),
    "ZeroPadding2D": zero_padding(2, [1, 2], [[0, 2], [3, 0]]),
    "ZeroPadding3D": zero_padding(3, [[0, 1], [1, 0], [0, 0]]),
    "Cropping1D": cropping(1, 2, [0, 3]),
    "Cropping2D": cropping(2, 1, [1, 0], [[0, 2], [3, 0]]),
    "Cropping3D": cropping(3, [[1, 0], [0, 2], [0, 1]]),
    "UpSampling1D": up_sampling(1, 3),
    "UpSampling2D": up_sampling(2, [1, 3], 1, two=2, three=[3, 2], four_by_one=[4, 1]),
    "UpSampling3D": up_sampling(3, [1, 3, 2]),
}
for _kind in ("Max", "Average"):
    for _dimensions, _sizes in ((1, (3, 5, 7, 9)), (2, (2, [3, 3], [2, 6])), (3, (2, [2, 3, 2]))):
        CASES[f"{_kind}Pooling{_dimensions}D"] = pooling(_kind, _dimensions)
        CASES[f"Global{_kind}Pooling{_dimensions}D"] = global_pooling(_kind, _dimensions)
        CASES[f"Adaptive{_kind}Pooling{_dimensions}D"] = adaptive_pooling(_kind, _dimensions, *_sizes)

if __name__ == "__main__":
    keras_layers.main(CASES)
