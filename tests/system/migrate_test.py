"""lockstep migrate: scripts of the kinds that Keras's guides and examples have. The command that it prints is run, and
what it trains is what real Keras says that the script trains (migrate_scripts/expected.py)."""
import json
import pathlib
import re

import h5py
import numpy as np

from support import BAD_DATA, CANNOT_CREATE, MISSING, USAGE, SystemTest, history, main

SCRIPTS = pathlib.Path(__file__).resolve().parent / "migrate_scripts"
EXPECTED = json.loads((SCRIPTS / "expected.json").read_text())
LOSSES = {"huber": "huber_loss", "mean_squared_error": "mse"}  # Keras's names of objects and of what scripts write


def rows(seed, count, *shape):
    return np.random.default_rng(seed).random((count, *shape)).astype(np.float32)


def classes(count, number):
    return np.arange(count) % number


def images(count):
    return {"x_train": (rows(1, count, 28, 28) * 255).astype(np.uint8), "y_train": classes(count, 10),
            "x_test": (rows(2, 12, 28, 28) * 255).astype(np.uint8), "y_test": classes(12, 10)}


def pairs(x, y, *parts):
    return {f"{name}_{part}": values for part in ("train", *parts) for name, values in (("x", x), ("y", y))}


def words(length, number):
    return np.random.default_rng(3).integers(1, number, (10, length))


# The arrays that each script makes, small; and what in its text is not carried over.
DATA = {
    "autoencoder": lambda: {"x_train": rows(1, 20, 784), "x_val": rows(2, 8, 784)},
    "cifar_bn": lambda: pairs(rows(1, 20, 32, 32, 3), np.eye(10, dtype=np.float32)[classes(20, 10)], "val", "test"),
    "fashion_cnn": lambda: images(60),
    "forecast_lstm": lambda: pairs(rows(1, 40, 12, 1), rows(2, 40)),
    "functional_mlp": lambda: images(60),
    "functional_resnet": lambda: images(20),
    "imdb_bilstm": lambda: pairs(words(200, 20000), classes(10, 2), "val"),
    "imdb_lstm": lambda: pairs(words(80, 2000), classes(10, 2), "val", "test"),
    "mnist_mlp": lambda: images(40),
    "regression": lambda: pairs(rows(1, 40, 9), rows(2, 40)),
    "transfer": lambda: pairs(rows(1, 12, 12), classes(12, 5), "val"),
}
WARNINGS = {"cifar_bn": [r"line 54, ReduceLROnPlateau\(.*: ReduceLROnPlateau is not carried over beside"]}


def read_config(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(" = ", 1) if " = " in line else (line.rstrip(" ="), "") for line in lines)


def layers_of(config):
    """Class names, models in the network replaced by theirs."""
    for layer in config["layers"]:
        if layer["class_name"] in ("Sequential", "Functional", "Model"):
            yield from layers_of(layer["config"])
        elif layer["class_name"] not in ("InputLayer", "Rescaling", "Reshape"):
            yield layer["class_name"]


def trained(path):
    """What a final.h5 says of itself, in the words of expected.json."""
    with h5py.File(path) as file:
        network = json.loads(file.attrs["model_config"])["config"]
        how = json.loads(file.attrs["training_config"])
        shapes = []
        file["model_weights"].visititems(
            lambda _, item: shapes.append(list(item.shape)) if isinstance(item, h5py.Dataset) else None)
    optimizer = how["optimizer_config"]
    loss = how["loss"]
    return {"layers": list(layers_of(network)), "weights": shapes, "optimizer": optimizer["class_name"],
            "config": optimizer["config"], "loss": loss["class_name"] if isinstance(loss, dict) else loss}


