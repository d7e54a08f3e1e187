"""Functional models of real Keras: tests/reference/keras_graphs.py wrote them, and what Keras makes of them."""
import json

import h5py
import numpy as np

from support import BAD_DATA, REFERENCE_FILES, SystemTest, history, main

FILES = REFERENCE_FILES.parent / "keras_graphs"
KERASES = ("keras2", "keras3")
MODELS = [(f"{keras}_{name}", entry) for keras in KERASES
          for name, entry in json.loads((FILES / f"{keras}.json").read_text())["models"].items()]
ROWS = ("--data", FILES / "rows.h5", "--x", "x")
STEPS, MIDDLE = 50, 21


def placed(words):
    """With the names of files as paths."""
    return [FILES / word if (FILES / word).is_file() else word for word in words]


class GraphsTest(SystemTest):
    def predictions(self, *network):
        self.done(1, "predict", *network, *ROWS, "--out", "p.h5", "--overwrite")
        with h5py.File(self.dir / "p.h5") as file:
            return file["predictions"][:]

    def assert_close(self, ours, keras, tolerance):
        difference = np.abs(ours - np.reshape(keras, ours.shape))
        self.assertLess(difference.max(), tolerance, f"at {int(difference.argmax())}")

    def train_steps(self, ranks, run_dir, y, *network, first=0, to=STEPS):
        """Epochs of one step: their losses are those of the steps, not means."""
        self.done(ranks, "train", *network, *ROWS, "--y", y, "--no-shuffle", "--batch-size", 8, "--steps-per-epoch", 1,
                  "--epochs", to - first, "--checkpoint-every", 24, "--verbose", 0, "--run-dir", run_dir)
        return np.array([float(epoch["loss"]) for epoch in history(self.dir / run_dir)])


class FunctionalModels(GraphsTest):
    def test_predict_what_keras_predicts(self):
        self.assertEqual(len(MODELS), 15)
        for name, entry in MODELS:
            with self.subTest(name):
                self.assert_close(self.predictions(*placed(entry["network"])), entry["predictions"], 1e-6)

    def test_train_to_the_losses_of_keras_on_any_number_of_ranks(self):
        for name, entry in MODELS:
            with self.subTest(name):
                network = [entry["y"], *placed(entry["network"]), *entry["compile"]]
                alone = self.train_steps(1, f"{name}_1", *network)
                self.assert_close(alone / entry["losses"], np.ones(STEPS), 1e-5)
                final = self.dir / f"{name}_1" / "final.h5"
                # Moving statistics are in these: those of a layer that is used twice, in Keras's order.
                self.assert_close(self.predictions(final), entry["predictions at the end"], 1e-5)
                if name in ("keras2_transfer", "keras3_twins", "keras3_translator"):  # the rest from what is saved
                    self.train_steps(3, f"{name}_3", *network, to=24)
                np.testing.assert_array_equal(self.train_steps(3, f"{name}_3", *network), alone)
                self.assertEqual(self.sha256(self.dir / f"{name}_3" / "final.h5"), self.sha256(final))


class FunctionalModelsInTheMiddle(GraphsTest):
    """Files with the optimizer's state."""

    def test_predict_and_train_on_as_in_keras(self):
        files = sorted(FILES.glob("*_middle.*"))
        self.assertEqual(len(files), 16)
        for file in files:
            entry = dict(MODELS)[file.name.split("_middle")[0]]
            with self.subTest(file.name):
                self.assert_close(self.predictions(file), entry["predictions in the middle"], 1e-6)
                losses = self.train_steps(1, file.name, entry["y"], "--from", file, first=MIDDLE)
                self.assert_close(losses / entry["losses"][MIDDLE:], np.ones(STEPS - MIDDLE), 1e-5)

    def test_are_evaluated(self):
        entry = dict(MODELS)["keras3_deep"]
        text = self.done(3, "evaluate", FILES / "keras3_deep_middle.keras", "--data", FILES / "rows.h5", "--x-test", "x",
                         "--y-test", entry["y"]).stdout
        self.assertIn(f"{entry['loss in the middle']:.4f}", text)


class FunctionalModelsOnTheScreen(GraphsTest):
    def test_show_what_layers_are_connected_to(self):
        network = FILES / "keras2_transfer_middle.h5"
        for text in (self.done(1, "inspect", network).stdout,
                     self.done(1, "train", "--from", network, *ROWS, "--y", "labels", "--steps-per-epoch", 1,
                               "--summary").stdout):
            self.assertIn("Connected to", text)
            self.assertRegex(text, r"\n add \(Add\) +\(None, 6\) +0 +\['dropout\[0\]\[0\]', ")

    def test_are_refused_by_the_names_of_their_layers(self):
        network = json.loads((FILES / "keras2_branches.json").read_text())
        layers = {layer["name"]: layer for layer in network["config"]["layers"]}

        def refused(words, **changes):
            changed = json.loads(json.dumps(network))
            for layer in changed["config"]["layers"]:
                layer.update(changes.get(layer["name"], {}))
            (self.dir / "wrong.json").write_text(json.dumps(changed))
            self.refused(BAD_DATA, words, "train", "--model", "wrong.json", *ROWS, "--y", "values", "--loss", "mse")

        refused(["expected inputs that do not depend on the layer itself", "(left)", "(shared)"],
                left={"inbound_nodes": [[["shared", 2, 0, {}]]]})
        refused(["(left)", "expected the name of a layer as input, got nobody"],
                left={"inbound_nodes": [[["nobody", 0, 0, {}]]]})
        refused(["(subtract)", "(None, 5) and (None, 8)"],
                right={"config": {**layers["right"]["config"], "units": 5}},
                subtract={"inbound_nodes": [[["left", 0, 0, {}], ["input_1", 0, 0, {}]]]})


if __name__ == "__main__":
    main()
