"""Writes keras_texts.json: what Keras 2's Tokenizer and pad_sequences make of some texts.

    python3 tests/reference/keras_texts.py > tests/reference/keras_texts.json

tests/io/text/keras_texts_test.cpp reads it. Needs, from PyPI: tf_keras, tensorflow.
"""
import json

TEXTS = [
    "The cat sat on the mat.",
    "The dog -- the BIG dog! -- didn't sit; it ran_away\tand came back.",
    "Ärger über Öl: ÄRGER, Straße, ΑΒΓ αβγ, Привет ПРИВЕТ, naïve café",
    "",
    "one, two; two: three three three",
    "日本語 の テキスト 日本語",
]
NEW = ["the cat and the unicorn", "", "two dogs ran away and came back to the mat, the cat did not"]
CASES = [
    {"tokens": "words", "size": 0, "length": 6, "padding": "pre", "truncating": "pre"},
    {"tokens": "words", "size": 9, "length": 5, "padding": "post", "truncating": "pre"},
    {"tokens": "words", "size": 12, "length": 4, "padding": "pre", "truncating": "post"},
    {"tokens": "words", "size": 0, "length": 7, "padding": "post", "truncating": "post", "lower": False},
    {"tokens": "words", "size": 0, "length": 8, "padding": "pre", "truncating": "pre", "filter": ".,;\t"},
    {"tokens": "characters", "size": 0, "length": 20, "padding": "pre", "truncating": "pre"},
    {"tokens": "characters", "size": 15, "length": 9, "padding": "post", "truncating": "post", "lower": False},
]


def expected(case):
    from tf_keras.preprocessing.sequence import pad_sequences
    from tf_keras.preprocessing.text import Tokenizer
    options = {"filters": case["filter"]} if "filter" in case else {}
    tokenizer = Tokenizer(num_words=case["size"] or None, lower=case.get("lower", True), oov_token="[UNK]",
                          char_level=case["tokens"] == "characters", **options)
    tokenizer.fit_on_texts(TEXTS)
    known = [word for word, number in tokenizer.word_index.items()
             if number >= 2 and (not case["size"] or number < case["size"])]
    rows = pad_sequences(tokenizer.texts_to_sequences(TEXTS + NEW), maxlen=case["length"], padding=case["padding"],
                         truncating=case["truncating"])
    return {**case, "vocabulary": known, "rows": rows.tolist()}


if __name__ == "__main__":
    print(json.dumps({"texts": TEXTS, "new": NEW, "cases": [expected(case) for case in CASES]}, indent=1))
