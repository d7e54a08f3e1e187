"""Networks of sequences, for tests of what other programs read: masks, cells, states, steps. As OTHERS of
export_networks.py."""


def tensor(layer, number=0):
    return {"class_name": "__keras_tensor__",
            "config": {"shape": [None, 1], "dtype": "float32", "keras_history": [layer, 0, number]}}


def network(name, shape, *nodes, keras3=False):
    """Keras's JSON of (layer, class, config, inputs), an input a layer's name or (name, number of its output); of an attention
    the arguments themselves. `keras3`: calls with states in Keras 3's form, which shows them no masks."""
    layers = [{"class_name": "InputLayer", "name": "input", "inbound_nodes": [],
               "config": {"name": "input", "batch_input_shape": [None, *shape], "dtype": "float32"}}]
    for layer, kind, config, inputs in nodes:
        if isinstance(inputs, dict):
            calls = [inputs]
        elif keras3 and kind != "Concatenate" and len(inputs) > 1:
            calls = [arguments(inputs[0], initial_state=[tensor(*source) for source in inputs[1:]])]
        else:
            sources = [source if isinstance(source, tuple) else (source, 0) for source in inputs]
            calls = [[[source, 0, number, {}] for source, number in sources]]
        layers.append({"class_name": kind, "name": layer, "config": {"name": layer, **config}, "inbound_nodes": calls})
    return {"class_name": "Functional", "config": {"name": name, "layers": layers, "input_layers": [["input", 0, 0]],
                                                   "output_layers": [[nodes[-1][0], 0, 0]]}}


def arguments(*sources, **words):
    return {"args": [tensor(source) for source in sources], "kwargs": words}


def ending(*sources):
    """Of (positions, features) each: flat, together, in classes."""
    flat = [(f"flat_{source}", "Flatten", {}, [source]) for source in sources]
    last = flat[0][0]
    if len(sources) > 1:
        flat.append(("all", "Concatenate", {"axis": -1}, [name for name, *_ in flat]))
        last = "all"
    return *flat, ("output", "Dense", {"units": 3, "activation": "softmax"}, [last])


def embedding(name, units=6, masks=True):
    return name, "Embedding", {"input_dim": 9, "output_dim": units, "embeddings_initializer": "he_uniform",
                               "mask_zero": masks}, ["input"]


def cell(kind, units, **config):
    return {"class_name": kind, "config": {"units": units, **config}}


def layer(kind, **config):
    return {"class_name": kind, "config": config}


HEADS = {"num_heads": 2, "key_dim": 3, "value_dim": 4, "dropout": 0.0, "use_bias": True}
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, "dropout": 0.0, "use_bias": True}


def merging(words):
    """Of masks that differ, one by the ids, one of the positions where no feature is positive, and of none."""
    nodes = [embedding("a"), embedding("plain", masks=False), ("few", "Cropping1D", {"cropping": [0, 0]}, ["plain"]),
             ("zeros", "ReLU", {"threshold": 0.5}, ["few"]), ("b", "Masking", {"mask_value": 0.0}, ["zeros"])]
    for kind in ("Multiply", "Maximum", "Minimum", "Add", "Average"):
        for which, inputs in (("both", ["a", "b", "a"]), ("one", ["a", "plain"]), ("other", ["plain", "b"])):
            nodes.append((f"{kind.lower()}_{which}", kind, {}, inputs))
    nodes += [("features", "Concatenate", {"axis": -1}, ["a", "b"]), ("features_one", "Concatenate", {"axis": 2}, ["plain", "a"]),
              ("positions", "Concatenate", {"axis": 1}, ["a", "plain", "b"])]
    behind = [name for name, *_ in nodes[5:]]
    nodes += [(f"of_{name}", "LSTM", {"units": 2}, [name]) for name in behind]
    return network("merging", words, *nodes, ("all", "Concatenate", {"axis": -1}, [f"of_{name}" for name in behind]),
                   ("output", "Dense", {"units": 3, "activation": "softmax"}, ["all"]))


def attention():
    nodes = [embedding("a"), embedding("plain", masks=False), ("shorter", "Cropping1D", {"cropping": [1, 1]}, ["plain"])]
    behind = []
    for kind, config in (("Attention", {"use_scale": True}), ("Attention", {"score_mode": "concat", "use_scale": True}),
                         ("Attention", {}), ("AdditiveAttention", {}), ("AdditiveAttention", {"use_scale": False})):
        for inputs, words in ((["a", "a"], {}), (["plain", "a"], {"use_causal_mask": True}), (["a", "plain"], {}),
                              (["plain", "plain"], {"use_causal_mask": True}), (["shorter", "a", "plain"], {})):
            behind.append(f"one_{len(behind)}")
            lists = {"args": [[tensor(source) for source in inputs]], "kwargs": words}
            nodes.append((behind[-1], kind, config, lists))
    return network("attention", (6,), *nodes, *ending(*behind))


