"""Dataset files as other programs write them: read right, or refused by name."""
import gzip
import pickle

import h5py
import numpy as np

from support import BAD_DATA, NETWORK, SystemTest, clusters, main, write_clusters, write_file

ROWS = 60
WORDS = np.array(["ape", "bee", "cat"])


def rows(count=ROWS):
    x, y = clusters(count)
    return x.astype(np.float32), y.astype(np.int32)


class FormsTest(SystemTest):
    """Every form of the same rows must lead to the same weights as the plain one."""

    def setUp(self):
        super().setUp()
        self.x, self.y = rows()
        write_file(self.dir / "plain.h5", x_train=self.x, y_train=self.y)

    def plain(self):
        return self.sha256(self.train(1, "plain.h5", run_dir="plain") / "final.h5")

    def trained(self, data, *options, ranks=(1, 3)):
        """The one hash of all numbers of ranks."""
        hashes = {self.sha256(self.train(count, data, "--overwrite", *options) / "final.h5") for count in ranks}
        self.assertEqual(len(hashes), 1)
        return hashes.pop()

    def imported(self, *arguments):
        self.done(1, "import", *arguments, "--out", "imported.h5", "--overwrite")
        return self.trained("imported.h5", ranks=(1,))


class Records(FormsTest):
    def write(self):
        table = np.zeros(ROWS, dtype=[("pt", "f4", (7,)), ("eta", "f4"), ("label", "i4"), ("name", "S3")])
        table["pt"], table["eta"], table["label"] = self.x[:, :7], self.x[:, 7], self.y
        table["name"] = WORDS[self.y]
        write_file(self.dir / "t.h5", events=table)

    def test_fields_are_columns(self):
        self.write()
        self.assertEqual(self.trained("t.h5", "--x", "events.[pt,eta]", "--y", "events.label"), self.plain())
        self.assertEqual(self.trained("t.h5", "--x", "events.[pt,eta]", "--y", "events.name", ranks=(2,)),
                         self.plain())

    def test_the_message_lists_them(self):
        self.write()
        self.refused(BAD_DATA, ["t.h5:/events", "events.[pt, eta, label]"], "train", "--data", "t.h5", "--layers",
                     NETWORK, "--x", "events", "--y", "events.label")
        self.refused(BAD_DATA, ["'mass'", "its fields: pt, eta, label, name"], "train", "--data", "t.h5", "--layers",
                     NETWORK, "--x", "events.mass", "--y", "events.label", ranks=(1,))
        self.assertIn(".label", self.done(1, "inspect", "t.h5").stdout)


class DataFrames(FormsTest):
    """The layouts of pandas.DataFrame.to_hdf, as pandas 3 with PyTables 3.11 writes them."""

    def columns(self):
        return [f"f{i}" for i in range(8)]

    def test_fixed(self):
        with h5py.File(self.dir / "df.h5", "w") as file:
            group = file.create_group("df")
            group.attrs["pandas_type"] = np.bytes_("frame")
            group["axis0"] = np.array(["label", *self.columns()], dtype="S5")
            group["axis1"] = np.arange(ROWS)
            group["block0_items"] = np.array(self.columns(), dtype="S2")
            group["block0_values"] = self.x
            group["block1_items"] = np.array(["label"], dtype="S5")
            group["block1_values"] = self.y[:, None].astype(np.int64)
        names = ",".join(self.columns())
        self.assertEqual(self.trained("df.h5", "--x", f"df.[{names}]", "--y", "df.label"), self.plain())
        self.assertEqual(self.trained("df.h5", "--x", "df/block0_values", "--y", "df/block1_values", ranks=(1,)),
                         self.plain())
        self.refused(BAD_DATA, ["data frame of pandas", "df.[label, f0, f1"], "train", "--data", "df.h5", "--layers",
                     NETWORK, "--x", "df", "--y", "df.label", ranks=(1,))

    def write_table(self, *names):
        """Frame df of df.h5, with these names of the columns of its two blocks."""
        records = np.zeros(ROWS, dtype=[("index", "i8"), ("values_block_0", "f4", (8,)),
                                        ("values_block_1", "i8", (1,))])
        records["values_block_0"], records["values_block_1"] = self.x, self.y[:, None]
        with h5py.File(self.dir / "df.h5", "w") as file:
            group = file.create_group("df")
            group.attrs["pandas_type"] = np.bytes_("frame_table")
            table = group.create_dataset("table", data=records, chunks=(16,), compression="gzip")
            for block, columns in enumerate(names):
                table.attrs[f"values_block_{block}_kind"] = np.bytes_(pickle.dumps(columns, 0))

    def test_table(self):
        self.write_table(self.columns(), ["label"])
        names = ",".join(self.columns())
        self.assertEqual(self.trained("df.h5", "--x", f"df.[{names}]", "--y", "df.label"), self.plain())

    def test_a_table_with_numbers_as_names(self):
        names = [8, 7, 6, 5, 4, 3, 2 ** 40, -1]
        self.write_table(names, [0])
        selected = ",".join(map(str, names))
        self.assertEqual(self.trained("df.h5", "--x", f"df.[{selected}]", "--y", "df.0", ranks=(2,)), self.plain())

    def test_a_table_whose_names_are_unclear(self):
        refused = ("train", "--data", "df.h5", "--layers", NETWORK, "--x", "df.[f0,f1]", "--y", "df.label")
        self.write_table([0.5, *self.columns()[1:]], ["label"])
        self.refused(BAD_DATA, ["values_block_0", "8 columns", "got 7"], *refused)
        self.write_table(["f1", *self.columns()[1:]], ["label"])
        self.refused(BAD_DATA, ["df.h5:df", "two named 'f1'"], *refused, ranks=(1,))


