"""Lockstep's training against Keras's: tests/reference/keras_reference.py write-training made the files."""
import json

import h5py
import numpy as np

from support import REFERENCE_FILES, SystemTest, history, main

EXPECTED = json.loads((REFERENCE_FILES / "training_expected.json").read_text())
STEPS = 200
RANKS = (1, 3)


def weights_of(path):
    """In Keras's order."""
    with h5py.File(path) as file:
        layers = file["model_weights"]
        return [layers[layer][weight][()] for layer in layers.attrs["layer_names"]
                for weight in layers[layer].attrs["weight_names"]]


def sample(values):
    """As in keras_reference.py."""
    return values.ravel()[::values.size // 1000 | 1]


class TwoHundredStepsFromTheSameWeights(SystemTest):
    def train_as_keras(self, ranks):
        # Epochs of one step: their losses are those of the steps, not means.
        return self.train(ranks, REFERENCE_FILES / "training_rows.h5", "--from",
                          REFERENCE_FILES / "training_initial.h5", "--no-shuffle", "--batch-size", "32",
                          "--steps-per-epoch", "1", "--epochs", STEPS, "--checkpoint-every", STEPS,
                          run_dir=f"r{ranks}", layers=None)

    def test_have_the_losses_of_keras(self):
        self.assertEqual(set(EXPECTED), {"keras2", "keras3"})
        for ranks in RANKS:
            losses = np.array([float(epoch["loss"]) for epoch in history(self.train_as_keras(ranks))])
            for name, keras in EXPECTED.items():
                with self.subTest(ranks=ranks, keras=name):
                    expected = np.array(keras["losses"])
                    self.assertEqual((len(losses), len(expected)), (STEPS, STEPS))
                    difference = np.abs(losses / expected - 1)
                    worst = int(difference.argmax())
                    self.assertLess(difference[worst], 1e-5,
                                    f"step {worst + 1}: {losses[worst]}, Keras {expected[worst]}")

    def test_end_with_the_weights_of_keras(self):
        for ranks in RANKS:
            weights = weights_of(self.train_as_keras(ranks) / "final.h5")
            for name, keras in EXPECTED.items():
                self.assertEqual(len(weights), len(keras["weights"]))
                for number, (ours, theirs) in enumerate(zip(weights, keras["weights"])):
                    with self.subTest(ranks=ranks, keras=name, weight=number, shape=ours.shape):
                        self.assertEqual(len(sample(ours)), len(theirs))
                        self.assertLess(np.abs(sample(ours) - theirs).max(), 1e-5)


if __name__ == "__main__":
    main()
