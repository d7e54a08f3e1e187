#!/usr/bin/env python3
"""The cases of keras_layers.py for layers behind masks.

    keras_masks.py DIR [FILE ...]

Needs keras_hub, too; 0.32 wrote tests/reference/layers.
"""
import numpy as np

import keras_layers
from keras_layers import case, numbers
from keras_recurrent import wrapped
from keras_sequences import find_keras_hub, on_list, small


def mask(*rows):
    """Of strings: "110" """
    return np.array([[int(position) for position in row] for row in rows])


# Right, left and middle positions masked, none and all.
FIVE = mask("11100", "00111", "10101", "11111", "00000")
OTHERS = mask("01110", "11111", "00000", "11000", "00001")


def recurrent():
    for keras in (2, 3):
        for class_name in ("SimpleRNN", "LSTM", "GRU"):
            def one(name, config, shape=(5, 2), masks=FIVE, **more):
                return case(f"{class_name}_{name}", keras, class_name, {"units": 2, **config}, shape, masks=[masks],
                            rows=len(masks), **more)
            yield one("last", {})
            yield one("sequences", {"return_sequences": True})
            yield one("backwards", {"return_sequences": True, "go_backwards": True})
            yield one("zeros", {"return_sequences": True, "zero_output_for_mask": True}, masks=FIVE[:3])
            yield one("one_step", {}, (1, 2), mask("0", "1"))
            yield one("two_steps", {"go_backwards": True}, (2, 1), mask("01"))
        yield case("GRU_reset_before", keras, "GRU", {"units": 2, "reset_after": False, "return_sequences": True}, (5, 2),
                   masks=[FIVE], rows=5)


def bidirectional():
    for keras in (2, 3):
        for merge_mode in ("concat", "sum"):
            yield case(f"sequences_{merge_mode}", keras, "Bidirectional",
                       {"layer": wrapped("GRU", {"units": 2, "return_sequences": True}), "merge_mode": merge_mode}, (5, 2),
                       masks=[FIVE], rows=5)
        yield case("last", keras, "Bidirectional", {"layer": wrapped("LSTM", {"units": 2})}, (5, 2), masks=[FIVE], rows=5)


def attention():
    for keras in (2, 3):
        def one(name, config, *shapes, masks, causal=False, rows=5):
            def call(layer, x, training):
                return layer(*x, use_causal_mask=causal, training=training)
            given = {"num_heads": 2, "key_dim": 2, **config}
            if keras == 2:
                names = ("query_shape", "value_shape", "key_shape")
                given = {**given, **dict(zip(names, [(None, *shape) for shape in (*shapes, shapes[1])]))}
            made = case(name, keras, "MultiHeadAttention", given, *shapes, call=call, draw=small, masks=masks, rows=rows)
            return {**made, "zero_gradients": [3], **({"use_causal_mask": True} if causal else {})}
        yield one("of_values", {}, (2, 3), (5, 2), masks=[None, FIVE[:4]], rows=4)
        yield one("of_three", {}, (2, 3), (5, 2), (5, 4), masks=[None, FIVE[:2], OTHERS[:2]], rows=2)
        if keras == 2:  # whose gradients go through the scores of a query without a key
            continue
        yield one("both", {}, (5, 3), (5, 2), masks=[FIVE, OTHERS])
        yield one("causal", {}, (5, 3), (5, 3), masks=[FIVE, FIVE], causal=True)
        yield one("of_queries", {}, (5, 3), (3, 2), masks=[FIVE, None])
        yield one("without_a_key", {}, (2, 3), (5, 2), masks=[None, FIVE[3:]], rows=2)
    # Dropout takes another way through Keras 3, with other weights where there is no key.
    yield case("dropout", 3, "MultiHeadAttention", {"num_heads": 1, "key_dim": 2, "dropout": 0.5}, (5, 3), (5, 3),
               training=False, call=lambda layer, x, training: layer(*x, training=training), draw=small,
               masks=[FIVE[3:], FIVE[3:]], rows=2)


