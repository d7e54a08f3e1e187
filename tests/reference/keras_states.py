#!/usr/bin/env python3
"""The cases of keras_layers.py for recurrent layers that return their states, and that begin with states.

    keras_states.py DIR [FILE ...]

The outputs of a layer stand one behind the other in `outputs`, row by row; its initial states are the inputs behind the
first.
"""
import keras_layers
from keras_layers import case
from keras_masks import mask
from keras_recurrent import named, wrapped

STEPS = (3, 2)
GAPS = mask("110", "011", "101", "000")


def call_with(lists):
    """Calls a layer with its inputs behind the first as initial states: so many in each list, 1 for no list."""
    def call(layer, x, training):
        import tensorflow as tf
        states = iter(x[1:])
        given = [next(states) if count == 1 else [next(states) for _ in range(count)] for count in lists]
        y = layer(x[0], initial_state=given, training=training) if given else layer(x[0], training=training)
        outputs = tf.nest.flatten(y)
        whole = tf.concat([tf.reshape(output, (output.shape[0], -1)) for output in outputs], 1)
        if getattr(outputs[0], "_keras_mask", None) is not None:
            whole._keras_mask = outputs[0]._keras_mask
        return whole
    return call


def one(keras, name, class_name, config, lists=(), units=2, **more):
    states = [(units,)] * sum(lists)
    return case(f"{class_name}_{name}", keras, class_name, config, STEPS, *states, call=call_with(lists),
                **{"rows": 2, **more})


CLASSES = {"SimpleRNN": (1,), "LSTM": (1, 1), "GRU": (1,)}


def returned():
    for keras in (2, 3):
        for class_name in CLASSES:
            yield one(keras, "last", class_name, {"units": 2, "return_state": True})
            yield one(keras, "backwards", class_name,
                      {"units": 2, "return_state": True, "return_sequences": True, "go_backwards": True})


def begun():
    for keras in (2, 3):
        for class_name, lists in CLASSES.items():
            yield one(keras, "last", class_name, {"units": 2}, lists, rows=1)
            yield one(keras, "both", class_name, {"units": 2, "return_sequences": True, "return_state": True}, lists)
        yield one(keras, "reset_before", "GRU", {"units": 2, "reset_after": False, "return_state": True}, (1,), rows=1)


def masked():
    """Keras 3 has no mask in calls with initial states."""
    for keras in (2, 3):
        for class_name, lists in CLASSES.items():
            yield one(keras, "both", class_name, {"units": 2, "return_sequences": True, "return_state": True},
                      lists if keras == 2 else (), masks=[GAPS[1:]], rows=3)
        yield one(keras, "zeros", "LSTM", {"units": 2, "return_sequences": True, "return_state": True,
                                           "zero_output_for_mask": True}, (1, 1) if keras == 2 else (), masks=[GAPS[:2]])
        yield one(keras, "last", "GRU", {"units": 2, "return_state": True, "go_backwards": True},
                  (1,) if keras == 2 else (), masks=[GAPS[2:]])


def of_cells():
    stack = named("StackedRNNCells", name="stack", cells=[named("LSTMCell", name="a", units=2),
                                                          named("GRUCell", name="b", units=2)])
    for keras in (2, 3):
        yield one(keras, "of_one", "RNN", {"cell": named("LSTMCell", name="a", units=2), "return_state": True}, (1, 1))
        yield one(keras, "of_stack", "RNN", {"cell": stack, "return_sequences": True, "return_state": True}, (2, 1))


def both_ways():
    for keras in (2, 3):
        yield one(keras, "lstm", "Bidirectional",
                  {"layer": wrapped("LSTM", {"units": 2, "return_state": True}), "merge_mode": "concat"}, (1, 1, 1, 1))
        yield one(keras, "masked", "Bidirectional",
                  {"layer": wrapped("GRU", {"units": 2, "return_sequences": True, "return_state": True}),
                   "merge_mode": "sum"}, (1, 1) if keras == 2 else (), masks=[GAPS], rows=4)


CASES = {"ReturnedStates": returned, "InitialStates": begun, "MaskedStates": masked, "StatesOfCells": of_cells,
         "StatesBothWays": both_ways}

if __name__ == "__main__":
    keras_layers.main(CASES)
