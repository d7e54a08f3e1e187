#!/usr/bin/env python3
"""The cases of keras_layers.py for layers that pad, crop, repeat or pool positions, and for depthwise convolutions.

    keras_positions.py DIR [CLASS ...]
"""
import numpy as np

import keras_layers
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


CASES = {
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

if __name__ == "__main__":
    keras_layers.main(CASES)
