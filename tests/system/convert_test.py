"""lockstep convert: weights of PyTorch into networks of the same layers."""
import json
import struct
import subprocess

import h5py
import numpy as np

import export_test
from export_networks import NETWORKS, OTHERS, functional
from support import BAD_DATA, CANNOT_CREATE, MISSING, USAGE, SystemTest, main, python_with

# As torch_modules.py has them.
LAYERS = {
    "plain": "Input((6,)), " + "Dense(6, tanh), " * 6 + "Dense(3)",
    "images": "Input((8, 6, 3)), Conv2D(6, 3), BatchNormalization(epsilon=1e-5), Activation(relu), Conv2D(8, 3, "
              "padding=same, activation=relu), MaxPooling2D(2), Flatten(), Dense(10, relu), Dense(4, softmax)",
    "texts": "Input((5,)), Embedding(20, 5), Bidirectional(LSTM(6, return_sequences=True)), Bidirectional(LSTM(6)), Dense(3)",
    "steps": "Input((5, 4)), GRU(7, return_sequences=True), Flatten(), Dense(2)",
}

#: What is between images and features: (PyTorch's modules, input shape with channels last, layers, what a note says).
FEATURES = {
    "names_of_layers": ("conv1=nn.Conv2d(1, 2, 3), flat=nn.Flatten(), fc1=nn.Linear(32, 3)", (6, 6, 1),
                        "Conv2D(2, 3, name=conv1), Flatten(), Dense(3, name=fc1)", "fc1 is behind a Flatten"),
    "features": ("a=nn.Conv2d(1, 2, 3), b=nn.Flatten(), c=nn.BatchNorm1d(32), d=nn.PReLU(32), e=nn.LayerNorm(32), "
                 "f=nn.Linear(32, 3)", (6, 6, 1),
                 "Conv2D(2, 3), Flatten(), BatchNormalization(epsilon=1e-5, name=bn), PReLU(name=act), "
                 "LayerNormalization(epsilon=1e-5), Dense(3)", "bn has features of images"),
    "noises": ("a=nn.Conv1d(1, 2, 3), b=nn.Dropout1d(), c=nn.AlphaDropout(), d=nn.Flatten(), e=nn.Linear(8, 3)", (6, 1),
               "Conv1D(2, 3), SpatialDropout1D(0.5), AlphaDropout(0.5), GaussianNoise(0.1), ActivityRegularization(0.1), "
               "Flatten(), Dense(3, name=e)", "e is behind a Flatten"),
    "input": ("a=nn.Flatten(), b=nn.Linear(24, 3)", (2, 4, 3), "Flatten(), Dense(3)", "is behind a Flatten"),
    "reshape": ("a=nn.Conv2d(1, 2, 3), b=nn.Flatten(), c=nn.Linear(32, 3)", (6, 6, 1), "Conv2D(2, 3), Reshape((-1,)), Dense(3)",
                "is behind a Flatten"),
    "first": ("a=nn.Conv2d(1, 2, 3), b=nn.Flatten(), c=nn.Linear(24, 3)", (1, 6, 5),
              "Conv2D(2, 3, data_format='channels_first'), Flatten(), Dense(3)", "by order and shape"),
    "first_behind": ("a=nn.Conv2d(1, 2, 3), b=nn.Flatten(), c=nn.Linear(24, 3)", (1, 6, 5),
                     "Conv2D(2, 3, data_format='channels_first'), Flatten(data_format='channels_first'), Dense(3)",
                     "is behind a Flatten"),
    "generator": ("a=nn.Linear(5, 24), b=nn.BatchNorm1d(24), c=nn.ReLU(), d=nn.Unflatten(1, (4, 2, 3)), "
                  "e=nn.ConvTranspose2d(4, 2, 2, stride=2), f=nn.Flatten(), g=nn.Linear(48, 3)", (5,),
                  "Dense(24, name=a), BatchNormalization(epsilon=1e-5), ReLU(), Reshape((2, 3, 4)), "
                  "Conv2DTranspose(2, 2, strides=2), Flatten(), Dense(3)", "a is in front of a Reshape"),
    "rows": ("a=nn.Flatten(), b=nn.Linear(35, 3)", (5, 7), "Flatten(name=f), Dense(3)", "f is of (5, 7), which are"),
    "steps": ("a=nn.Linear(4, 6), b=nn.Flatten(), c=nn.Linear(30, 3)", (5, 4), "Dense(6), Flatten(), Dense(3)", "is of (5, 6), which are"),
}

