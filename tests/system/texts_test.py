"""Texts: import, training, prediction by the vocabulary in the model's file, and text from a language model."""
import csv
import gzip
import itertools
import json

import h5py
import numpy as np

from support import BAD_DATA, USAGE, SystemTest, main

GOOD, BAD = ("good", "fine", "great"), ("bad", "poor", "awful")


def reviews():
    """Sentences whose class is that of their last word."""
    return [(f"The {thing}, {filler}: is {word}!", "pos" if word in GOOD else "neg")
            for thing, filler, word in itertools.product(("film", "play", "book"), ("so", "oh", "well"), GOOD + BAD)]


class TextTest(SystemTest):
    def write_table(self, name, rows, header=("text", "label")):
        with open(self.dir / name, "w", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    def fails(self, code, ranks, *words, message):
        result = self.run_lockstep(ranks, *words)
        self.assertEqual(result.code, code, result)
        self.assertEqual(len(result.errors), 1, result)
        self.assertRegex(result.errors[0], message)

    def fit(self, data, layers, epochs, *options, ranks=1, run_dir="run"):
        self.done(ranks, "train", "--data", data, "--layers", layers, "--loss", "sparse_categorical_crossentropy",
                  "--metrics", "accuracy", "--epochs", epochs, "--verbose", "0", "--run-dir", run_dir, *options)

    def rows_of(self, path):
        with open(self.dir / path, newline="") as file:
            return list(csv.DictReader(file))


class Classification(TextTest):
    LAYERS = "Embedding(20, 8), GlobalAveragePooling1D(), Dense(2, softmax)"

    def model(self):
        self.write_table("t.csv", reviews())
        output = self.done(1, "import", "text", "t.csv", "--label", "label", "--test-split", "0.2", "--out", "t.h5").stdout
        self.assertRegex(output, r"words in lower case: \d+ numbers \(0 padding, 1 unknown, 2 'the'")
        self.fit("t.h5", self.LAYERS, 60, "--learning-rate", "0.05")

    def test_predicts_new_texts_by_the_models_vocabulary(self):
        self.model()
        new = [("A great, great film", "pos"), ("awful - the awful play", "neg")]
        (self.dir / "new.txt").write_text("".join(f"{text}\n\n" for text, _ in new))
        result = self.done(2, "predict", "run/final.h5", "--data", "new.txt", "--out", "p.csv")
        self.assertIn("1 of 8 words are not in the network's vocabulary", result.stderr)
        rows = self.rows_of("p.csv")
        self.assertEqual([(row["line"], row["label"]) for row in rows], [("1", "pos"), ("3", "neg")])
        self.assertAlmostEqual(float(rows[0]["probability_pos"]) + float(rows[0]["probability_neg"]), 1, places=5)
        # The same texts as a table, with other columns beside them, gzipped.
        with gzip.open(self.dir / "new.csv.gz", "wt", newline="") as file:
            csv.writer(file).writerows([("n", "text"), *((i, text) for i, (text, _) in enumerate(new))])
        self.done(1, "predict", "run/final.h5", "--table", "new.csv.gz", "--out", "q.csv")
        self.assertEqual([row["label"] for row in self.rows_of("q.csv")], ["pos", "neg"])
        evaluated = self.done(2, "evaluate", "run/final.h5", "--data", "t.h5").stdout
        self.assertRegex(evaluated, r"accuracy:? +(1\.0|0\.[89])")

    def test_keeps_the_vocabulary_in_dataset_checkpoint_and_model(self):
        self.model()
        with h5py.File(self.dir / "t.h5") as file:
            mapping = file.attrs["lockstep_table_mapping"]
        self.assertEqual(json.loads(mapping)["vocabulary"][0], "the")
        checkpoints = sorted((self.dir / "run" / "checkpoints").glob("*.h5"))
        self.assertTrue(checkpoints)
        for path in [self.dir / "run" / "final.h5", *checkpoints]:
            with h5py.File(path) as file:
                self.assertEqual(file["lockstep"].attrs["table_mapping"], mapping)
        self.assertEqual(self.inspect(self.dir / "t.h5")["mapping"]["tokens"], "words")
        for path in ("t.h5", "run/final.h5"):
            self.assertRegex(self.done(1, "inspect", path).stdout, r"rows +made of words in lower case.*'the'")

    def test_refuses_what_it_cannot_use(self):
        self.write_table("t.csv", reviews())
        (self.dir / "latin1.txt").write_bytes("gut\nsch\xf6n\n".encode("latin1"))
        (self.dir / "a.txt").write_text("x\n")
        for words, code, message in (
                (["t.csv"], USAGE, "expected one of --label COLUMN"),
                (["t.csv", "--label", "label", "--next"], USAGE, "got several"),
                (["--label", "label"], USAGE, "expected FILE"),
                (["t.csv", "--label", "none"], BAD_DATA, "'none'"),
                (["t.csv", "--label", "label", "--tokens", "letters"], USAGE, "expected words or characters, got 'letters'"),
                (["t.csv", "--label", "label", "--vocabulary-size", "2"], USAGE, "from 3"),
                (["t.csv", "--label", "label", "--length", "0"], USAGE, "--length"),
                (["t.csv", "--label", "label", "--padding", "left"], USAGE, "expected pre or post, got 'left'"),
                (["t.csv", "--label", "label", "--step", "2"], USAGE, "only with --next"),
                (["t.csv", "--label", "label", "--tokens", "characters", "--filter", "x"], USAGE, "--tokens words"),
                (["a.txt", "--label-by-file"], USAGE, "at least two files"),
                (["a.txt", "latin1.txt", "--label-by-file"], BAD_DATA, r"latin1.txt, line 2, byte 4"),
                (["a.txt", "--next"], USAGE, "--length N"),
                (["a.txt", "--next", "--length", "5"], BAD_DATA, "at least 6 characters"),
                (["a.txt", "--next", "--length", "5", "--test-split", "0.1"], USAGE, "--test-split-last")):
            with self.subTest(words=words):
                self.fails(code, 1, "import", "text", *words, "--out", "o.h5", message=message)
        self.assertFalse((self.dir / "o.h5").exists())


class LanguageModel(TextTest):
    TEXT = "the cat sat on the mat. the dog sat on the log. " * 12
    LAYERS = ("TokenAndPositionEmbedding(20, 16, 16), TransformerDecoder(32, 2, normalize_first=True), "
              "LayerNormalization(), Dense({}, {})")

    def model(self, *options, numbers=16, last="softmax", **arguments):
        (self.dir / "t.txt").write_text(self.TEXT)
        self.done(1, "import", "text", "t.txt", "--next", "--length", "16", "--step", "4", "--test-split-last", "0.2",
                  "--out", "t.h5", "--overwrite", *options)
        self.fit("t.h5", self.LAYERS.format(numbers, last), 8, "--learning-rate", "0.01", "--batch-size", "16",
                   **arguments)

    def generate(self, *options, prompt="the cat", length=40, ranks=1):
        return self.done(ranks, "generate", "run/final.h5", "--length", length, "--prompt", prompt, *options).stdout

    def test_writes_like_its_text_and_the_same_on_every_run(self):
        self.model()
        with h5py.File(self.dir / "t.h5") as file:
            np.testing.assert_array_equal(file["x_train"][:, 1:], file["y_train"][:, :-1])
            self.assertEqual(int(max(file["y_train"][:].max(), file["y_test"][:].max())), 15)
        text = self.generate("--temperature", "0")
        self.assertTrue(text.startswith("the cat sat on the "), text)
        self.assertEqual(len(text), len("the cat") + 40 + 1)
        drawn = self.generate("--seed", "1")
        self.assertEqual(drawn, self.generate("--seed", "1"))
        self.assertEqual(drawn, self.generate("--seed", "1", ranks=2))
        self.assertNotEqual(self.generate("--seed", "1", "--temperature", "3"), drawn)
        self.assertEqual(self.generate("--top-k", "1", "--temperature", "5"), text)

    def test_has_the_same_bits_on_any_number_of_ranks(self):
        self.model(run_dir="one")
        self.model(run_dir="three", ranks=3)
        one, three = (self.inspect(self.dir / run / "final.h5")["weights_sha256"] for run in ("one", "three"))
        self.assertEqual(one, three)
        losses = [self.done(ranks, "evaluate", "one/final.h5", "--data", "t.h5").stdout for ranks in (1, 2)]
        self.assertEqual(losses[0], losses[1])
        self.done(2, "predict", "one/final.h5", "--data", "t.h5", "--out", "p.npy")
        with h5py.File(self.dir / "t.h5") as file:
            y = file["y_test"][:]
        p = np.load(self.dir / "p.npy")
        self.assertEqual(p.shape, (*y.shape, 16))
        loss = -np.log(np.take_along_axis(p, y[..., None].astype(int), 2)).mean()
        self.assertIn(f"{loss:.4f}"[:5], losses[0])
        self.assertIn(f"{(p.argmax(2) == y).mean():.4f}"[:5], losses[0])

    def test_draws_words_with_blanks_between_them(self):
        self.model("--tokens", "words", numbers=9)
        text = self.generate("--temperature", "0", length=4, prompt="The CAT")
        self.assertEqual(text.split()[:4], ["the", "cat", "sat", "on"])

    def test_refuses_models_and_prompts_that_do_not_fit(self):
        self.model()
        refuse = lambda code, message, *words: self.fails(code, 1, "generate", *words, message=message)
        for code, message, prompt in ((USAGE, r"expected characters .* got 'Z' \(character 3\)", "a Z"),
                                      (USAGE, "at least one character", "")):
            refuse(code, message, "run/final.h5", "--prompt", prompt)
        for option, value in (("--temperature", "-1"), ("--temperature", "nan"), ("--top-k", "0"), ("--length", "0")):
            refuse(USAGE, option, "run/final.h5", "--prompt", "a", option, value)
        refuse(USAGE, "--prompt", "run/final.h5")
        refuse(BAD_DATA, "expected a causal language model", self.not_causal(), "--prompt", "the")
        refuse(BAD_DATA, r"output is .*\(16, 16\).* got \(16\)", self.last_only(), "--prompt", "the")
        self.fails(BAD_DATA, 1, "generate", self.without_vocabulary(), "--prompt", "the", message="got a network without")
        self.fails(BAD_DATA, 1, "predict", "run/final.h5", "--data", "t.txt", "--out", "p.csv", message="lockstep generate")

    def without_vocabulary(self):
        with h5py.File(self.dir / "t.h5") as file, h5py.File(self.dir / "bare.h5", "w") as bare:
            for name in ("x_train", "y_train"):
                bare[name] = file[name][:]
        self.fit("bare.h5", "Embedding(20, 8), Dense(16, softmax)", 1, run_dir="bare")
        return "bare/final.h5"

    def not_causal(self):
        self.fit("t.h5", "TokenAndPositionEmbedding(20, 16, 8), TransformerEncoder(16, 2), Dense(16, softmax)", 1,
                   run_dir="encoder")
        return "encoder/final.h5"

    def last_only(self):
        with h5py.File(self.dir / "t.h5", "r+") as file:
            file["y_last"] = file["y_train"][:, -1]
        self.fit("t.h5", "Embedding(20, 8), LSTM(8), Dense(16, softmax)", 1, "--y", "y_last", "--x-test", "", "--y-test", "",
                   run_dir="last")
        return "last/final.h5"


if __name__ == "__main__":
    main()
