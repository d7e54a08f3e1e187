"""The other commands: evaluate, predict, inspect, import, doctor, and help."""
import gzip
import json
import struct

import h5py
import numpy as np

from support import BAD_DATA, CANNOT_CREATE, MISSING, REFERENCE_FILES, USAGE, SystemTest, clusters, main, \
    write_clusters, write_file

OPTIONS = {
    "train": "data x y x-val y-val x-test y-test model layers from loss metrics optimizer learning-rate epochs "
             "batch-size batch-size-per-rank validation-split validation-freq shuffle no-shuffle steps-per-epoch seed "
             "early-stopping patience min-delta restore-best-weights save-best tensorboard tensorboard-histograms run-dir overwrite resume "
             "checkpoint-every keep threads bucket-mib check-replicas-every summary dry-run verbose",
    "evaluate": "data x-test y-test batch-size loss metrics json threads trust-data transpose",
    "predict": "data x table unknown separator decimal out overwrite batch-size threads trust-data transpose",
    "generate": "prompt length temperature top-k seed",
    "import": "out overwrite x-train y-train x-test y-test train label test test-split test-split-last validation-split "
              "header separator decimal id drop classes categorical ordinal date missing missing-mark unknown rows test-rows "
              "seed transpose trust-data window horizon step group past-labels text label-by-file next tokens "
              "vocabulary-size lower-case filter length padding truncating kind",
    "convert": "model layers out overwrite",
    "migrate": "out data overwrite",
    "inspect": "json",
    "doctor": "threads",
}


class Help(SystemTest):
    def test_names_every_option(self):
        for command, options in OPTIONS.items():
            output = self.done(1, command, "--help").stdout
            self.assertTrue(output.startswith(f"Usage: lockstep {command}"), output)
            for option in options.split():
                self.assertRegex(output, rf"--{option}\b")

    def test_names_every_command(self):
        output = self.done(1, "--help").stdout
        for command in OPTIONS:
            self.assertIn(f"\n  {command} ", output)

    def test_is_printed_once_by_several_ranks(self):
        for words in (["--help"], ["train", "--help"], ["inspect", "--help"]):
            self.assertEqual(self.done(3, *words).stdout, self.done(1, *words).stdout)

    def test_version(self):
        self.assertRegex(self.done(1, "--version").stdout, r"^lockstep \d+\.\d+\.\d+ \(.*MPI")


class TrainedTest(SystemTest):
    """With a trained network in run/final.h5."""

    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")
        self.train(1, "d.h5", "--epochs", 3)


class Evaluate(TrainedTest):
    def evaluate(self, ranks, *options):
        return json.loads(self.done(ranks, "evaluate", "run/final.h5", "--data", "d.h5", "--json", *options).stdout)

    def test_on_any_number_of_ranks(self):
        one = self.evaluate(1)
        self.assertEqual(set(one), {"loss", "accuracy", "rows"})
        self.assertEqual(one["rows"], 12)
        for ranks, batch in ((3, 32), (2, 5)):
            many = self.evaluate(ranks, "--batch-size", batch)
            self.assertEqual(many["accuracy"], one["accuracy"])
            self.assertLess(abs(many["loss"] / one["loss"] - 1), 1e-6)

    def test_for_people(self):
        output = self.done(2, "evaluate", "run/final.h5", "--data", "d.h5").stdout
        self.assertRegex(output, r"^loss: \S+ - accuracy: \S+ - 12 rows\n$")

    def test_other_rows_and_metrics(self):
        result = self.evaluate(1, "--x-test", "x_train", "--y-test", "y_train", "--metrics",
                               "sparse_top_k_categorical_accuracy")
        self.assertEqual(result["rows"], 60)
        self.assertIn("sparse_top_k_categorical_accuracy", result)

    def test_refuses(self):
        evaluate = lambda *words: ("evaluate", *words, "--data", "d.h5")
        self.refused(MISSING, ["none.h5"], *evaluate("none.h5"))
        self.refused(BAD_DATA, ["d.h5"], *evaluate("d.h5"), ranks=(3,))
        self.refused(USAGE, ["MODEL.h5"], *evaluate(), ranks=(1,))
        self.refused(USAGE, ["--data"], "evaluate", "run/final.h5", ranks=(1,))
        self.refused(BAD_DATA, ["x_none"], *evaluate("run/final.h5"), "--x-test", "x_none", ranks=(3,))
        damaged = self.dir / "damaged.h5"
        damaged.write_bytes((self.dir / "run" / "final.h5").read_bytes()[:3000])
        self.refused(BAD_DATA, ["damaged.h5"], *evaluate("damaged.h5"), ranks=(3,))


