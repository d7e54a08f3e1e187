#!/usr/bin/env python3
"""The cases of keras_layers.py for recurrent layers.

    keras_recurrent.py DIR [CLASS ...]
"""
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


CASES["Bidirectional"] = bidirectional

if __name__ == "__main__":
    keras_layers.main(CASES)
