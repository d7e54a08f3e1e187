"""What one rank alone meets: memory that it cannot map, another file under the same name, another model."""
import shutil
import unittest

import h5py
import numpy as np

from support import FAULTS, FLAGS, FLAVOUR, MPIEXEC, NETWORK, PROGRAM, SystemTest, main, run_command, write_clusters

DISAGREEMENT = 78
IO_ERROR = 74
WIDE = "Dense(1500), Dense(1500), Dense(3, softmax)"


class OneRankTest(SystemTest):
    def run_each(self, commands):
        """One rank for each command, in one job."""
        parts = []
        for command in commands:
            parts += [":"] * bool(parts) + ["-n", "1", *command]
        result = run_command([MPIEXEC, *FLAGS, *parts], cwd=self.dir)
        self.assertIsNotNone(result.code, f"it hangs\n{result}")
        self.assertEqual(result.orphans, [], result)
        return result


class Memory(OneRankTest):
    def limited(self, ranks, mebibytes, unlimited=0):
        """Trains; all ranks but the first `unlimited` may have so much address space."""
        write_clusters(self.dir / "d.h5", rows=40, test_rows=0)
        train = ["train", "--data", "d.h5", "--layers", WIDE, "--batch-size", "16", "--overwrite", "--run-dir", "run"]
        # One arena: each more is 128 MiB of addresses, which a thread takes or not as it happens.
        limit = ["sh", "-c", f"ulimit -v {mebibytes * 1024}; MALLOC_ARENA_MAX=1 exec \"$@\"", "sh"]
        return self.run_each([[*(limit if rank >= unlimited else []), PROGRAM, *train] for rank in range(ranks)])

    def test_every_limit_ends_in_training_or_in_a_message(self):
        codes = set()
        for mebibytes in (195, 205, 220, 260, 900):
            result = self.limited(2, mebibytes)
            if result.code not in (0, IO_ERROR):  # below what MPI itself needs
                self.assertLess(mebibytes, 400, result)
                continue
            codes.add(result.code)
            if result.code == IO_ERROR:
                self.assertRegex("".join(result.errors), r"\d+(\.\d+)? (MiB|bytes)", result)
        self.assertIn(0, codes)

    def test_one_rank_alone(self):
        """Less and less, until it is too little: first for what each has of its own, then for the window that all
        share. Then they train without one, or say that this takes too much as well."""

        def train_beside(mebibytes):
            result = self.limited(2, mebibytes, unlimited=1)
            self.assertIn(result.code, (0, IO_ERROR), result)
            if result.code == IO_ERROR:
                self.assertIn("rank 1", "".join(result.errors), result)
            return {"done": result.code == 0, "alone": "--sync allreduce" in result.stderr}

        coarse, fine = 20, 3
        enough = 480
        while train_beside(enough - coarse)["done"]:
            enough -= coarse
        self.assertTrue(any(train_beside(mebibytes)["alone"] for mebibytes in range(enough, enough - 2 * coarse, -fine)),
                        f"the window never was too large, from {enough} MiB down")

    @unittest.skipUnless(FAULTS, "built without LOCKSTEP_FAULTS")
    def test_ranks_that_cannot_share_train_the_same_network(self):
        write_clusters(self.dir / "d.h5")
        expected = self.sha256(self.train(3, "d.h5", run_dir="one") / "final.h5")
        result = self.done(3, "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir", "two",
                           env={"LOCKSTEP_FAULT": "map:1:0:error"})
        self.assertIn("warning: --sync allreduce instead of sharded", result.stderr)
        self.assertEqual(self.sha256("two/final.h5"), expected)

    def test_a_small_shared_memory(self):
        """A file system of its own for /dev/shm, with less in it than the network's window."""
        unshare = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=24m none /dev/shm && exec \"$@\"", "sh"]
        if shutil.which("unshare") is None or run_command([*unshare, "true"]).code != 0:
            self.skipTest("not permitted: a mount namespace")
        write_clusters(self.dir / "d.h5", rows=40, test_rows=0)
        result = run_command([*unshare, MPIEXEC, "-n", "2", *FLAGS, PROGRAM, "train", "--data", "d.h5", "--layers",
                              "Dense(3000), Dense(3000), Dense(3, softmax)", "--batch-size", "16"], cwd=self.dir)
        self.assertEqual(result.code, 0, result)
        self.assertIn("/dev/shm", result.stderr)