class Matlab(FormsTest):
    def write(self):
        """As save -v7.3: a user block of 512 bytes, axes in the other order, marks in attributes."""
        with h5py.File(self.dir / "m.mat", "w", userblock_size=512) as file:
            for name, values in (("x_train", self.x.astype(np.float64)), ("y_train", self.y[:, None].astype(float))):
                file[name] = values.T
                file[name].attrs["MATLAB_class"] = np.bytes_("double")

    def test_axes_are_turned_on_request(self):
        self.write()
        self.refused(BAD_DATA, ["m.mat", "got 8 and 1", "--transpose"], "train", "--data", "m.mat", "--layers", NETWORK)
        self.assertEqual(self.trained("m.mat", "--transpose"), self.plain())
        self.assertEqual(self.trained("m.mat", "--x", "x_train.T", "--y", "y_train.T", ranks=(1,)), self.plain())
        self.assertIn("(60, 8) for (8, 60)", self.done(1, "inspect", "m.mat").stdout)
        self.assertEqual(self.imported("hdf5", "m.mat", "--transpose"), self.plain())

    def test_evaluate_and_predict_turn_them_too(self):
        self.write()
        self.train(1, "plain.h5")
        options = ("--x-test", "x_train", "--y-test", "y_train")
        plain = self.done(1, "evaluate", "run/final.h5", "--data", "plain.h5", *options, "--json").stdout
        turned = self.done(3, "evaluate", "run/final.h5", "--data", "m.mat", *options, "--transpose", "--json").stdout
        self.assertEqual(plain, turned)
        self.done(2, "predict", "run/final.h5", "--data", "m.mat", "--x", "x_train", "--transpose", "--out", "p.h5")
        with h5py.File(self.dir / "p.h5") as file:
            self.assertEqual(file["predictions"].shape, (ROWS, 3))


