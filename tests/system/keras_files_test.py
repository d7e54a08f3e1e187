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


class FilesOfKeras(SystemTest):
    def test_are_of_all_three(self):
        self.assertEqual({content["version"][0] for content in LISTINGS.values() if "files" in content}, set("123"))
        self.assertGreaterEqual(len(ENTRIES), 30)

    def test_predict_what_keras_predicts(self):
        for name, entry in ENTRIES:
            with self.subTest(name):
                self.done(1, "predict", *placed(entry["predict"]), "--data", FILES / "rows.h5", "--x", entry["x"],
                          "--out", "p.h5", "--overwrite")
                with h5py.File(self.dir / "p.h5") as file:
                    ours = file["predictions"][:]
                self.assertLess(np.abs(ours - np.array(entry["predictions"])).max(), TOLERANCE)

    def test_are_trained_on(self):
        for name, entry in ENTRIES:
            network = entry["predict"] if len(entry["predict"]) > 1 else ["--from", *entry["predict"]]
            command = ["train", *placed(network), "--data", FILES / "rows.h5", "--x", entry["x"], "--y", entry["y"],
                       "--steps-per-epoch", 1, "--run-dir", "run", "--overwrite"]
            with self.subTest(name):
                if entry["train"] is None:
                    self.refused(65, ["constraint"], *command, ranks=(1,))
                    continue
                self.done(1, *command, *entry["train"])
                self.done(1, "predict", "run/final.h5", "--data", FILES / "rows.h5", "--x", entry["x"], "--out",
                          "p.h5", "--overwrite")


if __name__ == "__main__":
    main()
