"""Every optimizer from the command line, and in the files of real Keras, where a python3 in PATH (or
LOCKSTEP_KERAS_PYTHON) has it."""
import json
import pathlib
import subprocess

import h5py
import numpy as np

from support import SystemTest, USAGE, history, main, python_with, write_clusters

PROGRAM = pathlib.Path(__file__).with_name("keras_optimizers.py")
STEPS_BEFORE, STEPS_AFTER = 3, 6  # as there
OPTIONS = {
    "adamw": ["--weight-decay", "0.1"], "rmsprop": ["--momentum", "0.5", "--centered"], "adagrad": [],
    "adadelta": ["--learning-rate", "1", "--clipvalue", "0.1"], "adamax": ["--clipnorm", "0.5"],
    "nadam": ["--gradient-accumulation-steps", "3"], "lion": ["--learning-rate-schedule", "polynomial", "--decay-steps", "20"],
    "lamb": ["--learning-rate", "0.01", "--global-clipnorm", "0.5"], "lars": ["--trust-coefficient", "0.01"],
    "ftrl": ["--learning-rate", "0.1", "--learning-rate-power", "-0.7"],
    "sgd": ["--use-ema", "--ema-momentum", "0.8", "--ema-overwrite-frequency", "5", "--global-clipnorm", "1"],
}
# What Keras 2's legacy optimizers, which take the state of an .h5 file, compute as Keras 3 does.
KERAS_2 = {"adam": [], "sgd": ["--momentum", "0.9", "--clipvalue", "0.1"], "adadelta": ["--learning-rate", "1"],
           "adamax": [], "ftrl": ["--learning-rate", "0.1"], "rmsprop": ["--momentum", "0.5"]}


class EveryOptimizer(SystemTest):
    def test_gives_the_same_bits_on_any_number_of_ranks_and_after_a_pause(self):
        data = write_clusters(self.dir / "d.h5")
        for optimizer, options in OPTIONS.items():
            def train(ranks, run_dir, epochs, *others):
                final = self.train(ranks, data, "--optimizer", optimizer, *options, "--batch-size", 16, "--epochs",
                                   epochs, "--verbose", 0, *others, run_dir=f"{optimizer}_{run_dir}") / "final.h5"
                report = self.inspect(final)
                return report["weights_sha256"], report["optimizer_sha256"]

            with self.subTest(optimizer):
                alone = train(1, "alone", 3)
                train(2, "paused", 2)
                self.assertEqual(train(3, "paused", 3, "--sync", "allreduce"), alone)

    def test_is_refused_where_its_settings_do_not_go_together(self):
        data = write_clusters(self.dir / "d.h5")
        for words, options in [(["--clipnorm and --clipvalue, got both"], ["--clipnorm", "1", "--clipvalue", "1"]),
                               (["--ema-momentum", "--use-ema"], ["--ema-momentum", "0.5"]),
                               (["--rho", "adam"], ["--rho", "0.5"]),
                               (["--gradient-accumulation-steps"], ["--gradient-accumulation-steps", "0"])]:
            self.refused(USAGE, words, "train", "--data", data, "--layers", "Dense(3, softmax)", *options, ranks=(1,))

    def test_goes_on_from_a_checkpoint_of_the_same_settings_only(self):
        data = write_clusters(self.dir / "d.h5")
        self.train(1, data, "--optimizer", "adamw", "--epochs", 1)
        self.refused(73, ["weight-decay"], "train", "--data", data, "--layers", "Dense(8, relu), Dense(3, softmax)",
                     "--run-dir", "run", "--optimizer", "adamw", "--weight-decay", "0.5", "--epochs", 2, ranks=(1,))


class OptimizersInFilesOfKeras(SystemTest):
    def setUp(self):
        super().setUp()
        self.python = python_with("LOCKSTEP_KERAS_PYTHON", "keras")
        random = np.random.default_rng(1)
        self.x = random.normal(size=(24, 4)).astype(np.float32)
        with h5py.File(self.dir / "rows.h5", "w") as file:
            file["x"], file["y"] = self.x, np.argmax(self.x[:, :3], axis=1).astype(np.int32)

    def keras(self, *words):
        result = subprocess.run([self.python, PROGRAM, *map(str, words)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        return json.loads(result.stdout.splitlines()[-1])

    def has(self, library):
        return subprocess.run([self.python, "-c", f"import {library}"], capture_output=True).returncode == 0

    def train_steps(self, run_dir, steps, *words):
        """Epochs of one step: their losses are those of the steps, not means."""
        result = self.done(1, "train", "--data", "rows.h5", "--x", "x", "--y", "y", "--no-shuffle", "--batch-size", 8,
                           "--steps-per-epoch", 1, "--epochs", steps, "--run-dir", run_dir, "--verbose", 0, *words)
        self.assertNotIn("fresh", result.stdout + result.stderr)
        return np.array([float(epoch["loss"]) for epoch in history(self.dir / run_dir)])

    def assert_close(self, ours, theirs):
        self.assertLess(np.abs(ours / np.array(theirs) - 1).max(), 2e-5, (ours, theirs))

    def test_go_on_as_in_keras(self):
        for library in ("keras", "tf_keras"):
            if not self.has(library):
                continue
            for file, losses in self.keras("write", library, self.dir).items():
                with self.subTest(file):
                    self.assert_close(self.train_steps(f"{file}_run", STEPS_AFTER, "--from", file), losses)

    def test_that_are_ours_go_on_in_keras(self):
        """Archives: from no .h5 file, nor its own, does Keras 3 take an optimizer's slots."""
        ours = {}
        for optimizer, options in {**OPTIONS, "adam": []}.items():
            if optimizer == "lars":  # which Keras does not have
                continue
            self.train_steps(optimizer, STEPS_BEFORE, "--layers", "Dense(5, relu), Dense(3, softmax)", "--optimizer",
                             optimizer, *options, "--save-format", "keras")
            final = self.dir / optimizer / "final.keras"
            (self.dir / optimizer / "rows.h5").symlink_to(self.dir / "rows.h5")
            ours[str(final)] = self.train_steps(f"{optimizer}_on", STEPS_AFTER, "--from", final)
        for file, known in self.keras("read", "keras", *ours).items():
            with self.subTest(file):
                self.assertEqual(known["warnings"], [])
                self.assertEqual(known["iterations"], STEPS_BEFORE // (3 if "nadam" in file else 1))
                self.assert_close(ours[file], known["losses"])

    def test_that_are_ours_go_on_in_keras_2(self):
        if not self.has("tf_keras"):
            self.skipTest("no tf_keras")
        ours = {}
        for optimizer, options in KERAS_2.items():
            self.train_steps(optimizer, STEPS_BEFORE, "--layers", "Dense(5, relu), Dense(3, softmax)", "--optimizer",
                             optimizer, *options)
            final = self.dir / optimizer / "final.h5"
            (self.dir / optimizer / "rows.h5").symlink_to(self.dir / "rows.h5")
            ours[str(final)] = self.train_steps(f"{optimizer}_on", STEPS_AFTER, "--from", final)
        for file, known in self.keras("read", "tf_keras", *ours).items():
            with self.subTest(file):
                self.assertEqual(known["iterations"], STEPS_BEFORE)
                self.assert_close(ours[file], known["losses"])


if __name__ == "__main__":
    main()