def dense_attention(class_name, config):
    def cases():
        for keras in (2, 3):
            def one(name, config, *shapes, masks, causal=False, rows=5):
                made = case(name, keras, class_name, config, *shapes, call=on_list(causal), draw=small, masks=masks,
                            rows=rows)
                return {**made, **({"use_causal_mask": True} if causal else {})}
            yield one("both", config, (5, 2), (5, 2), masks=[FIVE, OTHERS])
            yield one("causal", config, (5, 1), (5, 1), masks=[FIVE[1:], FIVE[1:]], causal=True, rows=4)
            if keras == 2:
                continue
            yield one("of_queries", config, (5, 1), (2, 1), masks=[FIVE[:2], None], causal=True, rows=2)
            if class_name == "AdditiveAttention":
                continue
            yield one("of_three", {}, (2, 2), (5, 1), (5, 2), masks=[None, FIVE, OTHERS])
            yield one("concat", {"score_mode": "concat"}, (2, 2), (5, 2), masks=[None, FIVE])
            yield one("one_position", {}, (1, 2), (1, 2), masks=[mask("1"), mask("0")], rows=1)
            yield one("two_positions", {}, (2, 2), (2, 2), masks=[mask("01"), mask("01")], rows=1)
            yield one("long", {}, (28, 1), (28, 1), masks=[None, mask("0" * 9 + "1" * 6 + "0" * 13)], rows=1)
    return cases


def group_query_attention():
    def one(name, config, *shapes, masks, causal=False, rows=5, training=True):
        def call(layer, x, training):
            return layer(*x, use_causal_mask=causal, training=training)
        made = case(name, 3, "GroupQueryAttention",
                    {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1, **config}, *shapes, call=call,
                    draw=small, masks=masks, rows=rows, training=training)
        return {**made, "zero_gradients": [3], **({"use_causal_mask": True} if causal else {})}
    yield one("both", {}, (5, 3), (5, 3), masks=[FIVE, OTHERS])
    yield one("causal_gate", {"use_gate": True}, (5, 2), (5, 2), masks=[FIVE, FIVE], causal=True)
    yield one("of_three", {}, (2, 3), (5, 3), (5, 2), masks=[None, FIVE[:2], OTHERS[:2]], rows=2)
    yield one("without_a_key", {}, (2, 3), (5, 3), masks=[None, FIVE[3:]], rows=2)
    yield one("dropout", {"dropout": 0.5}, (5, 3), (5, 3), masks=[FIVE[3:], FIVE[3:]], rows=2, training=False)


def conv_lstm():
    steps = mask("110", "011", "101", "000")
    for keras in (2, 3):
        def one(axes, name, config, masks=steps, shape=None, rows=4):
            return case(f"{axes}D_{name}", keras, f"ConvLSTM{axes}D", {"filters": 1, "kernel_size": 2, **config},
                        shape or (3, *(2, 2, 1)[:axes], 1), draw=small, masks=[masks], rows=rows)
        yield one(2, "backwards", {"padding": "same", "return_sequences": True, "go_backwards": True})
        yield one(1, "positions", {"padding": "same", "return_sequences": True},
                  np.stack([mask("11", "01", "10"), mask("00", "11", "00"), mask("00", "01", "01")]), rows=3)
        if keras == 3:
            yield one(1, "last", {"padding": "same"})
            yield one(1, "valid", {"return_sequences": True})
            yield one(3, "steps", {"kernel_size": 1, "return_sequences": True})
            yield one(1, "one_step", {}, mask("0", "1"), (1, 2, 1), 2)
            yield one(2, "positions", {"padding": "same", "go_backwards": True},
                      np.stack([[mask("11", "01"), mask("10", "11"), mask("11", "00")]]), rows=1)
            yield one(1, "zeros", {"padding": "same", "return_sequences": True, "zero_output_for_mask": True})
            yield one(1, "zeros_of_positions", {"padding": "same", "zero_output_for_mask": True},
                      np.stack([mask("11", "01", "10"), mask("00", "11", "01")]), rows=2)
            yield case("bidirectional", keras, "Bidirectional", {
                "layer": around("ConvLSTM1D", filters=1, kernel_size=2, padding="same", return_sequences=True)}, (3, 2, 1), draw=small, masks=[steps], rows=4)


def around(class_name, **config):
    return {"class_name": class_name, "config": {"name": config.pop("name", class_name.lower()), **config},
            "module": "keras.layers", "registered_name": None}


# Of three sentences each, one empty, all of their words.
WORDS = np.stack([mask("1100", "0000", "0111"), mask("1111", "1010", "0001")])