class OtherFiles(OneRankTest):
    def setUp(self):
        super().setUp()
        for name, seed in (("a", 1), ("b", 2)):
            (self.dir / name).mkdir()
            write_clusters(self.dir / name / "d.h5", seed=seed)

    def in_directories(self, names, *arguments):
        """A rank in each of the directories: a relative name may mean another file in each."""
        option = "-wdir" if FLAVOUR == "mpich" else "--wdir"
        return self.run_each([[option, str(self.dir / name), PROGRAM, *map(str, arguments)] for name in names])

    def disagrees(self, result, words):
        self.assertEqual(result.code, DISAGREEMENT, result)
        self.assertEqual(len(result.errors), 1, result)
        for word in words:
            self.assertIn(word, result.errors[0])

    def test_another_dataset_is_refused_with_both_hashes(self):
        result = self.in_directories("ab", "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir",
                                     self.dir / "run")
        self.disagrees(result, ["/a/d.h5", "/b/d.h5", "bytes", "60 rows", "hash", "rank 0", "rank 1"])
        self.assertFalse((self.dir / "run").exists())

    def test_another_dataset_of_the_third_rank_only(self):
        result = self.in_directories("aab", "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir",
                                     self.dir / "run")
        self.disagrees(result, ["/b/d.h5", "rank 2"])

    def test_one_value_is_enough(self):
        shutil.copy(self.dir / "a" / "d.h5", self.dir / "b" / "d.h5")
        with h5py.File(self.dir / "b" / "d.h5", "r+") as file:
            file["y_train"][17] = (file["y_train"][17] + 1) % 3
        result = self.in_directories("ab", "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir",
                                     self.dir / "run")
        self.disagrees(result, ["y_train", "rank 1"])

    def test_copies_of_one_file_are_accepted(self):
        shutil.copy(self.dir / "a" / "d.h5", self.dir / "b" / "d.h5")
        result = self.in_directories("ab", "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir",
                                     self.dir / "run")
        self.assertEqual(result.code, 0, result)

    def test_another_number_of_rows(self):
        write_clusters(self.dir / "b" / "d.h5", rows=59)
        result = self.in_directories("ab", "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir",
                                     self.dir / "run")
        self.disagrees(result, ["60 rows", "59 rows", "rank 1"])

    def test_data_behind_a_link_that_is_trusted(self):
        for name in "ab":
            (self.dir / name / "d.h5").rename(self.dir / name / "real.h5")
        with h5py.File(self.dir / "d.h5", "w") as file:
            for name in ("x_train", "y_train"):
                file[name] = h5py.ExternalLink("real.h5", name)
        for name in "ab":
            shutil.copy(self.dir / "d.h5", self.dir / name / "d.h5")
        result = self.in_directories("ab", "train", "--data", "d.h5", "--trust-data", "--layers", NETWORK,
                                     "--run-dir", self.dir / "run")
        self.disagrees(result, ["rank 1"])

    def test_another_network_is_refused(self):
        for name, seed in (("a", 1), ("b", 2)):
            self.train(1, f"{name}/d.h5", "--seed", seed, run_dir=f"{name}/run")
        data = self.dir / "a" / "d.h5"
        self.disagrees(self.in_directories("ab", "predict", "run/final.h5", "--data", data, "--out", "p.h5"),
                       ["weights", "rank 0", "rank 1"])
        self.disagrees(self.in_directories("ab", "evaluate", "run/final.h5", "--data", data), ["weights", "rank 1"])
        self.disagrees(self.in_directories("ab", "train", "--from", "run/final.h5", "--data", data, "--run-dir",
                                           self.dir / "next"), ["weights", "run/final.h5", "rank 1"])
        self.assertFalse((self.dir / "a" / "p.h5").exists())


