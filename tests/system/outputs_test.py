"""What the program writes: never over an input, in the format that the name says, and never lost in silence."""
import os
import shutil

import h5py
import numpy as np

from support import CANNOT_CREATE, FLAGS, MPIEXEC, NETWORK, PERMISSION, PROGRAM, USAGE, SystemTest, clusters, main, \
    run_command, write_clusters, write_file

INPUT_OUTPUT = 74
FULL = ("sh", "-c", 'exec "$@" > /dev/full', "sh")
CLOSED = ("sh", "-c", 'exec "$@" >&-', "sh")
LIMIT = 16384  # blocks of 512 bytes: MPI needs files of some MiB to start
LIMITED = ("sh", "-c", f'ulimit -f {LIMIT}; exec "$@"', "sh")
TO_LIMITED = ("sh", "-c", 'ulimit -f 1; exec "$@" > printed', "sh")


def predict(*words):
    return ("predict", "model.h5", "--data", "d.h5", *words)


class OutputsTest(SystemTest):
    """With data d.h5 and a trained network model.h5."""

    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")
        run_dir = self.train(1, "d.h5", "--epochs", 2, run_dir="first")
        shutil.copy(run_dir / "final.h5", self.dir / "model.h5")

    def contents(self):
        """Every file with its bytes: what a refusal must leave as it is."""
        return {str(path): path.read_bytes() for path in self.dir.rglob("*") if path.is_file()}

    def refused(self, *arguments, **options):
        before = self.contents()
        super().refused(*arguments, **options)
        self.assertEqual(self.contents().keys(), before.keys())
        self.assertEqual(self.contents(), before)


class OverAnInput(OutputsTest):
    def test_predict_refuses(self):
        (self.dir / "sub").mkdir()
        os.link(self.dir / "d.h5", self.dir / "hard.h5")
        os.symlink("model.h5", self.dir / "soft.h5")
        x, _ = clusters(5)
        write_file(self.dir / "x.h5", x=x)
        self.refused(CANNOT_CREATE, ["d.h5", "--data", "another --out"], *predict("--out", "d.h5", "--overwrite"))
        self.refused(CANNOT_CREATE, ["hard.h5", "--data"], *predict("--out", "hard.h5", "--overwrite"), ranks=(1,))
        self.refused(CANNOT_CREATE, ["soft.h5", "MODEL", "model.h5"], *predict("--out", "soft.h5", "--overwrite"))
        self.refused(CANNOT_CREATE, ["MODEL"], *predict("--out", "sub/../model.h5", "--overwrite"), ranks=(1,))
        self.refused(CANNOT_CREATE, ["x.h5", "--x"], *predict("--x", "x.h5:/x", "--out", "./x.h5", "--overwrite"),
                     ranks=(1,))

    def test_import_refuses(self):
        x, y = clusters(6)
        np.save(self.dir / "x.npy", x)
        np.save(self.dir / "y.npy", y)
        for name in "xy":
            os.link(self.dir / f"{name}.npy", self.dir / f"{name}.h5")
        (self.dir / "t.csv").write_text("1,2,0\n3,4,1\n")
        os.symlink("t.csv", self.dir / "t.h5")
        npy = ("import", "npy", "--x-train", "x.npy", "--y-train", "y.npy", "--overwrite", "--out")
        self.refused(CANNOT_CREATE, ["x.h5", "--x-train"], *npy, "x.h5")
        self.refused(CANNOT_CREATE, ["y.h5", "--y-train"], *npy, "y.h5", ranks=(1,))
        self.refused(CANNOT_CREATE, ["t.h5", "--train"], "import", "csv", "--train", "t.csv", "--label", "-1",
                     "--overwrite", "--out", "t.h5", ranks=(1,))

    def test_train_refuses(self):
        train = ("train", "--data", "d.h5", "--overwrite")
        (self.dir / "soft").symlink_to("first")
        shutil.copytree(self.dir / "first", self.dir / "linked")
        (self.dir / "linked" / "final.h5").unlink()
        os.link(self.dir / "d.h5", self.dir / "linked" / "final.h5")
        self.refused(CANNOT_CREATE, ["first/final.h5", "--from", "--run-dir"], *train, "--from", "first/final.h5",
                     "--run-dir", "first")
        self.refused(CANNOT_CREATE, ["final.h5", "--from"], *train, "--from", "first/final.h5", "--run-dir", "soft",
                     ranks=(1,))
        self.refused(CANNOT_CREATE, ["model.json", "--model"], *train, "--model", "first/model.json", "--run-dir",
                     "first", ranks=(1,))
        self.refused(CANNOT_CREATE, ["ckpt-2.h5", "--from"], *train, "--from", "first/checkpoints/ckpt-2.h5",
                     "--run-dir", "first", ranks=(1,))
        self.refused(CANNOT_CREATE, ["linked/final.h5", "--data"], *train, "--layers", NETWORK, "--run-dir", "linked",
                     ranks=(1, 3))
        self.refused(CANNOT_CREATE, ["d.h5", "--run-dir"], *train, "--layers", NETWORK, "--run-dir", "d.h5",
                     ranks=(1,))
        self.done(1, *train, "--from", "first/final.h5", "--run-dir", "second", "--epochs", 1)
        self.done(1, "train", "first/config.cfg")  # the run's own


