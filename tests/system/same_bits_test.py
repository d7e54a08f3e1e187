"""The same bits: weights, optimizer state, history and predictions do not depend on the number of ranks, threads,
bucket sizes, on who validates, or on the CPU's vector width. And the control: with fast numerics they do."""

import hashlib
import unittest

import h5py
import numpy as np

from support import FAULTS, SystemTest, history, history_without_clocks, main, write_file

RANKS = (1, 2, 3, 4, 5, 6, 7, 8, 16)


def write_data(path):
    """331 rows, most of one class: 264 train in batches of 60 (the last one of 24), 67 validate."""
    random = np.random.default_rng(3)
    y = np.where(random.random(331) < 0.8, 2, random.integers(0, 5, 331))
    x = (random.normal(size=(331, 37)) + 0.1 * y[:, None]).astype(np.float32)
    write_file(path, x_train=x, y_train=y, x_test=x[:50], y_test=y[:50])


class SameBitsTest(SystemTest):
    LAYERS = ('Dense(40, relu, kernel_regularizer="l2"), Dropout(0.3), Dense(24, tanh), Dense(17, gelu), '
              'Dense(5, softmax)')
    OPTIONS = ("--batch-size", "60", "--grain", "4", "--epochs", "6", "--validation-split", "0.2",
               "--early-stopping", "val_loss", "--patience", "0", "--metrics",
               "accuracy,sparse_top_k_categorical_accuracy", "--seed", "11", "--learning-rate", "0.02")

    def bits(self, ranks, *options, name="run", env=None, predict=True):
        """All that a run leaves, as hashes."""
        run_dir = f"{name}-{ranks}"
        self.done(ranks, "train", "--data", "d.h5", "--layers", self.LAYERS, "--run-dir", run_dir, *self.OPTIONS,
                  *options, env=env)
        report = self.inspect(self.dir / run_dir / "final.h5")
        found = {"weights": report["weights_sha256"], "optimizer": report["optimizer_sha256"],
                 "history": str(history_without_clocks(self.dir / run_dir))}
        if predict:
            out = f"{run_dir}.h5"
            self.done(ranks, "predict", f"{run_dir}/final.h5", "--data", "d.h5", "--out", out, env=env)
            with h5py.File(self.dir / out) as file:
                found["predictions"] = hashlib.sha256(file["predictions"][()].tobytes()).hexdigest()
        return found


class NumbersOfRanks(SameBitsTest):
    def test_do_not_change_a_bit(self):
        write_data(self.dir / "d.h5")
        expected = self.bits(1)
        epochs = history(self.dir / "run-1")
        self.assertGreater(len(epochs), 1, "it stops too early to prove much")
        self.assertLess(len(epochs), 6, "it should stop early")
        self.assertIn("val_sparse_top_k_categorical_accuracy", epochs[0])
        for ranks in RANKS[1:]:
            with self.subTest(ranks=ranks):
                self.assertEqual(self.bits(ranks), expected)


class RanksWithoutWork(SameBitsTest):
    def test_are_reported_once(self):
        write_data(self.dir / "d.h5")
        command = ["train", "--data", "d.h5", "--layers", self.LAYERS, "--batch-size", "16", "--overwrite"]
        result = self.done(3, *command)
        self.assertEqual(result.stderr.count("a batch of 16 rows has 2 grains of 8: 1 of 3 ranks have no work"), 1,
                         result)
        self.assertNotIn("no work", self.done(3, *command, "--grain", "4").stderr)
        self.assertIn("16 rows in 2 grains of 8, for 2 of 3 ranks; numerics exact",
                      self.done(3, *command, "--dry-run").stdout)


