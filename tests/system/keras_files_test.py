"""Model files as people bring them: tests/reference/keras_files.py wrote them with Keras 2.15 and 3.15."""
import json

import h5py
import numpy as np

from support import REFERENCE_FILES, SystemTest, main

FILES = REFERENCE_FILES.parent / "keras_files"
LISTINGS = {path.name: json.loads(path.read_text()) for path in sorted(FILES.glob("*.json"))}
ENTRIES = [(f"{listing}: {shape}", entry) for listing, content in LISTINGS.items() if "files" in content
           for shape, entry in content["files"].items()]
TOLERANCE = 1e-5


def placed(arguments):
    """With the names of files as paths."""
    return [FILES / word if (FILES / word).is_file() else word for word in arguments]


# tests/launch/train/keras_files_test.cpp reads all of them; these go through the whole program.
SHAPES = ("keras1.expected.json: whole", "keras2.json: foreign", "keras2.json: weights_by_json",
          "keras2.json: cnn", "keras2.json: positions", "keras3.json: convolutions_archive",
          "keras3.json: functional", "keras3.json: nested_archive", "keras3.json: mixed")


class FilesOfKeras(SystemTest):
    def test_predict_what_keras_predicts_and_are_trained_on(self):
        for name, entry in ENTRIES:
            if name not in SHAPES:
                continue
            rows = ["--data", FILES / "rows.h5", "--x", entry["x"]]
            network = placed(entry["predict"])
            with self.subTest(name):
                result = self.done(3, "predict", *network, *rows, "--out", "p.h5", "--overwrite")
                self.assertEqual("computed in float32" in result.stderr, name.endswith("mixed"))
                with h5py.File(self.dir / "p.h5") as file:
                    self.assertLess(np.abs(file["predictions"][:] - np.array(entry["predictions"])).max(), TOLERANCE)
                source = network if len(network) > 1 else ["--from", *network]
                self.done(2, "train", *source, *rows, "--y", entry["y"], "--x-test", "", "--steps-per-epoch", 1,
                          "--overwrite", *entry["train"])

    def test_go_on_where_keras_stopped(self):
        """With the optimizer's state of Keras before 2.4."""
        entries = [(name, entry) for name, entry in ENTRIES if "after_three_steps" in entry]
        self.assertEqual(len(entries), 5)
        for name, entry in entries:
            rows = ["--data", FILES / "rows.h5", "--x", entry["x"]]
            with self.subTest(name):
                result = self.done(2, "train", "--from", *placed(entry["predict"]), *rows, "--y", entry["y"], "--x-test",
                                   "", "--epochs", 3, "--batch-size", 12, "--run-dir", "on", "--overwrite")
                self.assertNotIn("fresh", result.stderr)
                self.done(1, "predict", "on/final.h5", *rows, "--out", "p.h5", "--overwrite")
                with h5py.File(self.dir / "p.h5") as file:
                    self.assertLess(np.abs(file["predictions"][:] - np.array(entry["after_three_steps"])).max(),
                                    TOLERANCE)

    def test_are_evaluated_by_what_the_options_replace(self):
        model = FILES / "keras2_foreign.h5"
        rows = ["--data", FILES / "rows.h5", "--x-test", "images", "--y-test", "values"]
        self.refused(65, ["training config: loss", "--loss NAME", "my_metric", "--metrics NAMES"], "evaluate", model,
                     *rows, ranks=(1,))
        self.assertIn("mean_absolute_error", self.done(1, "evaluate", model, *rows, "--loss", "mse", "--metrics",
                                                       "mean_absolute_error").stdout)

    def test_are_inspected(self):
        self.assertIn("RMSprop", self.done(1, "inspect", FILES / "keras3_foreign_archive.keras").stdout)
        text = self.done(1, "inspect", FILES / "keras3_foreign.h5").stdout
        self.assertIn("cannot go on from it", text)
        self.assertIn("(Dense)", text)


if __name__ == "__main__":
    main()
