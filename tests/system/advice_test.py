"""Trainings that cannot be right are refused, likely mistakes are told once; the rest goes without a word."""
import numpy as np

from support import BAD_DATA, NETWORK, USAGE, SystemTest, clusters, history, main, write_clusters, write_file

BINARY = "Dense(4, relu), Dense(1, sigmoid)"


class AdviceTest(SystemTest):
    def setUp(self):
        super().setUp()
        x, y = clusters(40, features=4, classes=2)
        self.x, self.y = x / 100, y
        write_file(self.dir / "d.h5", x_train=self.x, y_train=y)

    def warnings(self, result):
        return [line for line in result.stderr.splitlines() if line.startswith("lockstep: warning:")]

    def warns(self, words, *options, ranks=2):
        """Once, whatever the number of ranks."""
        result = self.done(ranks, "train", "--data", "d.h5", "--overwrite", *options)
        warnings = self.warnings(result)
        self.assertEqual(len(warnings), 1, result)
        for word in words:
            self.assertIn(word, warnings[0])

    def silent(self, *options, data="d.h5"):
        result = self.done(1, "train", "--data", data, "--overwrite", *options)
        self.assertEqual(self.warnings(result), [], result)
        return result

    def refuses(self, code, words, *options, ranks=(1, 2)):
        self.refused(code, words, "train", "--data", "d.h5", *options, ranks=ranks)
        self.assertFalse((self.dir / "run" / "final.h5").exists())


class Refusals(AdviceTest):
    def test_targets_that_are_no_probabilities(self):
        for targets, first in ((self.y * 2, "row 1"), (self.y * 2 - 1.0, "row 0"), (self.y + 0.5, "row 1")):
            write_file(self.dir / "d.h5", x_train=self.x, y_train=targets)
            self.refuses(BAD_DATA, ["y_train", "from 0 to 1", first, "mean_squared_error"], "--layers", BINARY,
                         "--loss", "binary_crossentropy")

    def test_softmax_over_one_unit(self):
        for loss in ("binary_crossentropy", "mean_squared_error", "sparse_categorical_crossentropy"):
            self.refuses(USAGE, ["always 1", "Dense(1, sigmoid)"], "--layers", "Dense(4, relu), Dense(1, softmax)",
                         "--loss", loss, ranks=(1,))

    def test_one_unit_for_classes(self):
        self.refuses(USAGE, ["one class", "--loss binary_crossentropy"], "--layers", BINARY)

    def test_logits(self):
        self.refuses(USAGE, ["linear", "Dense(2, softmax)", "from_logits=True"], "--layers", "Dense(2)")
        self.refuses(USAGE, ["linear", "Dense(1, sigmoid)"], "--layers", "Dense(1)", "--loss", "binary_crossentropy",
                     ranks=(1,))
        self.refuses(USAGE, ["tanh"], "--layers", "Dense(2, tanh)", "--dry-run", ranks=(1,))

    def test_a_schedule_that_has_ended(self):
        schedule = ["--learning-rate-schedule", "cosine", "--decay-steps", "4"]
        network = ["--layers", "Dense(2, softmax)", "--batch-size", "8"]
        self.warns(["last 1 of 5", "--decay-steps"], *network, *schedule, ranks=1)
        for ranks in (1, 2):
            self.refused(USAGE, ["step 6", "--learning-rate 0.001", "has ended"], "train", "--data", "d.h5", "--from",
                         "run/final.h5", "--run-dir", "next", "--batch-size", "8", ranks=(ranks,))
            self.assertFalse((self.dir / "next").exists())
        self.silent("--from", "run/final.h5", "--run-dir", "next", "--batch-size", "8", "--learning-rate", "0.001")


class OfSampledRows(AdviceTest):
    def test_does_not_depend_on_the_number_of_ranks(self):
        """Of more than 4096 rows every second one is looked at: only the others are bright."""
        rows = 8194
        x = np.zeros((rows, 4), np.uint8)
        x[1::2] = 255
        write_file(self.dir / "d.h5", x_train=x, y_train=np.arange(rows) // 3 % 2)
        options = ("--layers", "Dense(2, softmax)", "--steps-per-epoch", "1", "--epochs", "1")
        for ranks in (1, 2):
            result = self.done(ranks, "train", "--data", "d.h5", "--overwrite", *options)
            self.assertEqual(self.warnings(result), [], result)


class Warnings(AdviceTest):
    def test_rows_that_are_no_distribution(self):
        one_hot = np.eye(2)[self.y]
        one_hot[7] = 1
        write_file(self.dir / "d.h5", x_train=self.x, y_train=one_hot)
        self.warns(["1 of 40 rows", "row 7: 2"], "--layers", "Dense(2, softmax)", "--loss", "categorical_crossentropy")

    def test_labels_of_one_class(self):
        write_file(self.dir / "d.h5", x_train=self.x, y_train=self.y * 0)
        self.warns(["y_train", "one class"], "--layers", "Dense(2, softmax)")
        self.warns(["y_train", "one class"], "--layers", BINARY, "--loss", "binary_crossentropy", ranks=1)

    def test_activations_that_do_not_fit(self):
        self.warns(["relu", "Dense(2, softmax)"], "--layers", "Dense(2, relu)")
        self.warns(["sigmoid", "Dense(2, softmax)"], "--layers", "Dense(2, sigmoid)", ranks=1)
        write_file(self.dir / "d.h5", x_train=self.x, y_train=self.y * 50.0)
        self.warns(["sigmoid", "0 to 50", "Dense(1)"], "--layers", BINARY, "--loss", "mse")

    def test_accuracy_of_a_regression(self):
        self.warns(["accuracy", "--metrics mean_absolute_error"], "--layers", "Dense(1)", "--loss", "mse", "--metrics",
                   "accuracy")

    def test_raw_pictures(self):
        write_file(self.dir / "d.h5", x_train=(self.x * 200).astype(np.uint8), y_train=self.y)
        self.warns(["x_train", "Rescaling(1/255)"], "--layers", "Dense(2, softmax)")
        self.silent("--layers", "Rescaling(1/255), Dense(2, softmax)")

    def test_large_numbers(self):
        write_file(self.dir / "d.h5", x_train=self.x * [1, 1, 1, 3e5], y_train=self.y)
        self.warns(["x_train", "Rescaling"], "--layers", "Dense(2, softmax)")


class Silence(AdviceTest):
    def test_what_fits(self):
        write_clusters(self.dir / "c.h5")
        self.silent("--layers", NETWORK, data="c.h5")
        self.silent("--layers", BINARY, "--loss", "binary_crossentropy")
        self.silent("--layers", "Dense(2, softmax)")

    def test_logits_for_a_loss_that_wants_them(self):
        logits = self.silent("--layers", "Dense(2)", "--loss", "sparse_categorical_crossentropy(from_logits=True)")
        softmax = self.silent("--layers", "Dense(2, softmax)")
        loss = [line.split("loss: ")[1].split(" - ")[0] for line in (logits.stdout + softmax.stdout).splitlines()
                if "loss: " in line]
        self.assertEqual(loss[0], loss[1])

    def test_a_regression_is_measured_by_an_error(self):
        self.silent("--layers", "Dense(1)", "--loss", "mse", "--epochs", "2")
        self.assertIn("mean_absolute_error", history(self.dir / "run")[0])
        self.assertNotIn("accuracy", history(self.dir / "run")[0])


if __name__ == "__main__":
    main()