class Settings(SameBitsTest):
    def test_do_not_change_a_bit(self):
        write_data(self.dir / "d.h5")
        expected = self.bits(1)
        for number, options in enumerate((["--bucket-mib", "0.001"], ["--validate-on", "root"], ["--threads", "2"],
                                          ["--sync", "allreduce"], ["--sync", "allreduce", "--bucket-mib", "0.001"],
                                          ["--threads", "2", "--bucket-mib", "0.01", "--validate-on", "root"])):
            with self.subTest(options=options):
                self.assertEqual(self.bits(3, *options, name=f"settings{number}"), expected)

    def test_threads_share_products_that_are_large_enough(self):
        x, y = np.random.default_rng(1).normal(size=(256, 300)).astype(np.float32), np.arange(256) % 7
        write_file(self.dir / "d.h5", x_train=x, y_train=y)
        digests = [self.inspect(self.train(ranks, "d.h5", "--batch-size", "256", "--epochs", "2", "--threads", threads,
                                           layers="Dense(512, relu), Dense(300, relu), Dense(7, softmax)",
                                           run_dir=f"{ranks}x{threads}") / "final.h5")["weights_sha256"]
                   for ranks, threads in ((1, "1"), (1, "2"), (1, "3"), (2, "2"))]
        self.assertEqual(len(set(digests)), 1, digests)


class LargeTable(SameBitsTest):
    """A language model of 50,000 words, ten steps: word 7 is in every row, 49,999 in the first of a batch alone."""
    LAYERS = "Input((12,)), TokenAndPositionEmbedding(50000, 12, 8), TransformerDecoder(16, 2, dropout=0.1), Dense(20, softmax)"
    OPTIONS = ("--batch-size", "16", "--grain", "2", "--epochs", "2", "--no-shuffle", "--learning-rate", "0.02", "--x-test", "")

    def test_do_not_change_a_bit(self):
        random = np.random.default_rng(5)
        words = random.integers(0, 49_000, (80, 12))
        words[:, 3] = 7
        words[::16, 5] = 49_999
        write_file(self.dir / "d.h5", x_train=words.astype(np.int32), y_train=random.integers(0, 20, (80, 12)))
        expected = self.bits(1, predict=False)
        for ranks in (2, 3, 4, 5, 8):
            with self.subTest(ranks=ranks):
                self.assertEqual(self.bits(ranks, predict=False), expected)
        self.assertEqual(self.bits(3, "--sync", "allreduce", name="allreduce", predict=False), expected)
        self.assertEqual(self.bits(2, "--threads", "2", name="threads", predict=False), expected)


class KernelVariants(SameBitsTest):
    def test_do_not_change_a_bit(self):
        write_data(self.dir / "d.h5")
        expected = self.bits(1)
        for variant in self.kernel_variants("d.h5"):
            with self.subTest(variant=variant):
                self.assertEqual(self.bits(2, name=f"kernels-{variant}", env={"LOCKSTEP_KERNELS": variant}), expected)


class FastNumerics(SameBitsTest):
    """The control: what the tests above compare can differ."""

    def test_change_with_the_number_of_ranks(self):
        write_data(self.dir / "d.h5")
        # Sharded, a host computes each gradient once: what is left to differ are rows of products.
        found = {ranks: self.bits(ranks, "--numerics", "fast", "--sync", "allreduce", predict=False)
                 for ranks in (1, 2, 3, 4)}
        self.assertGreater(len({str(bits) for bits in found.values()}), 1, found)
        self.assertNotEqual(found[1]["weights"], self.bits(1, predict=False, name="exact")["weights"])


@unittest.skipUnless(FAULTS, "built without fault points")
class FlippedBit(SameBitsTest):
    def test_in_one_gradient_on_one_rank_is_found(self):
        write_data(self.dir / "d.h5")
        options = ["train", "--data", "d.h5", "--layers", self.LAYERS, *self.OPTIONS, "--sync", "allreduce",
                   "--check-replicas-every", "10"]
        self.done(3, *options)
        result = self.run_lockstep(3, *options, "--overwrite", env={"LOCKSTEP_FAULT": "gradient:1:7:flip"})
        self.assertEqual(result.code, 70, result)
        self.assertRegex("".join(result.errors), "after step 10: expected the same bits on every rank.* on rank 1")


if __name__ == "__main__":
    main()
