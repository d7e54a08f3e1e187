"""Time series: windows that are cut when they are used give what copied rows give, and tables of the same columns are
predicted by the model's facts."""
import csv

import h5py
import numpy as np

from support import BAD_DATA, USAGE, SystemTest, main

WINDOW, HORIZON = 6, 2


def sales(rows=60):
    """Two shops, a row each a day."""
    return [(day, shop, f"{10 * (shop == 'b') + np.sin(day / 3):.4f}", day % 7)
            for day in range(rows) for shop in ("a", "b")]


class WindowTest(SystemTest):
    def write_table(self, name, rows):
        with open(self.dir / name, "w", newline="") as file:
            csv.writer(file).writerows([("day", "shop", "sold", "weekday"), *rows])

    def import_windows(self, *options, out="t.h5"):
        self.write_table("t.csv", sales())
        return self.done(1, "import", "csv", "--train", "t.csv", "--label", "sold", "--drop", "day", "--window", WINDOW,
                         "--horizon", HORIZON, "--group", "shop", "--test-split-last", "0.2", "--out", out, *options).stdout

    def copy(self, name="t.h5", out="copied.h5"):
        """The same rows without windows."""
        with h5py.File(self.dir / name) as file, h5py.File(self.dir / out, "w") as copied:
            x, y = file["x_series"][:], file["y_series"][:]
            for part in ("train", "test"):
                starts = file[f"x_{part}"][:]
                copied[f"x_{part}"] = np.stack([x[s:s + WINDOW] for s in starts])
                copied[f"y_{part}"] = np.stack([y[s + WINDOW:s + WINDOW + HORIZON] for s in starts])

    def fit(self, data, run_dir, *options, ranks=1, epochs=3):
        self.done(ranks, "train", "--data", data, "--layers", "LSTM(4), Dense(2)", "--loss", "mean_squared_error",
                  "--metrics", "", "--batch-size", "16", "--verbose", "0", "--epochs", epochs, "--run-dir", run_dir, *options)
        return self.sha256(self.dir / run_dir / "final.h5")


class Windows(WindowTest):
    def test_train_as_copied_rows_do_on_any_number_of_ranks(self):
        self.assertRegex(self.import_windows(), r"windows: 6 rows of 2, targets of the next 2 rows, one every row; "
                                                r"2 series by 'shop'; 82 to train, 0 to validate, 22 to test")
        self.copy()
        for options in ([], ["--validation-split", "0.2"], ["--shuffle", "false"]):
            with self.subTest(options=options):
                name = "".join(options).replace("-", "")
                expected = self.fit("copied.h5", "copied" + name, *options)
                for ranks in (1, 3):
                    self.assertEqual(self.fit("t.h5", f"run{name}{ranks}", *options, ranks=ranks), expected)
        evaluated = [self.done(ranks, "evaluate", "run1/final.h5", "--data", data).stdout.splitlines()[-1]
                     for ranks, data in ((1, "t.h5"), (3, "t.h5"), (1, "copied.h5"))]
        self.assertEqual(len({line.split("loss")[-1] for line in evaluated}), 1, evaluated)

    def test_go_on_where_copied_rows_stopped(self):
        """The hash of the rows is theirs, however they lie in the file."""
        self.import_windows()
        self.copy()
        expected = self.fit("t.h5", "whole")
        self.copy(out="data.h5")
        self.fit("data.h5", "run", epochs=2)
        (self.dir / "t.h5").rename(self.dir / "data.h5")
        self.assertEqual(self.fit("data.h5", "run", epochs=3), expected)

    def test_predict_a_new_table_by_the_models_facts(self):
        self.import_windows()
        self.fit("t.h5", "run")
        self.write_table("new.csv", sales(8)[:-1])  # 8 days of a, 7 of b
        self.done(2, "predict", "run/final.h5", "--table", "new.csv", "--out", "p.csv")
        with open(self.dir / "p.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        # Windows end on days 5 and 6 of both shops, and on day 7 of a.
        self.assertEqual([row["row"] for row in rows], ["10", "11", "12", "13", "14"])
        self.assertEqual(list(rows[0]), ["row", "sold+1", "sold+2"])
        # The same windows as rows of a dataset.
        values = np.array([(float(s), w) for _, _, s, w in sales(8)], dtype=np.float32)
        a, b = values[0::2], values[1::2][:7]
        x = np.stack([a[0:6], b[0:6], a[1:7], b[1:7], a[2:8]])
        with h5py.File(self.dir / "x.h5", "w") as file:
            file["x_test"] = x
        self.done(1, "predict", "run/final.h5", "--data", "x.h5", "--out", "p.npy")
        np.testing.assert_array_equal(np.array([[row["sold+1"], row["sold+2"]] for row in rows], dtype=np.float32),
                                      np.load(self.dir / "p.npy"))
        report = self.done(1, "inspect", "t.h5").stdout
        self.assertIn("windows of /x_series, cut when they are used: 82 of (6, 2)", report)

    def test_refuse_what_does_not_fit(self):
        self.import_windows()
        self.fit("t.h5", "run")
        self.write_table("short.csv", sales(5))
        self.refused(BAD_DATA, ["at least 6 rows of a series", "got 5"], "predict", "run/final.h5", "--table", "short.csv",
                     "--out", "p.csv", ranks=(1, 2))
        table = ["import", "csv", "--train", "t.csv", "--label", "sold", "--out", "o.h5"]
        for words, options in ((["--window N"], ["--horizon", "2"]), (["--window N"], ["--group", "shop"]),
                               (["--window", "from 1"], ["--window", "0"]),
                               (["--test-split-last"], ["--window", "3", "--test-split", "0.2"]),
                               (["--missing"], ["--window", "3", "--missing", "drop"]),
                               (["--past-labels"], ["--window", "3", "--past-labels", "maybe"])):
            self.refused(USAGE, words, *table, *options, ranks=(1,))
        self.refused(BAD_DATA, ["windows of 60 rows"], *table, "--window", "60", "--group", "shop", ranks=(1,))
        self.refused(BAD_DATA, ["got classes"], "import", "csv", "--train", "t.csv", "--label", "shop", "--window", "3",
                     "--horizon", "2", "--out", "o.h5", ranks=(1,))


if __name__ == "__main__":
    main()