class Predict(TrainedTest):
    def predict(self, ranks, out, *options):
        self.done(ranks, "predict", "run/final.h5", "--data", "d.h5", "--out", out, *options)
        with h5py.File(self.dir / out) as file:
            self.assertEqual(file["predictions"].dtype, np.float32)
            return file["predictions"][:]

    def test_on_any_number_of_ranks(self):
        one = self.predict(1, "p1.h5", "--x", "x_train")
        self.assertEqual(one.shape, (60, 3))
        np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(self.predict(3, "p3.h5", "--x", "x_train", "--batch-size", "7"), one, atol=1e-6)

    def test_agrees_with_evaluate(self):
        predicted = self.predict(2, "p.h5").argmax(axis=1)
        with h5py.File(self.dir / "d.h5") as file:
            accuracy = np.mean(predicted == file["y_test"][:])
        output = self.done(1, "evaluate", "run/final.h5", "--data", "d.h5", "--json").stdout
        self.assertAlmostEqual(json.loads(output)["accuracy"], accuracy)

    def test_refuses(self):
        predict = lambda *words: ("predict", "run/final.h5", "--data", "d.h5", *words)
        self.refused(USAGE, ["--out"], *predict(), ranks=(1,))
        self.refused(CANNOT_CREATE, ["d.h5", "--overwrite"], *predict("--out", "d.h5"), ranks=(1, 3))
        self.refused(CANNOT_CREATE, ["directory"], *predict("--out", "run"), ranks=(1,))
        x, _ = clusters(12, features=5)
        write_file(self.dir / "narrow.h5", x_test=x)
        self.refused(BAD_DATA, ["(8)", "(5)"], "predict", "run/final.h5", "--data", "narrow.h5", "--out", "p.h5",
                     ranks=(3,))
        self.assertFalse((self.dir / "p.h5").exists())


class Inspect(TrainedTest):
    def test_dataset(self):
        report = self.inspect("d.h5")
        self.assertEqual(report["kind"], "dataset")
        self.assertIn("x_train", self.done(1, "inspect", "d.h5").stdout)

    def test_model_and_checkpoint(self):
        for path in ("run/final.h5", "run/checkpoints/ckpt-6.h5"):
            report = self.inspect(path)
            self.assertEqual(report["kind"], "checkpoint")
            self.assertTrue(report["trailer_matches"])
            self.assertEqual(report["iterations"], 6)
            self.assertEqual(report["parameters"], 8 * 8 + 8 + 8 * 3 + 3)
        self.assertIn("dense_1", self.done(3, "inspect", "run/final.h5").stdout)

    def test_refuses(self):
        self.refused(MISSING, ["none.h5"], "inspect", "none.h5")
        self.refused(USAGE, ["FILE.h5"], "inspect", ranks=(1,))
        (self.dir / "text.h5").write_text("no")
        self.refused(BAD_DATA, ["text.h5"], "inspect", "text.h5", ranks=(1,))