def time_distributed():
    for keras in (2, 3):
        def one(name, layer, shape, masks, **more):
            made = case(name, keras, "TimeDistributed", {"layer": layer}, shape, draw=small, masks=[masks],
                        rows=len(masks), **more)
            # Keras leaves the words' mask there, which fits no output of sentences.
            return {**made, "output_mask": numbers(masks.any(-1))} if name.startswith("last") else made

        def of_model(*layers):
            return {**around("Sequential", name="inner", layers=list(layers)), "module": "keras"}
        of_steps = FIVE[[0, 2, 4]]
        yield one("last_lstm", around("LSTM", units=1), (3, 4, 1), WORDS)
        yield one("last_model", of_model(around("Masking"), around("Dense", units=2), around("LSTM", units=1)), (3, 4, 1),
                  WORDS)
        if keras == 2:
            continue
        yield one("dense", around("Dense", units=2), (5, 3), of_steps)
        yield one("normalization", around("BatchNormalization"), (5, 2), of_steps, training=False)
        yield one("gru", around("GRU", units=1, return_sequences=True), (3, 4, 1), WORDS)
        yield one("last_average", around("GlobalAveragePooling1D"), (3, 4, 2), WORDS[:, [0, 2, 2]])
        yield one("words_dense", around("Dense", units=1), (3, 4, 1), WORDS)
        yield one("steps_model", of_model(around("Dense", units=2, activation="tanh"),
                                          around("Dense", units=1, name="last")), (5, 2), of_steps)


def long_sequences():
    # Of 28 and 200 steps, some of which count in the middle alone.
    for keras in (2, 3):
        for class_name in ("LSTM", "GRU"):
            for steps in ((28, 200) if keras == 3 else (28,)):
                some = mask("0" * (steps // 4) + "110" * (steps // 6) + "1" * (steps - steps // 4 - steps // 6 * 3))
                yield case(f"{class_name}_{steps}", keras, class_name, {"units": 1}, (steps, 1), draw=small, masks=[some],
                           rows=1)


def transformer():
    for class_name in ("TransformerEncoder", "TransformerDecoder"):
        for first in (False, True):
            made = case(f"{class_name}_{'first' if first else 'behind'}", 3, class_name,
                        {"intermediate_dim": 3, "num_heads": 2, "normalize_first": first}, (5, 4), masks=[FIVE], rows=5,
                        call=lambda layer, x, training: layer(x[0], training=training), draw=small)
            yield {**made, "zero_gradients": [3]}


def others():
    for keras in (2, 3):
        if keras == 3:  # Keras 2's, of some shapes, ignores the mask
            yield case("batch_normalization", keras, "BatchNormalization", {}, (5, 2), masks=[FIVE], rows=5)
            yield case("batch_normalization_inference", keras, "BatchNormalization", {}, (5, 2), masks=[FIVE], rows=5,
                       training=False)
        yield case("average", keras, "GlobalAveragePooling1D", {}, (5, 2), masks=[FIVE[:4]], rows=4)
        yield case("average_keepdims", keras, "GlobalAveragePooling1D", {"keepdims": True}, (5, 2), masks=[OTHERS[3:]],
                   rows=2)
        yield case("maximum", keras, "GlobalMaxPooling1D", {}, (5, 2), masks=[FIVE[:1]], rows=1)
        yield case("dense", keras, "Dense", {"units": 2}, (5, 2), masks=[FIVE[:2]], rows=2)
        yield case("layer_normalization", keras, "LayerNormalization", {}, (5, 3), masks=[FIVE[:1]], rows=1)


def merging():
    for class_name in ("Add", "Subtract", "Average", "Multiply", "Maximum", "Minimum", "Concatenate"):
        yield case(class_name + "_both", 3, class_name, {}, (5, 2), (5, 2), masks=[FIVE, OTHERS], rows=5)
        yield case(class_name + "_one", 3, class_name, {}, (5, 2), (5, 2), masks=[FIVE[:3], None], rows=3)
    for class_name in ("Multiply", "Maximum"):
        yield case(class_name + "_three", 3, class_name, {}, (5, 1), (5, 1), (5, 1), masks=[FIVE, OTHERS, FIVE[::-1]],
                   rows=5)
    yield case("Concatenate_positions", 3, "Concatenate", {"axis": 1}, (5, 2), (2, 2),
               masks=[FIVE[:3], mask("10", "01", "00")], rows=3)
    yield case("Concatenate_positions_one", 3, "Concatenate", {"axis": 1}, (5, 2), (2, 2), masks=[FIVE[:3], None], rows=3)


CASES = {"MaskedRecurrent": recurrent, "MaskedBidirectional": bidirectional, "MaskedAttention": attention,
         "MaskedDotAttention": dense_attention("Attention", {"use_scale": True}),
         "MaskedAdditiveAttention": dense_attention("AdditiveAttention", {}), "MaskedGroupQueryAttention": group_query_attention,
         "MaskedConvLSTM": conv_lstm, "MaskedTimeDistributed": time_distributed, "MaskedLongSequences": long_sequences,
         "MaskedTransformer": transformer, "MaskedOthers": others, "MaskedMerging": merging}

if __name__ == "__main__":
    find_keras_hub()
    keras_layers.main(CASES)
