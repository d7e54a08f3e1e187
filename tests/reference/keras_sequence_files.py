#!/usr/bin/env python3
"""Model files with layers of sequences, written by real Keras and KerasHub, with what Keras predicts from them.

    keras_sequence_files.py write DIR [NETWORK]
        Writes the files, or those of one network (attention, transformer, cells, models), and DIR/expected.json: token ids, and by file the predictions for them.

    keras_sequence_files.py check LOCKSTEP DIR
        Trains each of the files on by LOCKSTEP, for one step, and opens what comes out in Keras 3 (files of Keras 2:
        too, since Keras 2 takes no second positional argument in a file).

tests/reference/keras_sequences was made by the first one, with Keras 3.15, tf_keras 2.21 and KerasHub 0.32;
tests/io/keras/keras_sequences_test.cpp reads it. Needs, from PyPI: keras, tensorflow, tf_keras, keras_hub, h5py.
"""
import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np

import real_keras
from keras_sequences import find_keras_hub

TOKENS, POSITIONS, CLASSES = 11, 5, 3


def token_ids():
    return np.random.default_rng(3).integers(0, TOKENS, size=(6, POSITIONS)).astype(np.int32)


def attention(keras):
    layers = keras.layers
    inputs = keras.Input((POSITIONS,), dtype="int32")
    x = layers.Embedding(TOKENS, 8)(inputs)
    y = layers.Dense(8, activation="tanh")(x)
    z = layers.Dense(8, activation="relu")(x)
    x = layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x, use_causal_mask=True)
    x = layers.MultiHeadAttention(2, 4, value_dim=3)(x, key=z, value=y)  # key and value in the other order
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(x)))


def transformer(keras):
    layers = keras.layers
    inputs = keras.Input((POSITIONS,), dtype="int32")
    x = layers.TokenAndPositionEmbedding(TOKENS, POSITIONS + 2, 8)(inputs)
    x = layers.Add()([x, layers.SinePositionEncoding()(x), layers.PositionEmbedding(POSITIONS)(x)])
    x = layers.TransformerEncoder(7, 2, dropout=0.1, activation="gelu")(x)
    x = layers.TransformerDecoder(6, 2, normalize_first=True, layer_norm_epsilon=1e-3)(x)
    x = layers.TransformerDecoder(5, 2)(x, use_causal_mask=False)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(x)))


def cells(keras):
    layers = keras.layers
    inputs = keras.Input((POSITIONS,), dtype="int32")
    x = layers.Embedding(TOKENS, 4)(inputs)
    y = layers.TimeDistributed(layers.Dense(3, activation="tanh"))(x)
    z = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2, dropout=0.1)], return_sequences=True)(x)
    z = layers.Bidirectional(layers.RNN(layers.SimpleRNNCell(2), return_sequences=True))(z)
    a = layers.Attention(use_scale=True, score_mode="concat", dropout=0.1)([y, y], use_causal_mask=True)
    b = layers.AdditiveAttention()([a, y])
    # Of Keras 2's default, hard_sigmoid, Keras 3 has another.
    c = layers.ConvLSTM1D(2, 2, return_sequences=True, recurrent_activation="sigmoid")(layers.Reshape((POSITIONS, 4, 1))(x))
    c = layers.TimeDistributed(layers.Flatten())(c)
    parts = [a, b, z, c]
    if keras.__name__ == "keras":
        parts.append(layers.GroupQueryAttention(2, 4, 2)(y, a))
    x = layers.Flatten()(layers.Concatenate()(parts))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def models(keras):
    """In TimeDistributed: of the word of each sentence, behind its mask, and a residual."""
    layers = keras.layers
    inputs = keras.Input((POSITIONS,), dtype="int32")
    words = keras.Sequential([layers.Embedding(TOKENS, 3, mask_zero=True), layers.LSTM(2)], name="words")
    step = keras.Input((2,))
    twice = layers.Dense(2, activation="tanh")
    residual = keras.Model(step, layers.Add()([step, twice(twice(step))]), name="residual")
    x = layers.TimeDistributed(words)(layers.Reshape((POSITIONS, 1))(inputs))
    x = layers.Flatten()(layers.TimeDistributed(residual)(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def write(directory, only=None):
    """All of them, or those of one network."""
    directory.mkdir(parents=True, exist_ok=True)
    x, expected = token_ids(), {}
    if only:
        expected = json.loads((directory / "expected.json").read_text())["files"]
    for name, build, endings in (("keras2", attention, ["h5"]), ("keras3", attention, ["keras", "h5"]),
                                 ("keras3", transformer, ["keras", "h5"]),
                                 ("keras2", cells, ["h5"]), ("keras3", cells, ["keras", "h5"]),
                                 ("keras2", models, ["h5"]), ("keras3", models, ["keras"])):
        if only and build.__name__ != only:
            continue
        keras = real_keras.find_keras(name)
        keras.utils.set_random_seed(4)
        model = build(keras)
        optimizer = "sgd" if build is models else "adam"  # of fewer weights
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, np.arange(len(x)) % CLASSES, epochs=2, verbose=0)
        for ending in endings:  # to save as .h5 takes the optimizer out of what a .keras says
            file = f"{name}_{build.__name__}.{ending}"
            model.save(directory / file)
            expected[file] = np.asarray(model.predict(x, verbose=0), np.float64).round(8).ravel().tolist()
    lines = ",\n".join(f"{json.dumps(file)}: {json.dumps(values)}" for file, values in expected.items())
    (directory / "expected.json").write_text(f'{{"x": {json.dumps(x.ravel().tolist())},\n"files": {{\n{lines}}}}}\n')


def check(lockstep, directory):
    import keras
    x, failed = token_ids(), 0
    for file in json.loads((directory / "expected.json").read_text())["files"]:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            with h5py.File(folder / "rows.h5", "w") as rows:
                rows["x"], rows["y"] = x, np.arange(len(x)) % CLASSES
            final = folder / "run" / "final.h5"
            words = ["--from", (directory / file).resolve(), "--y", "y", "--validation-split", 0]
            ours = real_keras.train_and_predict(lockstep, folder, words, "x", final)
            theirs = keras.saving.load_model(final).predict(x, verbose=0)
        difference = np.abs(ours - theirs).max()
        failed += not difference < 1e-5
        print(f"{file}: largest difference {difference:.1e}")
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    find_keras_hub()
    if sys.argv[1] == "write":
        write(pathlib.Path(sys.argv[2]), *sys.argv[3:])
    else:
        sys.exit(check(pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])))
