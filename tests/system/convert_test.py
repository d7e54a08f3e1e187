"""lockstep convert: weights of PyTorch into networks of the same layers."""
import json
import struct
import subprocess

import h5py
import numpy as np

import export_test
from export_networks import NETWORKS, OTHERS
from support import BAD_DATA, CANNOT_CREATE, MISSING, USAGE, SystemTest, main, python_with

# As torch_modules.py has them.
LAYERS = {
    "plain": "Input((6,)), " + "Dense(6, tanh), " * 6 + "Dense(3)",
    "images": "Input((8, 6, 3)), Conv2D(6, 3), BatchNormalization(epsilon=1e-5), Activation(relu), Conv2D(8, 3, "
              "padding=same, activation=relu), MaxPooling2D(2), Flatten(), Dense(10, relu), Dense(4, softmax)",
    "texts": "Input((5,)), Embedding(20, 5), Bidirectional(LSTM(6, return_sequences=True)), Bidirectional(LSTM(6)), Dense(3)",
    "steps": "Input((5, 4)), GRU(7, return_sequences=True), Flatten(), Dense(2)",
}


def safetensors(**tensors):
    header, data = {}, b""
    for name, numbers in tensors.items():
        name, dtype = name.replace("__", "."), {"float32": "F32", "float64": "F64", "float16": "F16"}[str(numbers.dtype)]
        header[name] = {"dtype": dtype, "shape": list(numbers.shape),
                        "data_offsets": [len(data), len(data) + numbers.nbytes]}
        data += numbers.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class RoundTrips(export_test.ExportTest):
    def test_come_back_bit_for_bit(self):
        for name in (*NETWORKS, *OTHERS):
            if name in export_test.FilesForPyTorch.LACKS:
                continue
            with self.subTest(name):
                directory = self.make(name)
                final = directory / "run" / "final.h5"
                self.done(1, "export", final, "--out", directory / "net.safetensors")
                self.done(1, "export", final, "--out", directory / "net.json")
                for ending in ("h5", "keras"):
                    out = directory / f"again.{ending}"
                    self.done(1, "convert", directory / "net.safetensors", "--model", directory / "net.json", "--out", out)
                    self.assertEqual(self.inspect(out)["weights_sha256"], self.inspect(final)["weights_sha256"])


