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


NETWORK = """import keras, tensorflow as tf, argparse, os
from keras import layers
args = argparse.ArgumentParser().parse_args()
"""
TRAINED = "\nmodel.compile('sgd', 'mse')\nmodel.fit(x, y, epochs=2)\n"
AGAIN = "\nmodel.compile('sgd', 'mse')\nmodel.fit(x, y, epochs=3)\n"
BASE = """inp = keras.Input((4,))
{}
base = keras.Model(inp, h, name="base")
model = keras.Sequential([keras.Input((4,)), base, layers.Dense(1)])
"""
CHAIN = BASE.format("h = layers.Dense(8, activation='relu')(inp)")


class NothingIsDropped(MigrateTest):
    """What a script says in other ways than the plainest: carried over, or told."""

    def write(self, text):
        (self.dir / "s.py").write_text(NETWORK + text)

    def configs(self, text, count=1):
        self.write(text)
        result = self.done(1, "migrate", "s.py", "--out", "s.cfg", "--overwrite")
        names = ["s.cfg"] + [f"s-{i}.cfg" for i in range(2, count + 1)]
        return [read_config(self.dir / name) for name in names], result.stderr

    def layers(self, text):
        (config,), errors = self.configs(text + TRAINED)
        self.assertNotIn("warning", errors)
        return config["layers"].removeprefix("Input((4,)), ")

    def refused_script(self, text, *words):
        self.write(text)
        self.refused(BAD_DATA, list(words), "migrate", "s.py", ranks=(1,))

    def sequential(self, layers, before=""):
        return f"{before}\nmodel = keras.Sequential([keras.Input((4,)), {layers}])\n"

    def test_layers_that_the_reader_makes(self):
        text = BASE.format("a = layers.Dense(4)(inp)\nh = layers.add([a, inp], name='sum')")
        text += "base.trainable = False"
        self.configs(text + TRAINED)
        written = json.loads((self.dir / "s.json").read_text())
        base = next(layer for layer in written["config"]["layers"] if layer["name"] == "base")
        inner = {layer["name"]: layer["config"].get("trainable", True) for layer in base["config"]["layers"]}
        self.assertEqual(inner, {"input_layer_1": True, "dense": False, "sum": False})

    def test_functions_with_stars(self):
        self.assertEqual(self.layers(
            "def mlp(first, *hidden, last=1, **rest):\n"
            "    return [layers.Dense(n, **rest) for n in (first, *hidden)] + [layers.Dense(last)]\n"
            "model = keras.Sequential([keras.Input((4,)), *mlp(5, 6, activation='relu', last=2)])"),
            "Dense(5, activation=relu), Dense(6, activation=relu), Dense(2)")
        self.refused_script("def f(a):\n    return a\nu = f(1, 2)\n" + self.sequential("layers.Dense(1)"),
                            "line 6", "the function does not have")
        self.refused_script("def f(**k):\n    return layers.Dense(4, **k)\n"
                            + self.sequential("f(**args.more)") + TRAINED, "arguments of Dense are not understood")

    def test_what_depends_on_options(self):
        model = self.sequential("layers.Dense(1)")
        for text in ("if args.deep:\n    model.add(layers.Dense(1))\n",
                     "for n in args.sizes:\n    model.add(layers.Dense(n))\n",
                     "def more():\n    model.add(layers.Dense(2))\nif args.deep:\n    more()\n",
                     "while args.deep():\n    model.add(layers.Dense(1))\n"):
            with self.subTest(text):
                self.refused_script(model + text + TRAINED, "is not known")
        self.refused_script("units = 3\nif args.deep:\n    units = 4\n" + self.sequential("layers.Dense(units)"),
                            "units of Dense is not understood")
        _, errors = self.configs("if not os.path.exists('out'):\n    os.makedirs('out')\n" + model
                                 + "if args.show:\n    model.summary()\n    print(model.count_params())\n" + TRAINED)
        self.assertNotIn("warning", errors)

    def test_elements_that_are_set(self):
        self.assertEqual(self.layers(self.sequential(
            "layers.Dense(p['units']), layers.Dense(s[-1])",
            "p = {'units': 1}\np['units'] = 128\np['new'] = 2\np['new'] *= 3\ns = [1, 2]\ns[1] = p['new']")),
            "Dense(128), Dense(6)")
        self.refused_script(self.sequential("layers.Dense(s[0])", "s = [1, 2]\nt = s\nt[args.n] = 3") + TRAINED,
                            "units of Dense is not understood")
        self.refused_script(self.sequential("layers.Dense(s[0])", "s = [1, 2]\ns.reverse()") + TRAINED,
                            "units of Dense is not understood")

    def test_scopes(self):
        self.assertEqual(self.layers(
            "units = 10\ndef make(units):\n    def block():\n        return layers.Dense(units)\n"
            "    return block()\n"
            + self.sequential("make(256)")), "Dense(256)")
        self.assertEqual(self.layers(
            "model = None\ndef build():\n    global model\n"
            "    model = keras.Sequential([keras.Input((4,)), layers.Dense(7)])\n"
            "model = keras.Sequential([layers.Dense(1)])\nbuild()\n"), "Dense(7)")
        text = self.sequential("layers.Dense(units)", "units = 64\nn = [units for units in [1, 2]]")
        self.assertEqual(self.layers(text), "Dense(64)")

    def test_reductions_of_the_loss(self):
        text = self.sequential("layers.Dense(1)")
        text += "model.compile('sgd', keras.losses.MeanSquaredError({}))\nmodel.fit(x, y)\n"
        for reduction in ("reduction='sum'", "reduction=keras.losses.Reduction.SUM"):
            self.refused_script(text.format(reduction), "its reduction is not carried over")
        for reduction in ("reduction='sum_over_batch_size'", "reduction=tf.keras.losses.Reduction.AUTO",
                          "reduction=None"):
            (config,), _ = self.configs(text.format(reduction))
            self.assertEqual(config["loss"], "MeanSquaredError")

    def test_activations_with_settings(self):
        text = "i = keras.Input((4,))\nh = layers.Dense(8)(i)\nh = {}\nmodel = keras.Model(i, layers.Dense(1)(h))\n"
        for call, layer in {"tf.nn.leaky_relu(h, alpha=0.01)": "LeakyReLU(0.01)",
                            "keras.activations.relu(h, max_value=6.0)": "ReLU(6.0)",
                            "tf.nn.relu(h, name='r')": "Activation(relu, name=r)"}.items():
            self.assertEqual(self.layers(text.format(call)), f"Dense(8), {layer}, Dense(1)")
        self.refused_script(text.format("keras.activations.softmax(h, axis=0)") + TRAINED, "settings of softmax")

    def test_frozen_and_trained_again(self):
        (first, second), _ = self.configs(
            CHAIN + "base.trainable = False" + TRAINED + "base.trainable = True" + AGAIN, 2)
        self.assertIn("Dense(8, activation=relu, trainable=False)", first["layers"])
        self.assertEqual((second["from"], second["unfreeze"]), ("run/final.h5", "dense"))
        text = self.sequential("layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)") \
            + "for layer in model.layers:\n    if isinstance(layer, layers.BatchNormalization):\n" \
              "        layer.trainable = False\n"
        self.assertEqual(self.layers(text), "Dense(3), BatchNormalization(trainable=False), Dense(1)")

    def test_what_is_done_between_two_fits(self):
        model = self.sequential("layers.Dense(2, name='a'), layers.Dense(1)")
        best = "\nmodel.compile('sgd', 'mse')\nmodel.fit(x, y, validation_split=0.2, callbacks=" \
            "[keras.callbacks.ModelCheckpoint('best.keras', save_best_only=True)])\n"
        for load in ("model.load_weights('best.keras')", "model = keras.models.load_model('best.keras')"):
            (_, second), _ = self.configs(model + best + load + AGAIN, 2)
            self.assertEqual(second["from"], "run/best.keras")
        for change in ("model.set_weights(w)", "model.load_weights('other.h5')", "model.pop()"):
            self.refused_script(model + TRAINED + change + AGAIN, change)
            _, errors = self.configs(model + TRAINED + change + "\nmodel.evaluate(x, y)\n")
            self.assertNotIn("warning", errors)
        _, errors = self.configs(model + TRAINED + "model.optimizer.learning_rate = 1e-5\nmodel.fit(x, y)\n")
        self.assertIn("the attribute learning_rate is not carried over", errors)
        (config,), _ = self.configs(model + "o = keras.optimizers.SGD(1.0)\no.learning_rate = 0.5\n"
                                    "model.compile(o, 'mse')\nmodel.fit(x, y)\n")
        self.assertEqual(config["learning-rate"], "0.5")
        (first, second), _ = self.configs(model + TRAINED + "model.fit(x2, y2)\n", 2)
        self.assertEqual((first["data"], second["data"]), ("data.h5", "data-2.h5"))
        (config,), _ = self.configs(model + "model.load_weights('o.h5', by_name=True, skip_mismatch=True)" + TRAINED)
        self.assertEqual((config["weights"], config["skip-mismatch"]), ("o.h5", "true"))
        _, errors = self.configs(model + "model.set_weights(w)" + TRAINED)
        self.assertIn("the method set_weights of a network is not carried over", errors)

    def test_what_the_data_tell(self):
        self.assertEqual(self.layers(
            "model = keras.Sequential([layers.Dense(2, input_shape=(x.shape[1],), name=f'd{x}'), layers.Dense(1)])"),
            "Dense(2), Dense(1)")
        text = "i = keras.Input((4,))\na = keras.Sequential([layers.RandomFlip()])\nh = a(i)\n" \
            "model = keras.Model(i, layers.add([layers.Dense(4)(h), h]))\n"
        self.assertIn("left out", self.configs(text + TRAINED)[1])
        (config,), errors = self.configs(
            "try:\n    import fast\nexcept ImportError:\n    pass\n"
            "try:\n    model = keras.models.load_model('m.keras')\n"
            "except OSError:\n    model = keras.Sequential([layers.Dense(1)])\n" + TRAINED)
        self.assertEqual(config["from"], "m.keras")
        self.assertEqual(errors.count("if the lines before fail"), 1)


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
        self.refused_script("x = " + "(" * 95 + "a" + ("+a" * 990 + ")") * 95 + "\n", ["too long"])
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

    def test_work_without_end(self):
        for text in ("s = 'ab'\nfor i in range(36):\n    s = s + s\n",
                     "l = [1]\nfor i in range(36):\n    l = l + l\n",
                     "l = [1]\nfor i in range(36):\n    l += l\n", "l = [1]\nfor i in range(36):\n    l.extend(l)\n",
                     "x = g()\n" + "x = f(x)\n" * 10_000):
            self.refused_script(text, ["does much else"])
        self.refused_script("import keras\nx = keras.Input((4,))\nd = keras.layers.Dense(4)\nfor j in range(20):\n"
                            "    for i in range(9000):\n        x = d(x)\n", ["10000 uses of layers"])
        self.refused_script("def f(x):\n" + "".join(" " * d + "if 1:\n" for d in range(1, 90)) + " " * 90
                            + "f(x)\nf(1)\n", ["nested too deeply"])

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