#: Run by a Python with PyTorch, with FEATURES as JSON.
PYTORCH = """
import json, pathlib, sys
directory = pathlib.Path(sys.argv[1])
from collections import OrderedDict
import numpy as np, torch
from torch import nn
torch.manual_seed(1)
for name, (modules, shape, last) in json.loads(sys.argv[2]).items():
    network = nn.Sequential(eval(f"OrderedDict({modules})"))
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    rows = torch.randn(9, *shape)
    x = rows.movedim(-1, 1) if last else rows
    network.train()
    network(x)
    network.eval()
    np.savez(directory / f"{name}.npz", **{key: value.numpy() for key, value in network.state_dict().items()})
    np.save(directory / f"{name}.rows.npy", rows.numpy())
    with torch.no_grad():
        np.save(directory / f"{name}.out.npy", network(x).numpy())
"""


def safetensors(**tensors):
    header, data = {}, bytearray()
    for name, numbers in tensors.items():
        name, dtype = name.replace("__", "."), {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64"}[str(numbers.dtype)]
        header[name] = {"dtype": dtype, "shape": list(numbers.shape),
                        "data_offsets": [len(data), len(data) + numbers.nbytes]}
        data += numbers.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class RoundTrips(export_test.ExportTest):
    def test_come_back_bit_for_bit(self):
        for name in (*NETWORKS, *OTHERS):
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


class FeaturesOfImages(SystemTest):
    def test_are_put_in_the_order_of_keras(self):
        python = python_with("LOCKSTEP_TORCH_PYTHON", "torch", "numpy")
        in_front = lambda name, shape: not (name.startswith("first") or name in ("rows", "steps") or len(shape) == 1)
        modules = {name: (modules, shape, in_front(name, shape)) for name, (modules, shape, _, _) in FEATURES.items()}
        result = subprocess.run([python, "-c", PYTORCH, self.dir, json.dumps(modules)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        for name, (_, shape, layers, words) in FEATURES.items():
            with self.subTest(name):
                with np.load(self.dir / f"{name}.npz") as tensors:
                    (self.dir / f"{name}.safetensors").write_bytes(safetensors(**tensors))
                result = self.done(1, "convert", f"{name}.safetensors", "--layers", f"Input({shape}), {layers}", "--out",
                                   f"{name}.h5")
                self.assertIn(words, result.stderr)
                with h5py.File(self.dir / "d.h5", "w") as file:
                    file["x_test"] = np.load(self.dir / f"{name}.rows.npy")
                self.done(1, "predict", f"{name}.h5", "--data", "d.h5", "--out", "p.npy", "--overwrite")
                wanted = np.load(self.dir / f"{name}.out.npy")
                np.testing.assert_allclose(np.load(self.dir / "p.npy"), wanted, rtol=1e-4, atol=1e-4)

    def test_of_several_branches_are_put_in_order_each(self):
        network = functional("two", (4, 3), [
            ("a", "Conv1D", {"filters": 2, "kernel_size": [1]}, ["input"]),
            ("sum", "Add", {}, ["a", "a"]), ("flat", "Flatten", {}, ["sum"]),
            ("pool", "GlobalAveragePooling1D", {}, ["a"]), ("all", "Concatenate", {"axis": -1}, ["pool", "flat"]),
            ("out", "Dense", {"units": 5}, ["all"])])
        (self.dir / "net.json").write_text(json.dumps(network))
        weight = np.arange(50).reshape(5, 10).astype("f4")
        tensors = {"a__weight": np.ones((2, 3, 1), "f4"), "a__bias": np.zeros(2, "f4"),
                   "out__weight": weight, "out__bias": np.zeros(5, "f4")}
        (self.dir / "n.safetensors").write_bytes(safetensors(**tensors))
        self.done(1, "convert", "n.safetensors", "--model", "net.json", "--out", "m.h5")
        with h5py.File(self.dir / "m.h5") as file:
            kernel = file["model_weights/out/out/kernel:0"][()]
        np.testing.assert_array_equal(kernel, weight[:, [0, 1, *(2 + channel * 4 + step for step in range(4)
                                                                 for channel in range(2))]].T)

    def test_that_a_layer_mixes_are_refused(self):
        tensors = {"a__weight": np.ones((2, 1, 3, 3), "f4"), "a__bias": np.zeros(2, "f4"),
                   "b__weight": np.ones(32, "f4"), "b__bias": np.zeros(32, "f4")}
        (self.dir / "n.safetensors").write_bytes(safetensors(**tensors))
        self.refused(BAD_DATA, ["[b]", "in another order", "GroupNormalization"], "convert", "n.safetensors", "--layers",
                     "Input((6, 6, 1)), Conv2D(2, 3, name=a), Flatten(), GroupNormalization(4, name=b)", "--out", "m.h5",
                     ranks=(1,))
        self.assertFalse((self.dir / "m.h5").exists())


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

    def test_of_a_model_without_an_input_layer(self):
        layers = [{"class_name": "Dense", "config": {"name": "one", "batch_input_shape": [None, 3], "units": 2}},
                  {"class_name": "Dense", "config": {"name": "two", "units": 4}}]
        (self.dir / "net.json").write_text(json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}}))
        good = self.good()
        self.write(**{name.replace("one", "0").replace("two", "2"): numbers for name, numbers in good.items()})
        self.done(1, "convert", "n.safetensors", "--model", "net.json", "--out", "m.h5")
        with h5py.File(self.dir / "m.h5") as file:
            np.testing.assert_array_equal(file["model_weights/two/two/kernel:0"][()], good["two__weight"].T)

    def test_of_equal_modules_need_numbers_or_names_of_layers(self):
        layer = lambda number: {"weight": np.full((3, 3), number, "f4"), "bias": np.full(3, number, "f4")}
        def write(*names):
            self.write(**{f"{name}__{part}": numbers for number, name in enumerate(names)
                          for part, numbers in layer(number).items()})
        def kernels():
            with h5py.File(self.dir / "m.h5") as file:
                weights = file["model_weights"]
                return [int(weights[f"{name}/{name}/kernel:0"][0, 0]) for name in weights.attrs["layer_names"].astype(str)
                        if "input_" not in name]
        unnamed = "Input((3,)), Dense(3), Dense(3)"
        write("input", "hidden")
        self.refused_file(["dense, dense_1", "hidden, input", "3, 3", "name=hidden"], unnamed)
        self.done(1, "convert", "n.safetensors", "--layers", "Input((3,)), Dense(3, name=input), Dense(3)", "--out", "m.h5")
        self.assertEqual(kernels(), [0, 1])
        write("net__input", "net__hidden")
        self.done(1, "convert", "n.safetensors", "--layers", "Input((3,)), Dense(3, name=net_input), Dense(3)", "--out", "m.h5",
                  "--overwrite")
        self.assertEqual(kernels(), [0, 1])
        write("fc2", "fc10")
        self.done(1, "convert", "n.safetensors", "--layers", unnamed, "--out", "m.h5", "--overwrite")
        self.assertEqual(kernels(), [0, 1])

    def test_of_many_modules(self):
        self.write(**{f"m{i}__weight": np.zeros((1, i % 5 + 1), "f4") for i in range(60000)})
        self.refused(BAD_DATA, ["60001 problems"], "convert", "n.safetensors", "--layers", "Input((3,)), Dense(2, use_bias=False)",
                     "--out", "m.h5", ranks=(1,))

    def test_of_damaged_files(self):
        whole = safetensors(**self.good())
        for bytes, words in ((b"", "less than 8"), (b"PK\3\4" + b"x" * 50, "longer than the file"), (whole[:-1], "bytes"),
                             (struct.pack("<Q", 3) + b"{x}", "no JSON"), (struct.pack("<Q", 4) + b"[[]]", "no JSON"),
                             (struct.pack("<Q", 25) + b'{"a": {"shape": [[2, 3]]}}'[:25], "nested"),
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
