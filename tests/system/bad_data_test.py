"""Dataset files that must be refused, with a message that helps (bad inputs 1 to 5, 7, 8, 10)."""
import os
import shutil

import h5py
import numpy as np

from support import (BAD_DATA, MISSING, NETWORK, PERMISSION, SystemTest, clusters, main,
                     write_clusters, write_file)


class BadDataTest(SystemTest):
    def refused_data(self, code, words, data, *options, **more):
        self.refused(code, words, "train", "--data", data, "--layers", NETWORK, *options, **more)
        self.assertFalse((self.dir / "run").exists(), "a run that never began left files")


class FilesThatCannotBeOpened(BadDataTest):
    def test_missing(self):
        self.refused_data(MISSING, ["nowhere.h5", "No such file"], "nowhere.h5")

    def test_directory(self):
        (self.dir / "folder.h5").mkdir()
        self.refused_data(MISSING, ["folder.h5", "directory"], "folder.h5")

    def test_without_permission(self):
        path = write_clusters(self.dir / "locked.h5")
        path.chmod(0)
        prefix = []
        if os.geteuid() == 0:  # root reads everything, unless it gives that right up
            if shutil.which("setpriv") is None:
                self.skipTest("running as root without setpriv")
            prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        self.refused_data(PERMISSION, ["locked.h5", "Permission denied"], "locked.h5", prefix=prefix)


