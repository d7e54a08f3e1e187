"""What Keras's fit() is told of weights beside the optimizer: constraints, penalties of activities, sample weights."""
import json
import subprocess

import h5py
import numpy as np

from support import BAD_DATA, NETWORK, SystemTest, USAGE, clusters, history, main, python_with, write_file

LAYERS = ("Flatten(), Dense(6, relu, kernel_constraint=MaxNorm(1.5), bias_constraint=non_neg, "
          "activity_regularizer=l1(1e-4)), ActivityRegularization(0, 1e-4), "
          "Dense(3, softmax, kernel_constraint=UnitNorm(axis=[0, 1]))")
READ = """
import json, os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
if sys.argv[1] == "keras":
    import keras
else:
    import tf_keras as keras
for name in sys.argv[2:]:
    model = keras.models.load_model(name)
    layers = [layer for layer in model.layers if layer.weights]
    print(json.dumps({
        "classes": [type(layer.kernel_constraint).__name__ for layer in layers],
        "settings": [layer.kernel_constraint.get_config() for layer in layers],
        "bias": type(layers[0].bias_constraint).__name__, "activity": float(layers[0].activity_regularizer.l1),
        "l2": float([layer.l2 for layer in model.layers if type(layer).__name__ == "ActivityRegularization"][0])}))
"""


class Constraints(SystemTest):
    def test_hold_on_any_number_of_ranks_and_after_a_pause(self):
        data = rows_file(self.dir / "d.h5")
        for strategy in ("sharded", "allreduce"):
            def train(ranks, run_dir, epochs):
                return self.sha256(self.train(ranks, data, "--epochs", epochs, "--sync", strategy, "--batch-size", 16,
                                              "--x-test", "", run_dir=f"{strategy}_{run_dir}", layers=LAYERS)
                                   / "final.h5")
            alone = train(1, "alone", 3)
            train(2, "paused", 2)
            self.assertEqual(train(3, "paused", 3), alone)
        with h5py.File(self.dir / "sharded_alone" / "final.h5") as file:
            kernels = []
            file["model_weights"].visititems(
                lambda name, item: kernels.append(item[:]) if name.endswith("kernel:0") else None)
        self.assertLess(np.linalg.norm(kernels[0], axis=0).max(), 1.5 + 1e-5)
        self.assertAlmostEqual(float(np.linalg.norm(kernels[1])), 1, places=5)

    def test_are_in_the_files_of_keras(self):
        data = rows_file(self.dir / "d.h5")
        files = [self.train(1, data, "--x-test", "", "--save-format", form, run_dir=form, layers=LAYERS)
                 / f"final.{form}" for form in ("h5", "keras")]
        expected = {"classes": ["MaxNorm", "UnitNorm"],
                    "settings": [{"max_value": 1.5, "axis": 0}, {"axis": [0, 1]}], "bias": "NonNeg"}
        for library, names in (("keras", files), ("tf_keras", files[:1])):
            python = python_with("LOCKSTEP_KERAS_PYTHON", library)
            result = subprocess.run([python, "-c", READ, library, *map(str, names)], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
            self.assertEqual(len(lines), len(names))
            for line in lines:
                self.assertEqual({key: line[key] for key in expected}, expected)
                self.assertAlmostEqual(line["activity"], 1e-4)
                self.assertAlmostEqual(line["l2"], 1e-4)


def rows_file(path, weights=None, **more):
    x, y = clusters(60)
    weights = np.linspace(0, 2, 60) if weights is None else weights
    return write_file(path, x_train=x.astype(np.uint8), y_train=y.astype(np.uint8), w=weights, **more)


class SampleWeights(SystemTest):
    def test_weigh_the_loss_on_any_number_of_ranks(self):
        x, y = clusters(24, seed=2)
        data = rows_file(self.dir / "d.h5", x_val=x, y_val=y, w_val=np.linspace(1, 3, 24), ones=np.ones(60))
        validation = ["--x-val", "x_val", "--y-val", "y_val"]

        def train(ranks, run_dir, *options):
            return self.train(ranks, data, *validation, "--epochs", 2, "--batch-size", 16, *options, run_dir=run_dir)
        plain = train(1, "plain")
        ones = train(1, "ones", "--sample-weight", "ones")
        self.assertEqual(self.sha256(plain / "final.h5"), self.sha256(ones / "final.h5"))
        options = ["--sample-weight", "w", "--sample-weight-val", "w_val", "--class-weight", "0:2"]
        alone = train(1, "alone", *options)
        self.assertNotEqual(self.sha256(plain / "final.h5"), self.sha256(alone / "final.h5"))
        losses = [(row["loss"], row["val_loss"], row["accuracy"]) for row in history(alone)]
        for ranks in (2, 3, 4):
            together = train(ranks, f"on_{ranks}", *options, "--sync", "allreduce" if ranks == 3 else "sharded")
            self.assertEqual(self.sha256(together / "final.h5"), self.sha256(alone / "final.h5"))
            self.assertEqual([(row["loss"], row["val_loss"], row["accuracy"]) for row in history(together)], losses)
        reports = [json.loads(self.done(ranks, "evaluate", alone / "final.h5", "--data", data, "--x-test", "x_val",
                                        "--y-test", "y_val", "--batch-size", 16, "--sample-weight", "w_val",
                                        "--json").stdout) for ranks in (1, 3)]
        self.assertEqual(reports[0], reports[1])
        self.assertAlmostEqual(reports[0]["loss"], float(losses[-1][1]), places=9)

    def test_are_refused_where_they_do_not_fit(self):
        for weights, words in [(np.where(np.arange(60) == 7, -1, 1.0), ["expected weights from 0 on", "-1", "row 7"]),
                               (np.where(np.arange(60) == 9, np.nan, 1.0), ["nan", "row 9"]),
                               (np.ones(59), ["as many rows", "59"]),
                               (np.ones((60, 2)), ["one weight for each row", "(2)"])]:
            data = rows_file(self.dir / "bad.h5", weights)
            self.refused(BAD_DATA, [*words, "bad.h5:/w"], "train", "--data", data, "--layers",
                         "Flatten(), Dense(3, softmax)", "--x-test", "", "--sample-weight", "w")
        data = rows_file(self.dir / "d.h5")
        self.refused(USAGE, ["--x-val", "--sample-weight-val"], "train", "--data", data, "--layers", LAYERS,
                     "--sample-weight-val", "w", ranks=(1,))

    def test_of_other_values_are_another_run(self):
        data = rows_file(self.dir / "d.h5")
        self.train(1, data, "--sample-weight", "w", "--x-test", "")
        with h5py.File(data, "r+") as file:
            file["w"][3] = 5
        words = ["train", "--data", data, "--layers", NETWORK, "--x-test", "", "--epochs", 2]
        for options in (["--sample-weight", "w"], []):
            result = self.run_lockstep(1, *words, *options)
            self.assertNotEqual(result.code, 0, result)
            self.assertIn("sample-weight", result.errors[0])


if __name__ == "__main__":
    main()