class Strings(FormsTest):
    def test_are_classes_in_alphabetical_order(self):
        write_file(self.dir / "s.h5", x_train=self.x, y_train=WORDS[self.y].astype(h5py.string_dtype()))
        self.assertEqual(self.trained("s.h5"), self.plain())
        output = self.done(1, "train", "--data", "s.h5", "--layers", NETWORK, "--run-dir", "again").stdout
        self.assertIn("s.h5:/y_train: strings as 3 classes: 0 = ape, 1 = bee, 2 = cat", output)

    def test_the_test_rows_are_numbered_as_the_training_rows(self):
        some = self.y > 0
        test = {"x_test": self.x[some], "y_test": WORDS[self.y[some]].astype("S")}
        write_file(self.dir / "s.h5", x_train=self.x, y_train=WORDS[self.y].astype("S"), **test)
        numbers = {"x_test": self.x[some], "y_test": self.y[some]}
        write_file(self.dir / "n.h5", x_train=self.x, y_train=self.y, **numbers)
        last_lines = []
        for name in ("s", "n"):
            result = self.done(2, "train", "--data", f"{name}.h5", "--layers", NETWORK, "--run-dir", name)
            last_lines.append([line for line in result.stdout.splitlines() if line.startswith("test ")])
        self.assertEqual(*last_lines)
        self.assertEqual(len(last_lines[0]), 1)
        self.done(1, "import", "hdf5", "s.h5", "--out", "i.h5")
        for data in ("n.h5", "i.h5", "s.h5"):  # the model file has the names of s.h5's classes
            result = self.done(1 if data == "n.h5" else 3, "evaluate", "s/final.h5", "--data", data, "--json")
            last_lines.append(result.stdout.splitlines()[-1])
        self.assertEqual(len(set(last_lines[2:])), 1, last_lines)

    def test_evaluate_refuses_a_class_that_training_did_not_have(self):
        write_file(self.dir / "s.h5", x_train=self.x, y_train=WORDS[self.y].astype("S"), x_test=self.x,
                   y_test=np.array(["ape", "bee", "dog"])[self.y].astype("S"))
        write_file(self.dir / "t.h5", x_train=self.x, y_train=WORDS[self.y].astype("S"))
        self.train(1, "t.h5")
        self.refused(BAD_DATA, ["s.h5:/y_test", "3 classes of run/final.h5", "'dog'"], "evaluate", "run/final.h5",
                     "--data", "s.h5")

    def test_evaluate_says_that_it_cannot_compare_the_names(self):
        self.train(1, "plain.h5")
        write_file(self.dir / "s.h5", x_test=self.x, y_test=WORDS[self.y].astype("S"))
        result = self.done(1, "evaluate", "run/final.h5", "--data", "s.h5")
        self.assertIn("note: run/final.h5 does not name its classes", result.stderr)
        write_file(self.dir / "s.h5", x_test=self.x, y_test=WORDS[self.y % 2].astype("S"))
        self.refused(BAD_DATA, ["all 3 classes", "got 2"], "evaluate", "run/final.h5", "--data", "s.h5")

    def test_import_refuses_words_beside_numbers(self):
        words = WORDS[self.y].astype("S")
        for train, test, kinds in ((words, self.y, "strings and numbers"), (self.y, words, "numbers and strings")):
            write_file(self.dir / "s.h5", x_train=self.x, y_train=train, x_test=self.x, y_test=test)
            self.refused(BAD_DATA, ["training and test rows", kinds], "import", "hdf5", "s.h5", "--out", "i.h5",
                         ranks=(1,))

    def test_a_class_without_training_rows_is_refused(self):
        write_file(self.dir / "s.h5", x_train=self.x, y_train=WORDS[self.y].astype("S"), x_test=self.x[:2],
                   y_test=np.array([b"ape", b"dog"]))
        self.refused(BAD_DATA, ["y_test", "'dog'"], "train", "--data", "s.h5", "--layers", NETWORK)

    def test_are_no_inputs(self):
        write_file(self.dir / "s.h5", x_train=WORDS[self.y].astype("S"), y_train=self.y)
        self.refused(BAD_DATA, ["x_train", "numbers as inputs, got strings"], "train", "--data", "s.h5", "--layers",
                     NETWORK)


class PackedNumbers(FormsTest):
    """netCDF's and CF's attributes."""

    def write(self, values, **attributes):
        write_file(self.dir / "p.nc", x_train=values, y_train=self.y)
        with h5py.File(self.dir / "p.nc", "a") as file:
            file["x_train"].attrs.update(attributes)

    def test_are_unpacked_to_the_same_bits_on_every_rank(self):
        packed = (self.x * 2).astype(np.int16)
        self.write(packed - 100, scale_factor=0.5, add_offset=np.float32(50))
        self.assertEqual(self.trained("p.nc", ranks=(1, 2, 3)), self.plain())
        self.assertIn("int16 * 0.5 + 50", self.done(1, "inspect", "p.nc").stdout)

    def test_missing_values_are_refused_and_can_be_left_out(self):
        x = self.x.astype(np.int16)
        x[7, 3] = x[9, 0] = -999
        self.write(x, _FillValue=np.int16(-999))
        self.refused(BAD_DATA, ["p.nc:/x_train", "got 2", "row 7", "_FillValue", "--missing drop"], "train", "--data",
                     "p.nc", "--layers", NETWORK)
        whole = np.delete(np.arange(ROWS), [7, 9])
        write_file(self.dir / "whole.h5", x_train=self.x[whole], y_train=self.y[whole])
        expected = self.trained("whole.h5", ranks=(1,))
        self.assertEqual(self.imported("hdf5", "p.nc", "--missing", "drop"), expected)
        output = self.done(1, "import", "hdf5", "p.nc", "--missing", "mean", "--out", "m.h5").stdout
        self.assertIn("2 missing values became the mean", output)
        with h5py.File(self.dir / "m.h5") as file:
            self.assertAlmostEqual(file["x_train"][7, 3], np.delete(self.x[:, 3], 7).mean(), 4)

    def test_gaps_of_test_rows_become_the_means_of_training_rows(self):
        x, x_test = self.x.copy(), self.x[:10] + 1000
        x[7, 3] = x_test[2, 3] = x_test[4, 0] = np.nan
        write_file(self.dir / "g.h5", x_train=x, y_train=self.y, x_test=x_test, y_test=self.y[:10])
        output = self.done(1, "import", "hdf5", "g.h5", "--missing", "mean", "--out", "m.h5").stdout
        self.assertIn("2 missing values became the mean of their column in the training rows", output)
        with h5py.File(self.dir / "m.h5") as file:
            self.assertEqual(file["x_test"][2, 3], file["x_train"][7, 3])
            self.assertAlmostEqual(file["x_test"][4, 0], self.x[:, 0].mean(), 4)