class ByTheEnding(OutputsTest):
    def setUp(self):
        super().setUp()
        self.done(1, *predict("--out", "p.h5"))
        with h5py.File(self.dir / "p.h5") as file:
            self.expected = file["predictions"][:]

    def test_a_table(self):
        for name, separator, ranks in (("p.csv", ",", 1), ("p.tsv", "\t", 3)):
            self.done(ranks, *predict("--out", name))
            header, *lines = (self.dir / name).read_text().splitlines()
            self.assertEqual(header.split(separator), ["output_0", "output_1", "output_2"])
            rows = np.array([[np.float32(field) for field in line.split(separator)] for line in lines])
            np.testing.assert_array_equal(rows, self.expected)

    def test_an_array_of_numpy(self):
        self.done(3, *predict("--out", "p.npy"))
        array = np.load(self.dir / "p.npy")
        self.assertEqual(array.dtype, np.float32)
        np.testing.assert_array_equal(array, self.expected)

    def test_outputs_of_more_axes(self):
        layers = "Dense(6), Reshape((2, 3))"
        write_file(self.dir / "r.h5", x_train=np.eye(8), y_train=np.ones((8, 2, 3)), x_test=np.eye(8)[:5])
        self.train(1, "r.h5", "--loss", "mean_squared_error", "--metrics", "", layers=layers, run_dir="r")
        for name in ("r.csv", "r.npy"):
            self.done(1, "predict", "r/final.h5", "--data", "r.h5", "--out", name)
        array = np.load(self.dir / "r.npy")
        self.assertEqual(array.shape, (5, 2, 3))
        header = (self.dir / "r.csv").read_text().splitlines()[0]
        self.assertEqual(header, ",".join(f"output_{i}_{j}" for i in range(2) for j in range(3)))
        table = np.loadtxt(self.dir / "r.csv", delimiter=",", skiprows=1, dtype=np.float32)
        np.testing.assert_array_equal(table.reshape(5, 2, 3), array)

    def test_or_it_is_refused(self):
        for name in ("p.txt", "p", "p.npz"):
            self.refused(USAGE, [name, ".csv", ".tsv", ".npy", ".h5"], *predict("--out", name), ranks=(1,))
        self.refused(USAGE, ["p.xlsx", ".csv", ".npy", ".h5"], *predict("--out", "p.xlsx"), ranks=(3,))
        for name in ("d.csv", "d.npy", "d.json"):
            self.refused(USAGE, [name, ".h5", "HDF5"], "import", "synthetic", "--rows", "5", "--out", name,
                         ranks=(1,))


