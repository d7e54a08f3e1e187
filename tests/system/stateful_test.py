"""Networks whose layers are stateful: tests/reference/keras_stateful.py made the files."""
import json
import re

import h5py
import numpy as np

from support import BAD_DATA, REFERENCE_FILES, USAGE, SystemTest, history, history_without_clocks, main

FILES = REFERENCE_FILES.parent / "stateful"
ROWS = FILES / "rows.h5"
KERAS = {name: json.loads((FILES / f"{name}.json").read_text())["networks"] for name in ("keras2", "keras3")}
LAYERS = "LSTM(4, stateful=True, return_sequences=True), Bidirectional(GRU(3, stateful=True)), Dense(1)"
COMPILED = ["--optimizer", "sgd", "--learning-rate", "0.2", "--loss", "mse"]
IN_ORDER = ["--no-shuffle", "--batch-size", "6", "--grain", "2"]


class TrainedAsByKeras(SystemTest):
    def fit(self, ranks, file, *options):
        run_dir = f"{ranks}_{len(list(self.dir.iterdir()))}"
        output = self.done(ranks, "train", "--data", ROWS, "--from", FILES / file, "--run-dir", run_dir, "--epochs", 3,
                           *COMPILED, *IN_ORDER, *options).stdout
        found = re.search("test loss ([0-9.]+)", output)
        return history(self.dir / run_dir), self.inspect(f"{run_dir}/final.h5")["weights_sha256"], found and found[1]

    def assert_close(self, got, expected):
        np.testing.assert_allclose(np.array(got, float), expected, rtol=1e-5)

    def check(self, keras):
        for shape, expected in KERAS[keras].items():
            with self.subTest(network=shape):
                epochs, _, test = self.fit(3, expected["file"])
                self.assert_close([epoch["loss"] for epoch in epochs], expected["alone"])
                self.assertAlmostEqual(float(test), expected["test"], delta=1e-4)
                epochs, _, _ = self.fit(2, expected["file"], "--reset-states", "epoch")
                self.assert_close([epoch["loss"] for epoch in epochs], expected["reset"])
                validation = ["--x-val", "x_val", "--y-val", "y_val"]
                one, one_hash, _ = self.fit(1, expected["file"], *validation)
                self.assert_close([epoch["loss"] for epoch in one], expected["loss"])
                self.assert_close([epoch["val_loss"] for epoch in one], expected["val_loss"])
                for options in (["--sync", "allreduce"], ["--validate-on", "root"]):
                    three, three_hash, _ = self.fit(3, expected["file"], *validation, *options)
                    self.assertEqual([(epoch["loss"], epoch["val_loss"]) for epoch in three],
                                     [(epoch["loss"], epoch["val_loss"]) for epoch in one])
                    self.assertEqual(three_hash, one_hash)

    def test_of_keras_2(self):
        self.check("keras2")

    def test_of_keras_3(self):
        self.check("keras3")


class AppliedAsByKeras(SystemTest):
    def test_of_keras_2_and_3(self):
        for network in (network for networks in KERAS.values() for network in networks.values()):
            file = FILES / network["file"]
            with self.subTest(file=file.name):
                bits = set()
                for ranks in (1, 3):
                    output = self.done(ranks, "evaluate", file, "--data", ROWS, "--loss", "mse", "--json").stdout
                    np.testing.assert_allclose(json.loads(output)["loss"], network["loss_of_file"], rtol=1e-5)
                    self.done(ranks, "predict", file, "--data", ROWS, "--out", f"{ranks}.h5", "--overwrite")
                    with h5py.File(self.dir / f"{ranks}.h5") as predictions:
                        got = predictions["predictions"][:]
                    np.testing.assert_allclose(got.ravel(), network["predictions"], atol=1e-5)
                    bits.add((output, got.tobytes()))
                self.assertEqual(len(bits), 1)


class StatefulResume(SystemTest):
    def fit(self, ranks, epochs, run_dir, *options):
        return self.train(ranks, ROWS, *IN_ORDER, "--loss", "mse", "--x-val", "x_val", "--y-val", "y_val",
                          "--epochs", epochs, *options, run_dir=run_dir, layers=LAYERS)

    def check(self, *options):
        whole = self.fit(3, 4, "whole", *options)
        self.fit(3, 2, "parts", *options)
        parts = self.fit(1, 3, "parts", *options)
        parts = self.fit(2, 4, "parts", *options)
        self.assertEqual(history_without_clocks(whole), history_without_clocks(parts))
        name = next(path.name for path in whole.iterdir() if path.name.startswith("final."))
        here, there = (self.inspect(f"{run}/{name}")["weights_sha256"] for run in ("whole", "parts"))
        self.assertEqual(here, there)

    def test_on_another_number_of_ranks_equals_never_stopping(self):
        self.check()

    def test_amid_a_pass_equals_never_stopping(self):
        self.check("--steps-per-epoch", "3", "--save-format", "keras")


class StatefulRefusals(SystemTest):
    def refused_to_train(self, words, *options, layers=LAYERS):
        self.refused(USAGE, words, "train", "--data", ROWS, "--layers", layers, "--loss", "mse", *options)

    def test_of_rows_that_do_not_go_on(self):
        self.refused_to_train(["lstm", "no-shuffle", "got shuffle"], "--batch-size", "6")
        self.refused_to_train(["whole batches of 7 rows", "24 training rows", "3 are left over"],
                              "--no-shuffle", "--batch-size", "7")
        self.refused_to_train(["whole batches of 8 rows", "12 validation rows"], "--no-shuffle", "--batch-size", "8",
                              "--x-val", "x_val", "--y-val", "y_val")
        self.refused_to_train(["batches of 6 rows", "validation rows in batches of 3"], *IN_ORDER, "--x-val", "x_val",
                              "--y-val", "y_val", "--validation-batch-size", "3")
        self.refused_to_train(["whole batches of 12 rows", "18 test rows"], "--no-shuffle", "--batch-size", "12")
        self.assertFalse((self.dir / "run").exists())

    def test_of_another_batch_size(self):
        file = FILES / "keras2_lstm.h5"
        self.refused(USAGE, ["batches of 6 rows", "batches of 3"], "train", "--data", ROWS, "--from", file,
                     *COMPILED, "--no-shuffle", "--batch-size", "3")
        for command in (["evaluate", file, "--loss", "mse"], ["predict", file, "--out", "p.csv"]):
            self.refused(USAGE, ["batches of 6 rows", "batches of 9"], *command, "--data", ROWS, "--batch-size", "9")

    def test_of_what_is_not_stateful(self):
        self.refused_to_train(["stateful layer", "reset-states"], "--reset-states", "epoch", layers="LSTM(4), Dense(1)")

    def test_of_exports(self):
        for name in ("out.onnx", "out.pt.safetensors"):
            self.refused(BAD_DATA, ["lstm", "no stateful layer"], "export", FILES / "keras2_lstm.h5", "--out", name)


if __name__ == "__main__":
    main()
