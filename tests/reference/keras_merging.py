#!/usr/bin/env python3
"""The cases of keras_layers.py for layers that merge their inputs or arrange them anew, and for those that change
something in training only.

    keras_merging.py DIR [CLASS ...]
"""
import numpy as np

import keras_layers
from keras_layers import case


def with_ties(random, shapes):
    return [random.integers(-2, 3, size=shape).astype(np.float32) for shape in shapes]


def with_zeros(random, shapes):
    x = np.round(random.normal(size=shapes[0]), 3).astype(np.float32)
    return [np.where(random.integers(0, 3, size=x.shape) == 0, 0, x).astype(np.float32)]


def masked(value):
    """Some steps are the mask value wholly, others in part."""
    def inputs(random, shapes):
        x = np.round(random.normal(size=shapes[0]), 3).astype(np.float32)
        x[0, 1] = x[2, 0] = value
        x[1, 0, 0] = value
        return [x]
    return inputs


def merging(class_name, inputs=keras_layers.random_inputs, most=3):
    def cases():
        for keras in (2, 3):
            def one(name, *shapes):
                return case(name, keras, class_name, {}, *shapes, inputs=inputs, whole=name == "two")
            yield one("two", (5,), (5,))
            yield one("repeated", (2, 1, 4), (2, 3, 1))
            yield one("ranks", (3,), (2, 3))
            if most > 2:
                yield one("three", (2, 3), (2, 3), (2, 3))
                yield one("growing", (1,), (2, 1), (4, 1, 3))
    return cases


def concatenate():
    for keras in (2, 3):
        def one(name, axis, *shapes):
            return case(name, keras, "Concatenate", {"axis": axis}, *shapes, whole=name == "last")
        yield one("last", -1, (2,), (3,), (1,))
        yield one("last_by_number", 2, (2, 3), (2, 1))
        yield one("first", 1, (1, 3), (4, 3), (2, 3))
        yield one("middle", -2, (2, 1, 3), (2, 3, 3))


def dot():
    for keras in (2, 3):
        def one(name, axes, *shapes, normalize=False):
            return case(name, keras, "Dot", {"axes": axes, "normalize": normalize}, *shapes, rows=2,
                        whole=name == "vectors")
        yield one("vectors", 1, (5,), (5,))
        yield one("cosine", -1, (5,), (5,), normalize=True)
        yield one("scores", 2, (3, 4), (2, 4))
        yield one("weighted", [2, 1], (3, 4), (4, 2))
        yield one("columns", 1, (3, 4), (3, 2))
        yield one("cosines", [1, 2], (3, 4), (2, 3), normalize=True)
        yield one("vector_and_matrix", [1, 2], (4,), (3, 4))
        yield one("matrix_and_vector", [1, 1], (4, 3), (4,))
        yield one("four_axes", [2, 1], (2, 3, 2), (3, 2))


def prelu():
    for keras in (2, 3):
        for shared in (None, [1], [2], [1, 2], [1, 3], [3, 2, 1]):
            name = "shared_" + "_".join(map(str, shared or ["none"]))
            yield case(name, keras, "PReLU", {"shared_axes": shared}, (2, 3, 2), inputs=with_zeros)
        yield case("vector", keras, "PReLU", {}, (7,), whole=True)


def permute():
    for keras in (2, 3):
        yield case("matrix", keras, "Permute", {"dims": [2, 1]}, (3, 4), whole=True)
        yield case("cube", keras, "Permute", {"dims": [3, 1, 2]}, (2, 3, 4))
        yield case("last_stays", keras, "Permute", {"dims": [2, 1, 3]}, (2, 3, 4))


def repeat_vector():
    for keras in (2, 3):
        yield case("three", keras, "RepeatVector", {"n": 3}, (4,), whole=True)
        yield case("one", keras, "RepeatVector", {"n": 1}, (4,))


def masking():
    for keras in (2, 3):
        yield case("zero", keras, "Masking", {}, (3, 2), inputs=masked(0), whole=True)
        yield case("other", keras, "Masking", {"mask_value": -1.5}, (3, 2, 2), inputs=masked(-1.5))


def changes_nothing(class_name, config, shape):
    def cases():
        for keras in (2, 3):
            yield case("inference", keras, class_name, config, shape, training=False, whole=True)
    return cases


CASES = {
    "Add": merging("Add"),
    "Subtract": merging("Subtract", most=2),
    "Multiply": merging("Multiply"),
    "Average": merging("Average"),
    "Maximum": merging("Maximum", with_ties),
    "Minimum": merging("Minimum", with_ties),
    "Concatenate": concatenate,
    "Dot": dot,
    "PReLU": prelu,
    "Permute": permute,
    "RepeatVector": repeat_vector,
    "Masking": masking,
    "GaussianNoise": changes_nothing("GaussianNoise", {"stddev": 0.5}, (5,)),
    "GaussianDropout": changes_nothing("GaussianDropout", {"rate": 0.5}, (5,)),
    "AlphaDropout": changes_nothing("AlphaDropout", {"rate": 0.5}, (5,)),
    "SpatialDropout1D": changes_nothing("SpatialDropout1D", {"rate": 0.5}, (3, 2)),
    "SpatialDropout2D": changes_nothing("SpatialDropout2D", {"rate": 0.5}, (2, 2, 2)),
    "SpatialDropout3D": changes_nothing("SpatialDropout3D", {"rate": 0.5}, (2, 1, 2, 2)),
}

if __name__ == "__main__":
    keras_layers.main(CASES)