class NotFinite(SystemTest):
    """NaN must not pass with exit code 0."""

    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")
        self.train(1, "d.h5")

    def spoil(self, value, dataset="model_weights/dense/dense/kernel:0"):
        """final.h5 with one other weight; without Lockstep's trailer it is a file of Keras's."""
        with h5py.File(self.dir / "run" / "final.h5", "r") as source, h5py.File(self.dir / "m.h5", "w") as copy:
            for name in source:
                source.copy(name, copy)
            copy.attrs.update(source.attrs)
            del copy["lockstep"]
            weights = []
            copy["model_weights"].visititems(lambda name, item: weights.append(name) if hasattr(item, "shape") else None)
            kernel = copy["model_weights"][[name for name in weights if "kernel" in name][0]]
            values = kernel[...]
            values.flat[1] = value
            kernel[...] = values

    def test_evaluate(self):
        for value in (np.nan, np.inf):
            self.spoil(value)
            self.refused(70, ["m.h5", "1 of 99 weights", "kernel"], "evaluate", "m.h5", "--data", "d.h5")
            result = self.run_lockstep(1, "evaluate", "m.h5", "--data", "d.h5", "--json")
            self.assertEqual(result.code, 70)
            self.assertNotRegex(result.stdout, "(?i)nan|inf")

    def test_predict_writes_and_warns(self):
        self.spoil(np.nan)
        for ranks in (1, 3):
            result = self.done(ranks, "predict", "m.h5", "--data", "d.h5", "--out", "p.h5", "--overwrite")
            warnings = [line for line in result.stderr.splitlines() if "warning" in line]
            self.assertEqual(len(warnings), 1, result)
            self.assertIn("1 of 99 weights", warnings[0])
            with h5py.File(self.dir / "p.h5") as file:
                self.assertEqual(file["predictions"].shape, (12, 3))

    def test_predict_names_the_first_row(self):
        with h5py.File(self.dir / "big.h5", "w") as file:
            x = np.ones((12, 8))
            x[7] = 1e38
            file["x_test"] = x
        self.spoil(1e38)
        result = self.done(2, "predict", "m.h5", "--data", "big.h5", "--out", "p.h5")
        self.assertRegex(result.stderr, r"warning: \d+ of 12 rows of predictions .* row \d+")

    def test_train_from_it(self):
        self.spoil(np.nan)
        self.refused(70, ["before the first step", "kernel"], "train", "--from", "m.h5", "--data", "d.h5",
                     "--run-dir", "next", "--overwrite")

    def test_validation(self):
        with h5py.File(self.dir / "d.h5", "r+") as file:
            x = file["x_test"][...].astype(np.float32)
            x[3] = 3e38
            file["x_val"], file["y_val"] = x, file["y_test"][...]
        result = self.run_lockstep(2, "train", "--data", "d.h5", "--layers", NETWORK, "--x-val", "x_val", "--y-val",
                                   "y_val", "--x-test", "", "--run-dir", "v", "--epochs", "3")
        self.assertEqual(result.code, 70, result)
        self.assertIn("epoch 1", result.errors[0])
        self.assertIn("val_", result.errors[0])
        self.assertEqual(list((self.dir / "v" / "checkpoints").glob("*.h5")), [])

    def test_test_set(self):
        with h5py.File(self.dir / "d.h5", "r+") as file:
            x = file["x_test"][...].astype(np.float32)
            x[3] = 3e38
            file["x_bad"] = x
        result = self.run_lockstep(2, "train", "--data", "d.h5", "--layers", NETWORK, "--x-test", "x_bad",
                                   "--run-dir", "t")
        self.assertEqual(result.code, 70, result)
        self.assertIn("t/final.h5", result.errors[0])
        self.assertTrue((self.dir / "t" / "final.h5").exists())
        self.assertIn("FAILED 70", (self.dir / "t" / "run.status").read_text())


if __name__ == "__main__":
    main()