class OtherFiles(FormsTest):
    """Sources of virtual datasets, links."""

    def test_virtual_datasets(self):
        for part in (0, 1):
            write_file(self.dir / f"part{part}.h5", x=self.x[part * 30:part * 30 + 30])
        layout = h5py.VirtualLayout(shape=(ROWS, 8), dtype="f4")
        for part in (0, 1):
            layout[part * 30:part * 30 + 30] = h5py.VirtualSource(f"part{part}.h5", "x", shape=(30, 8))
        with h5py.File(self.dir / "v.h5", "w") as file:
            file.create_virtual_dataset("x_train", layout)
            file["y_train"] = self.y
        self.refused(BAD_DATA, ["part0.h5", "--trust-data"], "train", "--data", "v.h5", "--layers", NETWORK, ranks=(1,))
        self.assertEqual(self.trained("v.h5", "--trust-data"), self.plain())
        (self.dir / "part1.h5").unlink()
        self.refused(BAD_DATA, ["v.h5:/x_train", "part1.h5"], "train", "--data", "v.h5", "--layers", NETWORK,
                     "--trust-data", "--run-dir", "new")

    def test_external_links(self):
        with h5py.File(self.dir / "l.h5", "w") as file:
            file["x_train"] = h5py.ExternalLink("plain.h5", "/x_train")
            file["y_train"] = h5py.ExternalLink("plain.h5", "/y_train")
        self.assertEqual(self.trained("l.h5", "--trust-data"), self.plain())

    def test_rows_that_were_never_written(self):
        with h5py.File(self.dir / "u.h5", "w") as file:
            file.create_dataset("x_train", (ROWS, 8), "f4", chunks=(10, 8))[:30] = self.x[:30]
            file["y_train"] = self.y
        self.refused(BAD_DATA, ["3 of its 6 chunks were never written", "row 30"], "train", "--data", "u.h5",
                     "--layers", NETWORK)


class NumpyArchives(FormsTest):
    def test_are_imported(self):
        np.savez(self.dir / "a.npz", x_train=self.x, y_train=self.y)
        np.savez_compressed(self.dir / "b.npz", X=self.x.astype(">f8"), y=np.asfortranarray(self.y))
        np.savez_compressed(self.dir / "c.npz", self.x, self.y)
        np.savez(self.dir / "d.npz", inputs=self.x, classes=self.y)
        for name in "abc":
            self.assertEqual(self.imported("npz", f"{name}.npz"), self.plain())
        self.assertEqual(self.imported("npz", "d.npz", "--x-train", "inputs", "--y-train", "classes"), self.plain())
        self.refused(BAD_DATA, ["d.npz", "--x-train NAME, of inputs, classes"], "import", "npz", "d.npz", "--out",
                     "x.h5", ranks=(1,))
        self.refused(BAD_DATA, ["a.npz", "NumPy archive", "lockstep import npz a.npz --out a.h5"], "train", "--data",
                     "a.npz", "--layers", NETWORK)

    def test_python_objects_are_refused(self):
        np.savez(self.dir / "o.npz", x_train=np.array([{}, []], dtype=object))
        self.refused(BAD_DATA, ["o.npz: x_train.npy", "Python objects"], "import", "npz", "o.npz", "--out", "x.h5",
                     ranks=(1,))


class FilesOfOtherKinds(FormsTest):
    def test_are_called_what_they_are_by_every_command(self):
        self.train(1, "plain.h5")
        kinds = {"pointer.h5": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
                 "page.h5": (b"<!DOCTYPE html><html></html>", "an HTML page"),
                 "classic.nc": (b"CDF\x01" + bytes(60), "nccopy -k nc4 classic.nc"),
                 "old.mat": (b"MATLAB 5.0 MAT-file" + bytes(200), "'-v7.3'"),
                 "t.csv": (b"a,b\n1,2\n", "lockstep import csv --train t.csv"),
                 "d.h5.gz": (gzip.compress((self.dir / "plain.h5").read_bytes()), "gunzip -k d.h5.gz"),
                 "größe.png": (b"\x89PNG\r\n\x1a\n" + bytes(20), "größe.png] expected an HDF5 file, got a PNG")}
        for name, (content, word) in kinds.items():
            (self.dir / name).write_bytes(content)
            self.refused(BAD_DATA, [word], "train", "--data", name, "--layers", NETWORK, "--run-dir", "new",
                         ranks=(1,))
            self.refused(BAD_DATA, [word], "inspect", name, ranks=(1,))
        self.refused(BAD_DATA, [word], "evaluate", "run/final.h5", "--data", name)
        self.refused(BAD_DATA, [word], "predict", "run/final.h5", "--data", name, "--out", "p.h5", ranks=(1,))


if __name__ == "__main__":
    main()
