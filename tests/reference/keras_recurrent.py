#!/usr/bin/env python3
"""The cases of keras_layers.py for recurrent layers.

    keras_recurrent.py DIR [CLASS ...]
"""
import numpy as np

import keras_layers
from keras_layers import case

SHAPE = (5, 3)


def recurrent(class_name, **more):
    def cases():
        for keras in (2, 3):
            def one(name, config, shape=SHAPE, rows=3, **other):
                return case(name, keras, class_name, {"units": 4, **config}, shape, rows=rows, **other)
            yield one("default", {}, whole=True)
            yield one("sequences", {"return_sequences": True})
            yield one("backwards", {"go_backwards": True, "return_sequences": True})
            yield one("last_backwards", {"go_backwards": True, "use_bias": False})
            yield one("one_step", {}, shape=(1, 2), rows=1)
            yield one("relu", {"activation": "relu", "return_sequences": True}, rows=2)
            for name, config in more.items():
                yield one(name, config, rows=2)
    return cases


GATED = {"hard_sigmoid": {"recurrent_activation": "hard_sigmoid", "return_sequences": True},
         # Their derivatives are computed from what goes in.
         "by_input": {"activation": "gelu", "recurrent_activation": "swish"}}

CASES = {
    "SimpleRNN": recurrent("SimpleRNN", by_input={"activation": "gelu"}),
    "LSTM": recurrent("LSTM", **GATED, no_forget_bias={"unit_forget_bias": False}),
    "GRU": recurrent("GRU", **GATED, reset_before={"reset_after": False},
                     reset_before_sequences={"reset_after": False, "return_sequences": True, "go_backwards": True},
                     reset_before_no_bias={"reset_after": False, "use_bias": False},
                     reset_before_by_input={"reset_after": False, "activation": "gelu",
                                            "recurrent_activation": "swish"}),
}


def wrapped(inner, config):
    return {"class_name": inner, "config": {"name": inner.lower(), "units": 3, **config}, "module": "keras.layers",
            "registered_name": None}


def bidirectional():
    for keras in (2, 3):
        def one(name, inner, config, merge_mode="concat", **more):
            return case(name, keras, "Bidirectional", {"layer": wrapped(inner, config), "merge_mode": merge_mode},
                        SHAPE, rows=3, **more)
        yield one("last", "LSTM", {}, whole=True)
        yield one("sequences", "LSTM", {"return_sequences": True})
        yield one("sum", "GRU", {"return_sequences": True}, "sum", whole=True)
        yield one("mul", "SimpleRNN", {"return_sequences": True}, "mul")
        yield one("ave", "GRU", {"reset_after": False}, "ave")


def time_distributed():
    def wrapped(inner, config):
        return {"layer": {"class_name": inner, "config": {"name": inner.lower(), **config}, "module": "keras.layers",
                          "registered_name": None}}
    for keras in (2, 3):
        def one(name, inner, config, shape, **more):
            return case(name, keras, "TimeDistributed", wrapped(inner, config), shape, **more)
        yield one("dense", "Dense", {"units": 2, "activation": "softmax"}, (4, 3), whole=True)
        yield one("convolution", "Conv2D", {"filters": 2, "kernel_size": 2, "activation": "relu"}, (2, 3, 4, 2), rows=2)
        yield one("flatten", "Flatten", {}, (3, 2, 2), rows=2)
        yield one("pooling", "GlobalMaxPooling1D", {}, (3, 4, 2), rows=2)
        yield one("frozen", "Dense", {"units": 2, "trainable": False}, (3, 2), rows=2)
        yield one("lstm", "LSTM", {"units": 2}, (3, 4, 2), rows=2)
        yield one("one_step", "LayerNormalization", {}, (1, 5), rows=1)
        yield one("moving", "BatchNormalization", {}, (3, 2), training=False)
    # Keras 3 takes each step's own statistics, where Lockstep and Keras 2 have those of all.
    yield case("statistics", 2, "TimeDistributed", wrapped("BatchNormalization", {}), (3, 2), rows=5,
               call=lambda layer, x, training: layer(x[0], training=training))


def named(inner, **config):
    """An object in the config of another."""
    return {"class_name": inner, "config": config, "module": "keras.layers", "registered_name": None}


def rnn():
    def stacked(*cells):
        return named("StackedRNNCells", name="stacked", cells=list(cells))
    for keras in (2, 3):
        def one(name, cell, **config):
            rows = config.pop("rows", 2)
            return case(name, keras, "RNN", {"cell": cell, **config}, SHAPE, rows=rows, whole="whole" in name)
        yield one("simple_whole", named("SimpleRNNCell", name="cell", units=3))
        yield one("lstm", named("LSTMCell", name="cell", units=2), return_sequences=True)
        yield one("gru", named("GRUCell", name="cell", units=2, reset_after=False), go_backwards=True)
        yield one("stack_whole", stacked(named("LSTMCell", name="a", units=2), named("GRUCell", name="b", units=3)),
                  return_sequences=True)
        yield one("backwards", stacked(named("GRUCell", name="a", units=2), named("SimpleRNNCell", name="b", units=3),
                                       named("LSTMCell", name="c", units=2)),
                  return_sequences=True, go_backwards=True)
        yield one("within", stacked(stacked(named("SimpleRNNCell", name="a", units=2)),
                                    named("LSTMCell", name="b", units=2, use_bias=False)), rows=1)


def conv_lstm(axes):
    def cases():
        shape = (3,) + (3, 3, 2)[:axes] + (1 if axes == 2 else 2,)
        for keras in (2, 3):
            def one(name, config, shape=shape, **more):
                return case(name, keras, f"ConvLSTM{axes}D", {"filters": 2, "kernel_size": 2, **config}, shape, rows=2,
                            whole="whole" in name, draw=small, **more)
            yield one("valid_whole", {"kernel_size": (3, 2, 1)[:axes]})
            if axes == 3:
                continue
            yield one("sequences", {"padding": "same", "return_sequences": True, "go_backwards": True})
            yield one("strides", {"kernel_size": 3, "strides": 2, "padding": "same", "use_bias": False})
            if axes == 1:
                yield one("dilation", {"dilation_rate": 2, "activation": "relu", "recurrent_activation": "sigmoid"})
                yield one("one_step", {"filters": 1}, (1, 3, 1))
    return cases


def small(random, shape):
    return np.round(0.4 * random.normal(size=shape), 3)


CASES["RNN"] = rnn
for axes in (1, 2, 3):
    CASES[f"ConvLSTM{axes}D"] = conv_lstm(axes)
CASES["Bidirectional"] = bidirectional
CASES["TimeDistributed"] = time_distributed

if __name__ == "__main__":
    keras_layers.main(CASES)