class StandardOutput(OutputsTest):
    RESULTS = (("--help",), ("--version",), ("train", "--help"), ("inspect", "d.h5"),
               ("evaluate", "model.h5", "--data", "d.h5"), predict("--out", "p.csv", "--overwrite"),
               ("import", "synthetic", "--rows", "10", "--out", "s.h5", "--overwrite"),
               ("train", "--data", "d.h5", "--layers", NETWORK, "--dry-run"))

    def test_that_is_lost_is_an_error(self):
        for words in self.RESULTS:
            for prefix, reason in ((FULL, "No space left on device"), (CLOSED, "Bad file descriptor")):
                with self.subTest(words=words, reason=reason):
                    result = self.run_lockstep(1, *words, prefix=prefix)
                    self.assertEqual(result.code, INPUT_OUTPUT, result)
                    self.assertEqual(len(result.errors), 1, result)
                    self.assertIn(reason, result.errors[0])
        result = self.run_lockstep(1, "train", "--help", prefix=TO_LIMITED)
        self.assertEqual(result.code, INPUT_OUTPUT, result)
        self.assertIn("File too large", result.errors[0])

    def test_of_several_ranks_that_is_lost_is_one_error(self):
        for words in (("evaluate", "model.h5", "--data", "d.h5"), ("inspect", "d.h5"), ("--help",)):
            with self.subTest(words=words):
                result = run_command([MPIEXEC, "-n", "3", *FLAGS, *FULL, PROGRAM, *words], cwd=self.dir)
                self.assertEqual(result.code, INPUT_OUTPUT, result)
                self.assertEqual(len(result.errors), 1, result)

    def test_that_nobody_reads_any_more_is_no_error(self):
        for words in (("--help",), ("train", "--help"), ("inspect", "d.h5")):
            with self.subTest(words=words):
                result = self.run_lockstep(
                    1, *words, prefix=("sh", "-c", '{ "$@"; echo "code $?" >&2; } | true', "sh"))
                self.assertEqual(result.stderr, "code 0\n", result)

    def test_is_not_needed_for_training(self):
        for number, prefix in enumerate((FULL, CLOSED)):
            result = self.run_lockstep(1, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", 3, "--run-dir",
                                       f"lost{number}", prefix=prefix)
            self.assertEqual(result.code, 0, result)
            self.assertEqual(result.stderr.count("lockstep: warning: [output]"), 1, result)
            self.assertTrue((self.dir / f"lost{number}" / "final.h5").exists())
        # A closed descriptor is not given to a file, in which the log would land.
        self.assertEqual((self.dir / "lost1" / "run.status").read_text(), "DONE\n")
        for path in (self.dir / "lost1").rglob("*"):
            self.assertFalse(path.is_file() and b"Epoch 1/3" in path.read_bytes(), path)


class FilesThatCannotBeWritten(OutputsTest):
    IMPORT = ("import", "synthetic", "--rows", "50", "--test-rows", "0", "--out")

    def test_for_they_are_too_large(self):
        rows = 900_000
        write_file(self.dir / "long.h5", x=np.zeros((rows, 8), np.uint8))
        np.save(self.dir / "x.npy", np.zeros((rows, 10), np.uint8))
        long = ("predict", "model.h5", "--data", "long.h5", "--x", "x", "--batch-size", "10000", "--out")
        for words in ((*long, "p.csv"), (*long, "p.npy"), (*long, "p.h5"),
                      ("import", "npy", "--x-train", "x.npy", "--out", "s.h5")):
            for ranks in (1, 2):
                with self.subTest(words=words, ranks=ranks):
                    before = set(self.dir.iterdir())
                    result = self.run_lockstep(ranks, *words, prefix=LIMITED)
                    self.assertEqual(result.code, INPUT_OUTPUT, result)
                    self.assertEqual(len(result.errors), 1, result)
                    self.assertIn("File too large", result.errors[0])
                    self.assertIn(words[-1], result.errors[0])
                    self.assertEqual(set(self.dir.iterdir()), before)

    def test_nor_those_that_mpi_needs(self):
        self.refused(INPUT_OUTPUT, ["ulimit -f", "MPI"], *predict("--out", "p.csv"), ranks=(1,),
                     prefix=("sh", "-c", 'ulimit -f 1; exec "$@"', "sh"))

    def test_for_lack_of_permission(self):
        (self.dir / "locked").mkdir()
        (self.dir / "locked").chmod(0o555)
        prefix = []
        if os.geteuid() == 0:  # root may write everywhere, unless it gives that right up
            if shutil.which("setpriv") is None:
                self.skipTest("running as root without setpriv")
            prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        for words in (predict("--out", "locked/p.csv"), (*self.IMPORT, "locked/s.h5"),
                      ("train", "--data", "d.h5", "--layers", NETWORK, "--run-dir", "locked/run")):
            self.refused(PERMISSION, ["locked"], *words, prefix=prefix)
        (self.dir / "locked").chmod(0)
        for words in (predict("--out", "locked/p.csv"), (*self.IMPORT, "locked/s.h5"),
                      ("import", "idx", "locked/mnist", "--out", "m.h5"),
                      ("train", "--data", "d.h5", "--layers", NETWORK, "--run-dir", "locked/run")):
            self.refused(PERMISSION, ["locked"], *words, prefix=prefix, ranks=(1,))
        (self.dir / "locked").chmod(0o755)

    def test_for_they_are_none(self):
        os.symlink("/proc/self/fd/1", self.dir / "out.h5")  # as /dev/stdout is one
        for out in ("none/p.h5", "out.h5", "first"):
            self.refused(CANNOT_CREATE, [out], *predict("--out", out, "--overwrite"), ranks=(1,))
            self.refused(CANNOT_CREATE, [out], *self.IMPORT, out, "--overwrite", ranks=(1,))


if __name__ == "__main__":
    main()
