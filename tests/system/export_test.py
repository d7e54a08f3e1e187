"""What other programs read of ours: real Keras 3, where a python3 in PATH (or LOCKSTEP_KERAS_PYTHON) has it."""
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

import h5py
import numpy as np

from export_networks import NETWORKS, OTHERS
from sequence_networks import NOT_FOR_KERAS_3, OF_IDS, SEQUENCES
from support import BAD_DATA, CANNOT_CREATE, USAGE, SystemTest, main, python_with

HERE = pathlib.Path(__file__).resolve().parent
ROWS = 11


class ExportTest(SystemTest):
    def make(self, name, *options):
        """Trains two steps of one of the networks in the directory of its name."""
        shape, output, network = {**NETWORKS, **OTHERS, **SEQUENCES}[name]
        directory = self.dir / name
        directory.mkdir()
        random = np.random.default_rng(len(name))
        x = random.normal(size=(ROWS, *shape)).astype(np.float32)
        if name in OF_IDS:
            x = random.integers(1, 9, x.shape).astype(np.float32)
        if name in SEQUENCES:  # zeros are masked: on the left, on the right, in the middle, here and there, everywhere
            x[1, :2], x[2, -2:], x[3, 2:4], x[4, ::2], x[5, ..., 1:3] = 0, 0, 0, 0, 0
            if name != "masked_mean":  # of nothing there is none
                x[6] = 0
        y = random.integers(0, 3, ROWS) if output is None else random.uniform(size=(ROWS, *output)).astype(np.float32)
        np.save(directory / "rows.npy", x)
        with h5py.File(directory / "d.h5", "w") as file:
            file["x_train"], file["y_train"], file["x_test"] = x, y, x
        if isinstance(network, dict):
            (directory / "network.json").write_text(json.dumps(network))
            words = ["--model", directory / "network.json"]
        else:
            words = ["--layers", f"Input({shape}), {network}".replace(",)", ",)")]
        loss = [] if output is None else ["--loss", "mean_squared_error", "--metrics", "mean_absolute_error"]
        self.done(1, "train", *words, *loss, "--data", directory / "d.h5", "--run-dir", directory / "run", "--y-test",
                  "", "--x-test", "", "--epochs", 1, "--batch-size", 6, "--verbose", 0, *options)
        return directory

    def predictions(self, model, directory):
        self.done(1, "predict", model, "--data", directory / "d.h5", "--out", directory / "p.npy", "--overwrite")
        return np.load(directory / "p.npy")

    def bits(self, path):
        report = self.inspect(path)
        return report["weights_sha256"], report.get("optimizer_sha256")