class Import(SystemTest):
    def check_trains(self, rows, test_rows=0):
        with h5py.File(self.dir / "out.h5") as file:
            self.assertEqual(file["x_train"].shape[0], rows)
            self.assertEqual(file["x_test"].shape[0] if "x_test" in file else 0, test_rows)
        self.train(1, "out.h5", layers="Flatten(), Dense(10, softmax)")

    def test_csv(self):
        x, y = clusters(20)
        lines = [",".join([f"f{i}" for i in range(8)] + ["kind"])]
        lines += [",".join(map(str, row)) + "," + ["ash", "elm", "oak"][label] for row, label in zip(x, y)]
        (self.dir / "t.csv").write_text("\n".join(lines) + "\n")
        self.done(1, "import", "csv", "--train", "t.csv", "--label", "kind", "--test-split", "0.2", "--out", "out.h5")
        self.check_trains(16, 4)

    def test_npy(self):
        x, y = clusters(20)
        np.save(self.dir / "x.npy", x)
        np.save(self.dir / "y.npy", y)
        self.done(1, "import", "npy", "--x-train", "x.npy", "--y-train", "y.npy", "--out", "out.h5")
        self.check_trains(20)

    def test_idx(self):
        images = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
        for part in ("train", "t10k"):
            (self.dir / f"{part}-images-idx3-ubyte").write_bytes(
                struct.pack(">IIII", 0x803, 6, 4, 5) + images.tobytes())
            (self.dir / f"{part}-labels-idx1-ubyte.gz").write_bytes(
                gzip.compress(struct.pack(">II", 0x801, 6) + bytes(range(6))))
        self.done(1, "import", "idx", ".", "--out", "out.h5")
        with h5py.File(self.dir / "out.h5") as file:
            np.testing.assert_array_equal(file["x_train"][:], images)
        self.check_trains(6, 6)

    def test_synthetic_repeats_itself(self):
        for name in ("out.h5", "again.h5"):
            self.done(2, "import", "synthetic", "--rows", "40", "--test-rows", "10", "--seed", "4", "--out", name)
        with h5py.File(self.dir / "out.h5") as one, h5py.File(self.dir / "again.h5") as two:
            np.testing.assert_array_equal(one["x_train"][:], two["x_train"][:])
        self.check_trains(40, 10)

    def test_refuses(self):
        write_clusters(self.dir / "d.h5")
        out = ("--out", "d.h5")
        self.refused(USAGE, ["idx, csv, text, npy, npz, hdf5 or synthetic"], "import", ranks=(1, 3))
        self.refused(USAGE, ["idx, csv, text, npy, npz, hdf5 or synthetic", "parquet"], "import", "parquet", ranks=(1,))
        self.refused(USAGE, ["--out"], "import", "synthetic", ranks=(1,))
        self.refused(CANNOT_CREATE, ["d.h5"], "import", "synthetic", "--rows", "10", *out, ranks=(1,))
        self.refused(MISSING, ["none.csv"], "import", "csv", "--train", "none.csv", "--label", "-1", "--out", "o.h5")
        (self.dir / "bad.csv").write_text("1,2,0\n3,x,1\n")
        self.refused(BAD_DATA, ["bad.csv", "line 2"], "import", "csv", "--train", "bad.csv", "--label", "-1", "--out",
                     "o.h5", ranks=(1,))
        self.assertFalse((self.dir / "o.h5").exists())


class Doctor(SystemTest):
    def test_reports(self):
        result = self.run_lockstep(2, "doctor")
        self.assertIn(result.code, (0, 78), result)
        self.assertRegex(result.stdout, r"(?m)^\d+ ok, \d+ WARN, \d+ FAIL$")
        for item in ("BLAS", "MPI", "HDF5", "memory"):
            self.assertIn(item, result.stdout)

    def test_refuses(self):
        self.refused(USAGE, ["--threads", "0"], "doctor", "--threads", "0")


class FilesOfKeras(SystemTest):
    def test_evaluate_and_predict_as_keras_does(self):
        expected = json.loads((REFERENCE_FILES / "expected.json").read_text())
        rows = REFERENCE_FILES / "rows.h5"
        for name, ranks in (("keras2", 1), ("keras3", 1), ("keras2", 3)):
            with self.subTest(file=name, ranks=ranks):
                model = REFERENCE_FILES / f"{name}.h5"
                output = self.done(ranks, "evaluate", model, "--data", rows, "--json").stdout
                evaluation = json.loads(output)
                self.assertLess(abs(evaluation["loss"] / expected[name]["loss"] - 1), 1e-5)
                self.assertAlmostEqual(evaluation["accuracy"], expected[name]["accuracy"], places=6)
                self.done(ranks, "predict", model, "--data", rows, "--out", "p.h5", "--overwrite")
                with h5py.File(self.dir / "p.h5") as file:
                    np.testing.assert_allclose(file["predictions"][:4], expected[name]["predictions"], atol=1e-5)


if __name__ == "__main__":
    main()
