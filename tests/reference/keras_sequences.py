#!/usr/bin/env python3
"""The cases of keras_layers.py for layers of sequences.

    keras_sequences.py DIR [CLASS ...]

Needs keras_hub, too; 0.32 wrote tests/reference/layers.
"""
import numpy as np

import keras_layers
from keras_layers import case


def ids(most):
    """Some often, some never."""
    def inputs(random, shapes):
        return [random.integers(0, most, size=shape).astype(np.int32) // 2 for shape in shapes]
    return inputs


def small(random, shape):
    """Of weights: what attention makes of larger ones is known to fewer digits."""
    return np.round(0.4 * random.normal(size=shape), 3)


def embedding():
    for keras in (2, 3):
        yield case("sentence", keras, "Embedding", {"input_dim": 7, "output_dim": 3}, (4,), rows=5, inputs=ids(7),
                   whole=True)
        yield case("image", keras, "Embedding", {"input_dim": 3, "output_dim": 1}, (2, 3), inputs=ids(5))
        yield case("frozen", keras, "Embedding", {"input_dim": 3, "output_dim": 2, "trainable": False}, (2,),
                   inputs=ids(5))


def position_embedding():
    yield case("all", 3, "PositionEmbedding", {"sequence_length": 4}, (4, 3), whole=True)
    yield case("first", 3, "PositionEmbedding", {"sequence_length": 7, "initializer": "zeros"}, (3, 5), rows=4)


def sine_position_encoding():
    yield case("even", 3, "SinePositionEncoding", {}, (50, 6), rows=2, whole=True)
    yield case("odd", 3, "SinePositionEncoding", {"max_wavelength": 100}, (5, 3), rows=2)


def token_and_position_embedding():
    sizes = {"vocabulary_size": 7, "sequence_length": 5, "embedding_dim": 3}
    yield case("all", 3, "TokenAndPositionEmbedding", sizes, (5,), rows=4, inputs=ids(7), whole=True)
    yield case("first", 3, "TokenAndPositionEmbedding", sizes, (2,), rows=3, inputs=ids(7))


def multi_head_attention():
    for keras in (2, 3):
        def one(name, config, *shapes, causal=False, **options):
            def call(layer, x, training):
                return layer(*x, use_causal_mask=causal, training=training)
            given = config
            if keras == 2:  # which cannot do without
                names = ("query_shape", "value_shape", "key_shape")
                of_inputs = [(None, *shape) for shape in (*shapes, shapes[1])]
                given = {**config, **dict(zip(names, of_inputs))}
            made = case(name, keras, "MultiHeadAttention", given, *shapes, call=call, draw=small, **options)
            # The keys' bias adds one number to all scores of a query.
            bias = {} if config.get("use_bias") is False else {"zero_gradients": [3]}
            return {**made, **bias, **({"use_causal_mask": True} if causal else {})}
        yield one("two_inputs", {"num_heads": 2, "key_dim": 3}, (4, 5), (3, 6), whole=keras == 3)
        yield one("three_inputs", {"num_heads": 3, "key_dim": 2, "value_dim": 4}, (2, 4), (5, 3), (5, 7))
        yield one("causal", {"num_heads": 2, "key_dim": 4}, (5, 6), (5, 6), causal=True)
        yield one("causal_across", {"num_heads": 1, "key_dim": 2, "use_bias": False}, (3, 3), (5, 3), causal=True)
        yield one("no_bias", {"num_heads": 1, "key_dim": 5, "use_bias": False}, (17, 3), (19, 3), rows=2)
        yield one("one_position", {"num_heads": 2, "key_dim": 1}, (1, 2), (1, 3), rows=1)


def on_list(causal):
    def call(layer, x, training):
        return layer(list(x), use_causal_mask=causal, training=training)
    return call


def attention():
    for keras in (2, 3):
        def one(name, config, *shapes, causal=False, **options):
            made = case(name, keras, "Attention", config, *shapes, call=on_list(causal), draw=small, **options)
            return {**made, **({"use_causal_mask": True} if causal else {})}
        yield one("two_inputs", {}, (4, 5), (3, 5), whole=True)
        yield one("three_inputs", {"use_scale": True}, (2, 4), (5, 3), (5, 4))
        yield one("causal", {"use_scale": True}, (5, 3), (5, 3), causal=True)
        yield one("concat", {"score_mode": "concat"}, (3, 4), (5, 2), (5, 4))
        yield one("concat_scale", {"score_mode": "concat", "use_scale": True}, (4, 3), (3, 3), causal=True)
        yield one("one_position", {"score_mode": "concat", "use_scale": True}, (1, 2), (1, 2), rows=1)


def additive_attention():
    for keras in (2, 3):
        def one(name, config, *shapes, causal=False, **options):
            made = case(name, keras, "AdditiveAttention", config, *shapes, call=on_list(causal), draw=small, **options)
            return {**made, **({"use_causal_mask": True} if causal else {})}
        yield one("two_inputs", {}, (4, 5), (3, 5), whole=True)
        # Keras 2 takes the scale's size from the value.
        yield one("three_inputs", {}, (2, 4), (5, 4 if keras == 2 else 3), (5, 4))
        yield one("no_scale", {"use_scale": False}, (3, 4), (5, 4))
        yield one("causal", {}, (4, 17), (4, 17), rows=2, causal=True)


def group_query_attention():
    def one(name, config, *shapes, causal=False, zero=(3,), **options):
        def call(layer, x, training):
            return layer(*x, use_causal_mask=causal, training=training)
        made = case(name, 3, "GroupQueryAttention", config, *shapes, call=call, draw=small, **options)
        return {**made, "zero_gradients": list(zero), **({"use_causal_mask": True} if causal else {})}
    sizes = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    yield one("two_inputs", sizes, (4, 5), (3, 6), whole=True)
    yield one("three_inputs", {**sizes, "num_key_value_heads": 1}, (2, 4), (5, 3), (5, 7))
    yield one("causal_gate", {**sizes, "use_gate": True}, (5, 6), (5, 6), causal=True)
    yield one("as_many", {**sizes, "num_query_heads": 2, "use_bias": False}, (3, 3), (5, 3), zero=())


def transformer(class_name):
    def cases():
        def one(name, config, *shapes, causal=None, **options):
            def call(layer, x, training):
                arguments = {} if causal is None else {"use_causal_mask": causal}
                return layer(x[0], training=training, **arguments)
            made = case(name, 3, class_name, {"intermediate_dim": 7, "num_heads": 2, **config}, *shapes, call=call,
                        draw=small, **options)
            return {**made, "zero_gradients": [3], **({} if causal is None else {"use_causal_mask": causal})}
        yield one("behind", {}, (5, 6), whole=True)
        yield one("first", {"normalize_first": True, "activation": "gelu", "layer_norm_epsilon": 0.01}, (4, 6))
        yield one("uneven", {}, (3, 5), rows=2)
        if class_name == "TransformerDecoder":
            yield one("not_causal", {}, (4, 4), causal=False)
    return cases


def find_keras_hub():
    """Puts KerasHub's layers beside Keras's own."""
    import importlib
    import keras
    for module in ("position_embedding", "sine_position_encoding", "token_and_position_embedding",
                   "transformer_encoder", "transformer_decoder"):
        found = importlib.import_module("keras_hub.src.layers.modeling." + module)
        class_name = "".join(word.capitalize() for word in module.split("_"))
        setattr(keras.layers, class_name, getattr(found, class_name))


CASES = {
    "AdditiveAttention": additive_attention,
    "Attention": attention,
    "GroupQueryAttention": group_query_attention,
    "Embedding": embedding,
    "MultiHeadAttention": multi_head_attention,
    "PositionEmbedding": position_embedding,
    "SinePositionEncoding": sine_position_encoding,
    "TokenAndPositionEmbedding": token_and_position_embedding,
    "TransformerDecoder": transformer("TransformerDecoder"),
    "TransformerEncoder": transformer("TransformerEncoder"),
}

if __name__ == "__main__":
    find_keras_hub()
    keras_layers.main(CASES)