class FilesThatAreNotHdf5(BadDataTest):
    def test_empty(self):
        (self.dir / "empty.h5").touch()
        self.refused_data(BAD_DATA, ["empty.h5", "HDF5"], "empty.h5")

    def test_one_byte(self):
        (self.dir / "byte.h5").write_bytes(b"\x89")
        self.refused_data(BAD_DATA, ["byte.h5", "HDF5"], "byte.h5")

    def test_text(self):
        (self.dir / "text.h5").write_text("x,y\n1,2\n" * 1000)
        self.refused_data(BAD_DATA, ["text.h5", "HDF5"], "text.h5")

    def test_truncated(self):
        whole = write_clusters(self.dir / "whole.h5").read_bytes()
        lengths = [len(whole) * i // 10 for i in range(1, 10)] + [len(whole) - 1]
        for i, length in enumerate(lengths):
            (self.dir / "short.h5").write_bytes(whole[:length])
            with self.subTest(length=length):
                self.refused_data(BAD_DATA, ["short.h5"], "short.h5", ranks=(3,) if i % 5 == 4 else (1,))


class Datasets(BadDataTest):
    def test_absent(self):
        x, y = clusters(12)
        write_file(self.dir / "d.h5", images=x, y_train=y)
        self.refused_data(BAD_DATA, ["d.h5", "x_train", "images"], "d.h5")

    def test_absent_labels(self):
        x, y = clusters(12)
        write_file(self.dir / "d.h5", x_train=x, labels=y)
        self.refused_data(BAD_DATA, ["d.h5", "y_train", "labels"], "d.h5")

    def test_group(self):
        x, y = clusters(12)
        write_file(self.dir / "d.h5", **{"x_train/values": x, "y_train": y})
        self.refused_data(BAD_DATA, ["d.h5", "x_train", "group", "x_train/values"], "d.h5")

    def test_named_test_set_absent(self):
        write_clusters(self.dir / "d.h5", test_rows=0)
        self.refused(BAD_DATA, ["d.h5", "holdout"], "train", "--data", "d.h5", "--layers", NETWORK,
                     "--x-test", "holdout", ranks=(1,))

    def test_unequal_row_counts(self):
        x, y = clusters(12)
        write_file(self.dir / "d.h5", x_train=x, y_train=y[:11])
        self.refused_data(BAD_DATA, ["d.h5", "12", "11", "x_train", "y_train"], "d.h5")

    def test_zero_rows(self):
        write_file(self.dir / "d.h5", x_train=np.zeros((0, 8)), y_train=np.zeros(0, int))
        self.refused_data(BAD_DATA, ["row"], "d.h5")


class Types(BadDataTest):
    def refused_type(self, name, words, **replacement):
        x, y = clusters(12)
        write_file(self.dir / "d.h5", **{"x_train": x, "y_train": y, **replacement})
        self.refused_data(BAD_DATA, ["d.h5", name, *words], "d.h5", ranks=(1,))

    def test_strings(self):
        self.refused_type("x_train", ["string"], x_train=np.full((12, 8), b"seven"))

    def test_variable_length_strings(self):
        labels = np.array(["cat"] * 12, dtype=h5py.string_dtype())
        self.refused_type("x_train", ["strings"], x_train=labels)  # as targets they are classes

    def test_compound(self):
        pairs = np.zeros(12, dtype=[("red", "f4"), ("green", "f4")])
        self.refused_type("x_train", ["compound"], x_train=pairs)

    def test_complex(self):
        self.refused_type("x_train", ["compound"], x_train=np.zeros((12, 8), complex))

    def test_variable_length_rows(self):
        rows = np.array([np.arange(3, dtype="f4")] * 12 + [None], dtype=object)[:12]
        with h5py.File(self.dir / "d.h5", "w") as file:
            file.create_dataset("x_train", data=rows, dtype=h5py.vlen_dtype("f4"))
            file["y_train"] = clusters(12)[1]
        self.refused_data(BAD_DATA, ["d.h5", "x_train", "variable"], "d.h5", ranks=(1, 3))


class Values(BadDataTest):
    def data(self, **changes):
        x, y = clusters(30)
        datasets = {"x_train": x.astype("f4"), "y_train": y.astype("f4")}
        for name, (rows, value) in changes.items():
            datasets[name][rows, ...] = value
        return write_file(self.dir / "d.h5", **datasets).name

    def test_label_too_large(self):
        data = self.data(y_train=([17, 28], 3))
        self.refused_data(BAD_DATA, ["y_train", "0 to 2", "got 3", "2 values", "row 17"], data)

    def test_label_negative(self):
        data = self.data(y_train=([29], -1))
        self.refused_data(BAD_DATA, ["y_train", "0 to 2", "got -1", "1 value", "row 29"], data)

    def test_label_not_whole(self):
        data = self.data(y_train=([0], 0.5))
        self.refused_data(BAD_DATA, ["y_train", "0.5", "1 value", "row 0"], data, ranks=(1,))

    def test_label_nan(self):
        data = self.data(y_train=([5, 6, 25], np.nan))
        self.refused_data(BAD_DATA, ["y_train", "nan", "3 values", "row 5"], data)

    def test_feature_nan(self):
        data = self.data(x_train=([11], np.nan))
        self.refused_data(BAD_DATA, ["x_train", "nan", "8 values", "row 11"], data)

    def test_feature_infinite(self):
        data = self.data(x_train=([29], -np.inf))
        self.refused_data(BAD_DATA, ["x_train", "-inf", "8 values", "row 29"], data, ranks=(3,))

    def test_bad_validation_labels(self):
        x, y = clusters(30)
        write_file(self.dir / "d.h5", x_train=x, y_train=y, x_val=x, y_val=y + 1)
        self.refused(BAD_DATA, ["y_val", "got 3", "10 values", "row 2"], "train", "--data", "d.h5",
                     "--layers", NETWORK, "--x-val", "x_val", "--y-val", "y_val", ranks=(1,))


class Shapes(BadDataTest):
    def test_input_that_does_not_fit_the_network(self):
        write_clusters(self.dir / "d.h5")
        layers = "Input((9,)), Dense(3, softmax)"
        self.refused(BAD_DATA, ["(9)", "(8)"], "train", "--data", "d.h5", "--layers", layers)

    def test_images_without_flatten(self):
        x, y = clusters(12, features=16)
        write_file(self.dir / "d.h5", x_train=x.reshape(12, 4, 4), y_train=y)
        layers = "Input((16,)), Dense(3, softmax)"
        self.refused(BAD_DATA, ["(16)", "(4, 4)"], "train", "--data", "d.h5", "--layers", layers, ranks=(1,))

    def test_targets_that_do_not_fit_the_output(self):
        x, y = clusters(12)
        write_file(self.dir / "d.h5", x_train=x, y_train=np.eye(4)[y])
        self.refused(BAD_DATA, ["y_train", "(3)", "(4)"], "train", "--data", "d.h5", "--layers", NETWORK,
                     "--loss", "categorical_crossentropy")


if __name__ == "__main__":
    main()