def snake(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class MigrateTest(SystemTest):
    def migrate(self, name, *options):
        return self.done(1, "migrate", SCRIPTS / f"{name}.py", "--out", f"{name}.cfg", *options)

    def same_number(self, ours, keras):
        self.assertLessEqual(abs(ours - keras), 1e-6 * abs(keras), (ours, keras))

    def check_run(self, config, final, expected):
        ours = trained(final)
        self.assertEqual(sorted(ours["layers"]), sorted(expected["layers"]))
        self.assertEqual(sorted(ours["weights"]), sorted(expected["weights"]))
        self.assertEqual(ours["optimizer"], expected["optimizer"])
        for key, value in expected["settings"].items():
            if key in ours["config"]:
                self.same_number(ours["config"][key], value)
        rate = ours["config"]["learning_rate"]
        if isinstance(expected["rate"], dict):
            for key, value in expected["rate"].items():
                if key != "name":
                    self.same_number(rate["config"][key], value)
        elif "learning-rate-expression" not in config:
            self.same_number(rate, expected["rate"])
        loss = snake(ours["loss"])
        self.assertIn(expected["loss"], (loss, LOSSES.get(loss), loss.replace("sparse_", "")))
        for key, value in expected["fit"].items():
            if (key, value) not in (("verbose", 1), ("shuffle", True)):
                self.assertEqual(config[key.replace("_", "-")], json.dumps(value))


class Scripts(MigrateTest):
    def run_script(self, name):
        """Runs what is printed, for an epoch or two. Returns the configs."""
        result = self.migrate(name)
        warnings = [line for line in result.stderr.splitlines() if "warning" in line]
        for pattern, line in zip(WARNINGS.get(name, []), warnings, strict=True):
            self.assertRegex(line, pattern)
        commands = [line.split() for line in result.stdout.splitlines() if line.startswith("mpirun")]
        configs = []
        for command, expected in zip(commands, EXPECTED[name], strict=True):
            self.assertEqual(command[:5], ["mpirun", "-n", "2", "lockstep", "train"])
            config = read_config(self.dir / command[5])
            with h5py.File(self.dir / config["data"], "w") as file:
                for array, values in DATA[name]().items():
                    file[array] = values
            self.done(2, "train", command[5], "--epochs", 2, "--verbose", 0)
            run = self.dir / config.get("run-dir", "run")
            if config.get("save-format") == "keras":
                self.done(1, "export", run / "final.keras", "--out", run / "final.h5")
            self.check_run(config, run / "final.h5", expected)
            self.assertEqual(len(history(run)), 2)
            configs.append(config)
        return configs

    def test_mlp_of_mnist(self):
        config, = self.run_script("mnist_mlp")
        self.assertTrue(config["layers"].startswith("Input((28, 28)), Reshape((784,)), Rescaling(1/255), Dense(512, "))
        self.assertEqual((config["x-val"], config["loss"]), ("x_test", "sparse_categorical_crossentropy"))
        self.assertIn("import npz ~/.keras/datasets/mnist.npz --out mnist.h5", (self.dir / "mnist_mlp.cfg").read_text())

    def test_cnn_of_fashion_mnist(self):
        config, = self.run_script("fashion_cnn")
        self.assertEqual(config["save-format"], "keras")
        self.assertEqual(round(60000 * (1 - float(config["validation-split"]))), 50000)
        self.assertEqual((config["early-stopping"], config["patience"], config["restore-best-weights"]),
                         ("val_loss", "3", "true"))
        self.assertEqual(config["seed"], "42")
        self.assertEqual(config["metrics"], "accuracy, SparseTopKCategoricalAccuracy(k=3, name=top3)")

    def test_cnn_of_cifar_with_normalization_and_a_function_of_the_epoch(self):
        config, = self.run_script("cifar_bn")
        self.assertEqual(config["learning-rate-expression"],
                         "((epoch > 100) ? 0.0003 : ((epoch > 75) ? 0.0005 : 0.001))")
        self.assertEqual(config["save-best"], "val_accuracy")
        self.assertIn("label_smoothing=0.1", config["loss"])

    def test_lstm_of_texts(self):
        config, = self.run_script("imdb_lstm")
        self.assertEqual(config["class-weight"], "0:1, 1:2.5")

    def test_bidirectional_lstm_of_texts(self):
        self.run_script("imdb_bilstm")

    def test_functional_mlp(self):
        config, = self.run_script("functional_mlp")
        self.assertIn("name=predictions", config["layers"])

    def test_residual_network(self):
        config, = self.run_script("functional_resnet")
        self.assertEqual((config["model"], config["weight-decay"], config["clipnorm"]),
                         ("functional_resnet.json", "0.01", "1"))

    def test_autoencoder_of_two_models(self):
        config, = self.run_script("autoencoder")
        self.assertEqual((config["y"], config["x-val"], config["y-val"]), ("x_train", "x_val", "x_val"))

    def test_time_series(self):
        config, = self.run_script("forecast_lstm")
        self.assertEqual(config["learning-rate-expression"], "((epoch < 10) ? rate : (rate * exp((-0.1))))")
        text = (self.dir / "forecast_lstm.cfg").read_text()
        self.assertIn('file["x_train"] = trainX', text)
        rates = [float(epoch["learning_rate"]) for epoch in history(self.dir / "run")]
        self.same_number(rates[0], 0.005)

    def test_regression(self):
        self.run_script("regression")

    def test_transfer_learning_in_two_phases(self):
        with h5py.File(self.dir / "old.h5", "w") as file:
            for name, values in pairs(rows(1, 12, 12), classes(12, 3)).items():
                file[name] = values
        self.train(1, "old.h5", "--verbose", 0, run_dir="old", layers="Input((12,)), Dense(8, relu), Dense(3, softmax)")
        (self.dir / "old" / "final.h5").rename(self.dir / "pretrained.h5")
        first, second = self.run_script("transfer")
        self.assertEqual((first["from"], first["freeze"]), ("pretrained.h5", "*"))
        self.assertEqual(first["replace-head"], "Dropout(0.2), Dense(5, activation=softmax, name=flowers)")
        self.assertEqual((second["from"], second["unfreeze"], second["run-dir"]), ("run/final.h5", "*", "run-2"))
        with h5py.File(self.dir / "pretrained.h5") as before, h5py.File(self.dir / "run" / "final.h5") as frozen, \
                h5py.File(self.dir / "run-2" / "final.h5") as after:
            kernel = "model_weights/dense/dense/kernel:0"
            np.testing.assert_array_equal(before[kernel][()], frozen[kernel][()])
            self.assertFalse(np.array_equal(after[kernel][()], frozen[kernel][()]))


class Words(MigrateTest):
    """Small scripts of one thing each."""

    FRAME = """from keras import layers, callbacks, optimizers, losses, Sequential
import keras
import numpy as np
x, y = load()
{before}
model = Sequential([keras.Input((4,)), {layers}])
model.compile({compile})
model.fit(x, y, {fit})
"""

    def script(self, layers="layers.Dense(1)", compile="'sgd', 'mse'", fit="epochs=3", before=""):
        (self.dir / "s.py").write_text(self.FRAME.format(layers=layers, compile=compile, fit=fit, before=before))

    def migrated(self, **parts):
        self.script(**parts)
        result = self.done(1, "migrate", "s.py", "--out", "s.cfg", "--overwrite")
        return read_config(self.dir / "s.cfg"), result.stderr

    def test_optimizers_and_schedules(self):
        for text, expected in {
            "optimizers.Adam(1e-3, 0.8)": {"optimizer": "adam", "learning-rate": "0.001", "beta-1": "0.8"},
            "optimizers.SGD(lr=0.1, decay=1e-6, momentum=0.9)":
                {"learning-rate": "0.1", "learning-rate-schedule": "inverse_time", "decay-steps": "1",
                 "decay-rate": "1e-06", "momentum": "0.9"},
            "optimizers.Nadam(optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1]))":
                {"optimizer": "nadam", "boundaries": "10,20", "values": "1,0.5,0.1"},
            "optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 5 * 100, alpha=0.1))":
                {"learning-rate": "0.01", "learning-rate-schedule": "cosine", "decay-steps": "500", "alpha": "0.1"},
        }.items():
            with self.subTest(text):
                config, errors = self.migrated(compile=f"{text}, losses.MeanAbsoluteError()")
                self.assertLessEqual(expected.items(), config.items())
                self.assertNotIn("warning", errors)

    def test_callbacks(self):
        config, errors = self.migrated(
            fit="validation_split=0.25, callbacks=[callbacks.ReduceLROnPlateau('val_loss', 0.2, 5, min_lr=1e-3), "
                "callbacks.TensorBoard(log_dir='logs', histogram_freq=2), callbacks.CSVLogger('a.csv'), "
                "callbacks.TerminateOnNaN(), callbacks.ModelCheckpoint('b.keras', save_best_only=True)]")
        self.assertLessEqual({"reduce-lr-on-plateau": "val_loss", "reduce-lr-factor": "0.2", "reduce-lr-patience": "5",
                              "min-lr": "0.001", "save-best": "val_loss", "save-format": "keras",
                              "tensorboard": "logs", "tensorboard-histograms": "2"}.items(), config.items())
        self.assertNotIn("warning", errors)

    def test_python_that_is_computed(self):
        config, _ = self.migrated(
            before="def block(n, rate=0.5):\n    return [layers.Dense(n // 2), layers.Dropout(rate)]\n"
                   "stack = []\nfor i, n in enumerate([8, 16]):\n    if i % 2 == 0 or n > 100:\n"
                   "        stack += block(n)\n    elif n is not None:\n        stack.extend(block(n, rate=0.25))\n"
                   "sizes = {'last': 2 ** 0}\nEPOCHS = [2 * k for k in range(5) if k > 2][0]",
            layers="*stack, layers.Dense(sizes['last'])", fit="epochs=EPOCHS",
            compile="optimizers.SGD(10 ** -3 * 2.0 ** 1, momentum=0.5 ** 2), 'mse'")
        self.assertEqual((config["learning-rate"], config["momentum"]), ("0.002", "0.25"))
        self.assertEqual(config["epochs"], "6")
        self.assertEqual(config["layers"],
                         "Input((4,)), Dense(4), Dropout(0.5), Dense(8), Dropout(0.25), Dense(1)")

    def test_what_is_not_carried_over_is_quoted(self):
        _, errors = self.migrated(fit="epochs=3, sample_weight=w, initial_epoch=2", before="w = weigh(x)\nstrange(w)")
        self.assertIn("line 6, strange(w): is not understood", errors)
        self.assertIn("line 9, model.fit(x, y, epochs=3, sample_weight=w, initial_epoch=2): ", errors)
        self.assertNotIn("line 4,", errors)  # makes the rows: that stays with the script

    def test_a_network_that_lacks_a_layer_is_refused_with_all_that_it_lacks(self):
        self.script(layers="layers.Lambda(lambda x: x), layers.Dense(u), layers.Hashing(3)",
                    before="u = unknown()")
        self.refused(BAD_DATA, ["line 6", "Lockstep has no Lambda", "units of Dense is not understood"], "migrate", "s.py",
                     ranks=(1,))

    def test_functions_of_the_epoch(self):
        for text, expected in {
            "lambda e: 0.1 * 0.5 ** (e // 10)": "(0.1 * (0.5 ^ floor(epoch / 10)))",
            "lambda e, lr: max(lr * 0.9, 1e-4)": "max((rate * 0.9), 0.0001)",
        }.items():
            config, errors = self.migrated(fit=f"callbacks=[callbacks.LearningRateScheduler({text})]")
            self.assertEqual(config["learning-rate-expression"], expected)
            self.assertNotIn("warning", errors)
        config, errors = self.migrated(fit="callbacks=[callbacks.LearningRateScheduler(lambda e: table[e])]")
        self.assertNotIn("learning-rate-expression", config)
        self.assertIn("its function cannot be said in an expression", errors)


class WrongInputs(MigrateTest):
    def refused_script(self, text, words, code=BAD_DATA):
        (self.dir / "s.py").write_bytes(text if isinstance(text, bytes) else text.encode())
        self.refused(code, words, "migrate", "s.py", ranks=(1, 2))

    def test_what_is_no_python(self):
        self.refused_script("model = Sequential(\n", ["s.py", "line 1", "bracket"])
        self.refused_script("x = = 3\n", ["line 1", "expected an expression"])
        self.refused_script("if x:\npass\n", ["line 2", "expected an indented line"])
        self.refused_script("x = 'abc\n", ["line 1", "string"])
        self.refused_script(bytes(range(256)), ["s.py"])
        self.refused_script("(" * 5000, ["s.py"])
        self.refused_script("x = " + "-" * 5000 + "1\n", ["nested too deeply"])
        self.refused_script("x = " + "1+" * 5000 + "1\n", ["too long"])
        self.refused_script("while_ = 1\n" * 200_000, ["at most"])

    def test_what_lockstep_train_would_not_take(self):
        frame = Words.FRAME.format(before="", layers="layers.Dense(3)", compile="'sgd', {}", fit="epochs=2{}")
        self.refused_script(frame.format("'ctc'", ""), ["line 8", "lockstep train", "ctc"])
        self.refused_script(frame.format("'categorical_crossentropy'", ""), ["line 8", "expected probabilities"])
        self.refused_script(frame.format("'mse'", ", epochs=3"), ["line 8", "expected 'epochs' once"])

    def test_scripts_that_train_nothing(self):
        self.refused_script("", ["found none"])
        self.refused_script("print('hello')\nx = 3\n", ["found none"])
        self.refused_script("for i in range(9999):\n    for j in range(9999):\n        x = i\n", ["does much else"])
        self.refused_script("def f(x):\n    return f(x)\nf(1)\n", ["found none"])

    def test_files_and_options(self):
        self.refused(MISSING, ["none.py"], "migrate", "none.py", ranks=(1,))
        self.refused(USAGE, ["SCRIPT.py"], "migrate", ranks=(1,))
        self.refused(USAGE, [".cfg"], "migrate", SCRIPTS / "mnist_mlp.py", "--out", "x.txt", ranks=(1,))
        self.refused(USAGE, ["--out", "no chain"], "migrate", SCRIPTS / "functional_resnet.py", ranks=(1,))
        self.migrate("mnist_mlp")
        before = (self.dir / "mnist_mlp.cfg").read_text()
        self.refused(CANNOT_CREATE, ["mnist_mlp.cfg"], "migrate", SCRIPTS / "mnist_mlp.py", "--out", "mnist_mlp.cfg",
                     ranks=(1,))
        self.migrate("mnist_mlp", "--overwrite", "--data", "other.h5")
        after = (self.dir / "mnist_mlp.cfg").read_text()
        self.assertEqual(after, before.replace("mnist.h5", "other.h5"))
        printed = self.done(1, "migrate", SCRIPTS / "mnist_mlp.py").stdout
        self.assertEqual(printed, before)


if __name__ == "__main__":
    main()