def heads():
    nodes = [embedding("plain", masks=False), ("shorter", "Cropping1D", {"cropping": [1, 1]}, ["plain"])]
    behind = []
    for kind, config in (("MultiHeadAttention", HEADS), ("MultiHeadAttention", {**HEADS, "dropout": 0.2, "use_bias": False}),
                         ("GroupQueryAttention", GROUPS), ("GroupQueryAttention", {**GROUPS, "use_gate": True})):
        for inputs, words in ((["a", "a"], {}), (["plain", "a"], {"use_causal_mask": True}), (["a", "plain"], {}),
                              (["plain", "plain"], {"use_causal_mask": True}), (["shorter", "plain", "a"], {})):
            number = len(behind)
            behind.append(f"heads_{number}")
            if "a" in inputs:
                nodes.append(embedding(f"a_{number}"))
            nodes.append((behind[-1], kind, config,
                          arguments(*(f"a_{number}" if source == "a" else source for source in inputs), **words)))
    return network("heads", (6,), *nodes, *ending(*behind))


def taken():
    """MultiHeadAttention takes the masks of its inputs away, in front of who reads them later."""
    return network("taken", (6,), embedding("a"), ("heads", "MultiHeadAttention", HEADS, arguments("a", "a")),
                   ("unmasked", "GRU", {"units": 2}, ["a"]), ("masked", "GRU", {"units": 2}, ["heads"]),
                   *ending("unmasked", "masked"))


def translator(masks, keras3=False):
    """An encoder's states are what decoders begin with."""
    state = {"return_state": True}
    nodes = [embedding("x", masks=masks), ("lstm", "LSTM", {"units": 4, **state}, ["x"]),
             ("gru", "GRU", {"units": 4, **state, "return_sequences": True}, ["x"]),
             ("both", "Bidirectional", {"layer": layer("LSTM", units=4, **state)}, ["x"]),
             ("stack", "RNN", {"cell": [cell("LSTMCell", 4), cell("GRUCell", 4, reset_after=False)], **state}, ["x"]),
             ("d_lstm", "LSTM", {"units": 4, "return_sequences": True}, ["x", ("lstm", 1), ("lstm", 2)]),
             ("d_gru", "GRU", {"units": 4, "return_sequences": True, "go_backwards": True}, ["x", ("gru", 1)]),
             ("d_rnn", "SimpleRNN", {"units": 4}, ["x", ("gru", 1)]),
             ("d_before", "GRU", {"units": 4, "reset_after": False, **state}, ["x", ("both", 1)]),
             ("d_both", "Bidirectional", {"layer": layer("LSTM", units=4, return_sequences=True)},
              ["x", ("both", 1), ("both", 2), ("both", 3), ("both", 4)]),
             ("d_function", "LSTM", {"units": 4, "activation": "gelu"}, ["x", ("stack", 1), ("stack", 2)]),
             ("later", "GRU", {"units": 3}, ["d_gru"]),
             ("all", "Concatenate", {"axis": -1},
              ["lstm", "both", "stack", "d_rnn", "d_before", ("d_before", 1), "d_function", "later", ("stack", 3)]),
             ("flat", "Flatten", {}, ["d_lstm"]), ("flat2", "Flatten", {}, ["d_both"]), ("flat3", "Flatten", {}, ["gru"])]
    return network("translator", (6,), *nodes, ("all2", "Concatenate", {"axis": -1}, ["all", "flat", "flat2", "flat3"]),
                   ("output", "Dense", {"units": 3, "activation": "softmax"}, ["all2"]), keras3=keras3)


def inner_model():
    """Of each of 4 sentences of 5 words, behind a mask."""
    inner = network("inner", (5, 6), ("dense", "Dense", {"units": 6, "activation": "tanh"}, ["input"]),
                    ("product", "Multiply", {}, ["dense", "input"]), ("norm", "BatchNormalization", {}, ["product"]),
                    ("lstm", "LSTM", {"units": 3}, ["norm"]))
    chain = {"class_name": "Sequential", "config": {"name": "chain", "layers": [
        layer("LSTM", name="lstm", units=4, return_sequences=True),
        layer("Conv1D", name="conv", filters=4, kernel_size=[2], padding="same"),
        layer("GlobalMaxPooling1D", name="pool"), layer("Dense", name="dense", units=3)]}}
    return network("inner_model", (4, 5), embedding("words"), ("each", "TimeDistributed", {"layer": inner}, ["words"]),
                   ("chains", "TimeDistributed", {"layer": chain}, ["words"]), ("a", "GRU", {"units": 3}, ["each"]),
                   ("b", "GRU", {"units": 3}, ["chains"]), ("all", "Concatenate", {"axis": -1}, ["a", "b"]),
                   ("output", "Dense", {"units": 3, "activation": "softmax"}, ["all"]))


MASKED = "Embedding(9, 5, embeddings_initializer='he_uniform', mask_zero=True), "
END = ", Flatten(), Dense(3, softmax)"