class FilesForKeras(ExportTest):
    def test_are_predicted_from_and_come_back_bit_for_bit(self):
        python = python_with("LOCKSTEP_KERAS_PYTHON", "keras")
        hub = subprocess.run([python, "-c", "import keras_hub"], capture_output=True).returncode == 0
        files = {}
        for name in (*NETWORKS, *OTHERS, *SEQUENCES):
            if name in NOT_FOR_KERAS_3:
                continue
            if name in ("words", "positions", "words_masked") and not hub:
                print("not tried without keras_hub: layers of KerasHub", file=sys.stderr)
                continue
            directory = self.make(name, "--save-format", "keras")
            final = directory / "run" / "final.keras"
            shutil.copy(final, directory / "m.keras")
            self.done(1, "export", final, "--out", directory / "m.h5")
            files.update({directory / "m.keras": directory, directory / "m.h5": directory})
        result = subprocess.run([python, HERE / "keras_round_trip.py", *files], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        known = json.loads(result.stdout.splitlines()[-1])
        for path, directory in files.items():
            with self.subTest(path.parent.name + path.suffix):
                ours = self.predictions(path, directory)
                keras = np.load(f"{path}.out.npy")
                self.assertLess(np.abs(ours - keras).max(), 1e-6)
                self.assertEqual(self.bits(path), self.bits(directory / "run" / "final.keras"))
                weights, optimizer = self.bits(path)
                for again in (f"{path}.again.keras", f"{path}.again.h5"):
                    self.assertEqual(self.bits(again)[0], weights)
                    np.testing.assert_array_equal(self.predictions(again, directory), ours)
                if path.suffix == ".keras":  # Keras 3 lays out the state of an .h5 file otherwise than Keras 2
                    about = known[str(path)]
                    self.assertEqual([text for text in about["warnings"] if "with a mask" not in text], [])
                    self.assertEqual(about["iterations"], 2)
                    for again in (f"{path}.again.keras", f"{path}.again.h5"):
                        self.assertEqual(self.bits(again)[1], optimizer)


class FilesForOthers:
    """Every layer: what the other program makes of the files, and what Lockstep does."""
    TOLERANCE = 1e-6

    def test_predict_the_same(self):
        self.python = python_with(self.VARIABLE, *self.MODULES)
        directories = [self.make(name) for name in (*NETWORKS, *OTHERS, *SEQUENCES)]
        for directory in directories:
            self.export(directory)
        result = subprocess.run([self.python, HERE / self.PROGRAM, *directories], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        for directory in directories:
            with self.subTest(directory.name):
                ours = self.predictions(directory / "run" / "final.h5", directory)
                self.assertLess(np.abs(ours - np.load(directory / "out.npy")).max(), self.TOLERANCE)


class FilesForOnnxRuntime(FilesForOthers, ExportTest):
    VARIABLE, MODULES, PROGRAM = "LOCKSTEP_ONNX_PYTHON", ("onnxruntime", "numpy"), "onnx_predictions.py"

    def export(self, directory):
        self.done(1, "export", directory / "run" / "final.h5", "--out", directory / "m.onnx")


class FilesForPyTorch(FilesForOthers, ExportTest):
    VARIABLE, MODULES, PROGRAM = "LOCKSTEP_TORCH_PYTHON", ("torch", "numpy"), "torch_predictions.py"

    def export(self, directory):
        self.done(1, "export", directory / "run" / "final.h5", "--out", directory / "m.safetensors", "--python",
                  directory / "network.py")


class Exports(ExportTest):
    def test_are_the_same_network_in_every_format(self):
        directory = self.make("residual")
        final = directory / "run" / "final.h5"
        out = lambda name: directory / name
        self.done(3, "export", final, "--out", out("m.keras"))
        self.done(1, "export", out("m.keras"), "--to", "h5", "--out", out("m.h5"))
        self.done(1, "export", out("m.h5"), "--to", "keras", "--out", out("again.keras"))
        self.assertEqual(out("m.keras").read_bytes(), out("again.keras").read_bytes())
        self.assertEqual(self.bits(out("m.h5")), self.bits(final))
        self.done(1, "export", final, "--out", out("m.json"))
        self.done(1, "export", final, "--out", out("m3.json"), "--keras", 3)
        self.assertIn("batch_shape", out("m3.json").read_text())
        self.assertNotIn("batch_shape", out("m.json").read_text())
        self.assertEqual(out("m.json").read_text(), (directory / "run" / "model.json").read_text())
        for name in ("m.json", "m3.json"):
            self.done(1, "predict", "--model", out(name), "--weights", out("m.keras"), "--data", out("d.h5"), "--out",
                      out("p.npy"), "--overwrite")
            np.testing.assert_array_equal(np.load(out("p.npy")), self.predictions(final, directory))

    def test_go_on_as_the_run_would(self):
        directory = self.make("cnn", "--save-format", "keras")
        more = ["--data", directory / "d.h5", "--x-test", "", "--verbose", 0]
        self.done(1, "export", directory / "run" / "final.keras", "--out", directory / "m.h5")
        for name, ending in (("m.h5", "h5"), ("run/final.keras", "keras")):
            self.done(2, "train", "--from", directory / name, *more, "--run-dir", directory / ending,
                      "--save-format", ending)
        self.assertEqual(self.bits(directory / "h5/final.h5"), self.bits(directory / "keras/final.keras"))

    def test_are_refused(self):
        directory = self.make("mlp", "--save-best", "loss", "--save-format", "keras")
        model = directory / "run" / "best.keras"
        refused = lambda code, words, *rest: self.refused(code, words, "export", *rest, ranks=(1,))
        refused(USAGE, ["--out"], model)
        refused(USAGE, ["--to", "keras, h5", "'kers'", "did you mean 'keras'"], model, "--to", "kers", "--out", "m.keras")
        refused(USAGE, ["--out", ".keras", "m.h5"], model, "--to", "keras", "--out", "m.h5")
        refused(USAGE, ["--out", ".keras", "m.txt"], model, "--out", "m.txt")
        refused(USAGE, ["--keras", "2 or 3", "'4'"], model, "--out", "m.json", "--keras", 4)
        refused(USAGE, ["--keras", "--to json"], model, "--out", "m.h5", "--keras", 3)
        refused(USAGE, ["--python", "--to safetensors"], model, "--out", "m.h5", "--python", "m.py")
        refused(USAGE, ["--python", ".py", "m.txt"], model, "--out", "m.safetensors", "--python", "m.txt")
        refused(CANNOT_CREATE, ["best.keras"], model, "--out", model, "--overwrite")
        (self.dir / "bad.keras").write_bytes(model.read_bytes()[:-40])
        refused(BAD_DATA, ["bad.keras", "damaged"], "bad.keras", "--out", "m.h5")
        old = {"class_name": "Sequential", "keras_version": "2.15.0", "config": [
            {"class_name": "Dense", "config": {"name": name, "units": 3, "activation": "hard_sigmoid",
                                               "batch_input_shape": [None, 12]}} for name in ("one", "two")]}
        old["config"][1]["config"]["batch_input_shape"] = [None, 3]
        del old["config"][1]["config"]["batch_input_shape"]
        (self.dir / "old.json").write_text(json.dumps(old))
        self.refused(BAD_DATA, ["one", "two", "hard_sigmoid"], "train", "--model", "old.json", "--data",
                     directory / "d.h5", "--save-format", "keras", "--loss", "mean_squared_error", "--metrics", "")
        self.assertFalse((self.dir / "run").exists())


if __name__ == "__main__":
    main()