class FilesOfPyTorch(SystemTest):
    def test_predict_the_same(self):
        python = python_with("LOCKSTEP_TORCH_PYTHON", "torch", "numpy")
        result = subprocess.run([python, export_test.HERE / "torch_modules.py", self.dir], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        for name, layers in LAYERS.items():
            with self.subTest(name):
                directory = self.dir / name
                result = self.done(1, "convert", directory / "net.safetensors", "--layers", layers, "--out",
                                   directory / "m.h5")
                self.assertIn("by order and shape: ", result.stderr)
                self.assertEqual(name == "images", "is behind a Flatten" in result.stderr)
                with h5py.File(directory / "d.h5", "w") as file:
                    file["x_test"] = np.load(directory / "rows.npy")
                self.done(1, "predict", directory / "m.h5", "--data", directory / "d.h5", "--out", directory / "p.npy")
                difference = np.abs(np.load(directory / "p.npy") - np.load(directory / "out.npy")).max()
                self.assertLess(difference, 1e-5)


class Tensors(SystemTest):
    LAYERS = "Input((3,)), Dense(2, name=one), Dense(4, name=two)"

    def write(self, **tensors):
        (self.dir / "n.safetensors").write_bytes(safetensors(**tensors))

    def good(self, dtype="float32"):
        return {"one__weight": np.arange(6).reshape(2, 3).astype(dtype), "one__bias": np.full(2, 0.5).astype(dtype),
                "two__weight": np.arange(8).reshape(4, 2).astype(dtype), "two__bias": np.full(4, -2.25).astype(dtype)}

    def refused_file(self, words, layers=LAYERS):
        self.refused(BAD_DATA, words, "convert", "n.safetensors", "--layers", layers, "--out", "m.h5", ranks=(1, 2))
        self.assertFalse((self.dir / "m.h5").exists())

    def test_of_other_types_are_converted(self):
        for dtype in ("float32", "float64", "float16"):
            self.write(**self.good(dtype))
            self.done(1, "convert", "n.safetensors", "--layers", self.LAYERS, "--out", f"{dtype}.h5")
            with h5py.File(self.dir / f"{dtype}.h5") as file:
                np.testing.assert_array_equal(file["model_weights/one/one/kernel:0"][()], np.arange(6).reshape(2, 3).T)
                np.testing.assert_array_equal(file["model_weights/two/two/bias:0"][()], np.full(4, -2.25))

    def test_of_wrong_shapes_are_named_all_at_once(self):
        tensors = self.good()
        tensors["one__weight"], tensors["two__bias"] = np.zeros((3, 2), "f4"), np.zeros(5, "f4")
        self.write(**tensors)
        self.refused_file(["one.weight", "expected shape (2, 3), got (3, 2)", "two.bias", "(4)", "(5)"])

    def test_that_no_layer_has_are_named(self):
        self.write(**self.good(), extra__weight=np.zeros((7, 7), "f4"))
        self.refused_file(["extra", "weight (7, 7)"])
        tensors = self.good()
        del tensors["two__bias"]
        self.write(**tensors)
        self.refused_file(["two", "bias (4) weight (4, 2)"])

    def test_without_a_place_in_the_layer_must_change_nothing(self):
        layers = "Input((2,)), BatchNormalization(scale=False, name=norm)"
        zeros = np.zeros(2, "f4")
        tensors = {"norm__bias": zeros, "norm__running_mean": zeros, "norm__running_var": zeros + 1}
        self.write(norm__weight=zeros + 1, **tensors)
        self.done(1, "convert", "n.safetensors", "--layers", layers, "--out", "good.h5")
        self.write(norm__weight=zeros + 2, **tensors)
        self.refused_file(["norm.weight", "expected 1", "got 2"], layers)

    def test_of_damaged_files(self):
        whole = safetensors(**self.good())
        for bytes, words in ((b"", "less than 8"), (b"PK\3\4" + b"x" * 50, "longer than the file"), (whole[:-1], "bytes"),
                             (struct.pack("<Q", 3) + b"{x}", "no JSON"), (struct.pack("<Q", 4) + b"[[]]", "no JSON"),
                             (whole.replace(b'"F32"', b'"X32"'), "F32, F64"), (whole.replace(b"[2, 3]", b"[2,-3]"), "whole"),
                             (whole.replace(b"[0, 24]", b"[9, 24]"), "bytes"), (whole.replace(b"[2, 3]", b"[2,99]"), "bytes")):
            with self.subTest(words):
                (self.dir / "n.safetensors").write_bytes(bytes)
                self.refused_file([words])

    def test_files_and_options(self):
        self.write(**self.good())
        convert = ("convert", "n.safetensors")
        self.refused(USAGE, ["--out"], *convert, "--layers", self.LAYERS, ranks=(1,))
        self.refused(USAGE, ["--model", "none"], *convert, "--out", "m.h5", ranks=(1,))
        self.refused(USAGE, [".keras"], *convert, "--layers", self.LAYERS, "--out", "m.onnx", ranks=(1,))
        self.refused(USAGE, ["input shape"], *convert, "--layers", "Dense(2)", "--out", "m.h5", ranks=(1,))
        self.refused(MISSING, ["none"], "convert", "none", "--layers", self.LAYERS, "--out", "m.h5", ranks=(1,))
        (self.dir / "m.h5").write_text("mine")
        self.refused(CANNOT_CREATE, ["m.h5"], *convert, "--layers", self.LAYERS, "--out", "m.h5", ranks=(1,))
        self.done(1, *convert, "--layers", self.LAYERS, "--out", "m.h5", "--overwrite")


if __name__ == "__main__":
    main()