SEQUENCES = {
    "masked": ((6,), None, MASKED + "LSTM(4, return_sequences=True), GRU(4, return_sequences=True, go_backwards=True), "
               "LayerNormalization(), Bidirectional(SimpleRNN(3, return_sequences=True), merge_mode='sum'), Dense(3, softmax), "
               "Flatten(), Dense(3, softmax)"),
    "masked_last": ((6,), None, MASKED + "Dropout(0.1), GRU(4, reset_after=False, return_sequences=True), Dense(4, tanh), "
                    "SimpleRNN(3, return_sequences=True), Bidirectional(LSTM(3), merge_mode='mul'), Dense(3, softmax)"),
    "masked_zeros": ((6,), None, MASKED + "LSTM(4, return_sequences=True), BatchNormalization(), Bidirectional(GRU(3, "
                     "return_sequences=True)), LSTM(2, go_backwards=True, return_sequences=True)" + END),
    "masked_mean": ((6, 4), None, "Masking(0.0), BatchNormalization(), LSTM(3, activation='gelu', return_sequences=True), "
                    "GlobalAveragePooling1D(keepdims=True), Flatten(), Dense(3, softmax)"),
    "cells": ((6, 4), None, "RNN([LSTMCell(4), GRUCell(3, reset_after=False), SimpleRNNCell(3, activation='selu')], "
              "return_sequences=True, go_backwards=True), Bidirectional(RNN(GRUCell(3), return_sequences=True), merge_mode='ave'), "
              "RNN(LSTMCell(3, recurrent_activation='hard_sigmoid', use_bias=False))" + END),
    "cells_masked": ((6,), None, MASKED + "RNN([LSTMCell(4), GRUCell(3, use_bias=False), SimpleRNNCell(3)], "
                     "return_sequences=True, go_backwards=True), Bidirectional(RNN([GRUCell(3), LSTMCell(2)], "
                     "return_sequences=True))" + END),
    "functions_masked": ((6,), None, MASKED + "LSTM(4, activation='silu', return_sequences=True, use_bias=False), GRU(3, "
                         "recurrent_activation='softsign', activation='mish', return_sequences=True)" + END),
    "conv_lstm": ((4, 6, 5, 2), None, "ConvLSTM2D(3, (2, 3), strides=2, padding='same', return_sequences=True, "
                  "go_backwards=True), TimeDistributed(BatchNormalization()), ConvLSTM2D(2, 2, use_bias=False, "
                  "activation='relu'), Flatten(), Dense(3, softmax)"),
    "conv_lstm_masked": ((5, 4, 2), None, "Masking(0.0), Bidirectional(ConvLSTM1D(3, 2, padding='same', return_sequences=True), "
                         "merge_mode='sum'), Reshape((5, 4, 3, 1)), ConvLSTM2D(2, 2, dilation_rate=2, padding='same', return_sequences=True), "
                         "Reshape((5, 4, 3, 2, 1)), BatchNormalization(), ConvLSTM3D(2, 2), Flatten(), Dense(3, softmax)"),
    "conv_lstm_step": ((5, 4), None, "Masking(0.0), TimeDistributed(Reshape((4, 1))), ConvLSTM1D(2, 3, return_sequences=True, "
                       "activation='linear'), ConvLSTM1D(2, 2)" + END),
    "steps": ((4, 8, 7, 2), None, "TimeDistributed(Conv2D(3, 3, activation='relu')), TimeDistributed(MaxPooling2D(2)), "
              "TimeDistributed(TimeDistributed(Dense(4))), TimeDistributed(Flatten()), TimeDistributed(LayerNormalization()), "
              "LSTM(3), Dense(3, softmax)"),
    "sentences": ((4, 5), None, MASKED + "TimeDistributed(Bidirectional(LSTM(3))), GRU(3), Dense(3, softmax)"),
    "inner_model": ((4, 5), None, inner_model()),
    "words_masked": ((6,), None, "TokenAndPositionEmbedding(9, 6, 8, embeddings_initializer='he_uniform', mask_zero=True), TransformerEncoder(12, 2), "
                     "TransformerDecoder(12, 2, normalize_first=True), TransformerEncoder(12, 2, normalize_first=True, "
                     "dropout=0.1)" + END),
    "merging_masked": ((6,), None, merging((6,))),
    "attention": ((6,), None, attention()),
    "heads": ((6,), None, heads()),
    "taken": ((6,), None, taken()),
    "translator": ((6,), None, translator(False)),
    "translator_masked": ((6,), None, translator(True)),
    "translator_hidden": ((6,), None, translator(True, keras3=True)),
}

#: What Keras 3 does not open, or otherwise.
NOT_FOR_KERAS_3 = {
    "translator": "from .h5 it takes states for further inputs",
    "translator_hidden": "the same",
    "translator_masked": "it has no masks behind calls with states",
    "merging_masked": "what it saves again has its own operations on masks as layers",
    "sentences": "it fails with masks of words where there are sentences",
    "inner_model": "the same",
    "taken": "in functional models, layers that have an argument `mask` see the mask that was taken",
}

#: Whose rows are ids of 9 words.
OF_IDS = {name for name, (_, _, made) in SEQUENCES.items() if "mask_zero" in str(made)} | {"words"}
