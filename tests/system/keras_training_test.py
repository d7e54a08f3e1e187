"""Lockstep's training against Keras's: tests/reference/keras_reference.py write-training made the files."""
import json

import h5py
import numpy as np

from support import REFERENCE_FILES, SystemTest, history, main

EXPECTED = json.loads((REFERENCE_FILES / "training_expected.json").read_text())
EXPECTED["masked"] = json.loads((REFERENCE_FILES / "masked_expected.json").read_text())
# Of a loss, relative, and of a weight at the end.
TOLERANCES = {"reference": (1e-5, 1e-5), "cnn": (1e-5, 1e-5), "bn_cnn": (1e-4, 4e-4),
              "recurrent": (1e-5, 1e-5), "masked": (1e-5, 2e-5)}
RANKS = {"masked": (1, 3)}
ROWS = {"masked": "masked_rows.h5"}


def weights_of(path):
    """In Keras's order."""
    with h5py.File(path) as file:
        layers = file["model_weights"]
        return [layers[layer][weight][()] for layer in layers.attrs["layer_names"]
                for weight in layers[layer].attrs["weight_names"]]


def sample(values):
    """As in keras_reference.py."""
    return values.ravel()[::values.size // 1000 | 1]


class FromTheSameWeights(SystemTest):
    def train_as_keras(self, network, ranks, steps):
        # Epochs of one step: their losses are those of the steps, not means.
        return self.train(ranks, REFERENCE_FILES / ROWS.get(network, "training_rows.h5"), "--from",
                          REFERENCE_FILES / f"training_{network}.h5", "--no-shuffle", "--batch-size", "32",
                          "--steps-per-epoch", "1", "--epochs", steps, "--checkpoint-every", steps,
                          run_dir=f"{network}_{ranks}", layers=None)

    def assert_trains_as_keras(self, network):
        of_a_loss, of_a_weight = TOLERANCES[network]
        self.assertEqual(set(EXPECTED[network]), {"keras2", "keras3"})
        for ranks in RANKS.get(network, (1, 4)):
            steps = len(EXPECTED[network]["keras2"]["losses"])
            run_dir = self.train_as_keras(network, ranks, steps)
            losses = np.array([float(epoch["loss"]) for epoch in history(run_dir)])
            weights = weights_of(run_dir / "final.h5")
            for name, keras in EXPECTED[network].items():
                with self.subTest(ranks=ranks, keras=name):
                    expected = np.array(keras["losses"])
                    self.assertEqual((len(losses), len(expected)), (steps, steps))
                    difference = np.abs(losses / expected - 1)
                    worst = int(difference.argmax())
                    self.assertLess(difference[worst], of_a_loss,
                                    f"step {worst + 1}: {losses[worst]}, Keras {expected[worst]}")
                    self.assertEqual(len(weights), len(keras["weights"]))
                    for number, (ours, theirs) in enumerate(zip(weights, keras["weights"])):
                        self.assertEqual(len(sample(ours)), len(theirs))
                        self.assertLess(np.abs(sample(ours) - theirs).max(), of_a_weight,
                                        f"weight {number} of shape {ours.shape}")

    def test_two_hundred_steps_are_those_of_keras(self):
        self.assert_trains_as_keras("reference")

    def test_a_hundred_steps_of_convolutions_are_those_of_keras(self):
        self.assert_trains_as_keras("cnn")

    def test_a_hundred_steps_of_batch_normalization_are_those_of_keras(self):
        self.assert_trains_as_keras("bn_cnn")

    def test_a_hundred_steps_of_recurrent_layers_are_those_of_keras(self):
        self.assert_trains_as_keras("recurrent")

    def test_steps_behind_a_mask_are_those_of_keras(self):
        self.assert_trains_as_keras("masked")


if __name__ == "__main__":
    main()
