"""Tables of the kinds that public tutorials use: import as pandas reads them, training, prediction from a new table.

The tables and what pandas reads in them were written by tests/reference/tables/make_tables.py.
"""
import csv
import json

import h5py
import numpy as np

from support import BAD_DATA, REFERENCE_FILES, USAGE, SystemTest, main, write_file

TABLES = REFERENCE_FILES.parent / "tables"
EXPECTED = json.loads((TABLES / "expected.json").read_text())


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class TableTest(SystemTest):
    def import_csv(self, table, *options, out="t.h5", **arguments):
        return self.done(1, "import", "csv", "--train", table, *options, "--out", out, "--overwrite", **arguments)

    def read(self, *names, path="t.h5"):
        with h5py.File(self.dir / path) as file:
            return [file[name][:] for name in names]

    def mapping(self, path="t.h5"):
        with h5py.File(self.dir / path) as file:
            return json.loads(file.attrs["lockstep_table_mapping"])


class AsPandas(TableTest):
    def check_import(self, name, table):
        output = self.import_csv(TABLES / name, *table["options"]).stdout
        self.assertRegex(output.splitlines()[0], rf"{name}: \d+ rows; .*; header: (yes|no).*; labels?: .*; \d+ feature")
        x, y = self.read("x_train", "y_train")
        self.assertEqual(x.dtype, np.float32)
        np.testing.assert_array_equal(x, np.array(table["x"], dtype=np.float32))
        expected = np.array(table["y"])
        if expected.dtype == np.float64:
            expected = expected.astype(np.float32)
        np.testing.assert_array_equal(y, expected.reshape(y.shape))
        mapping = self.mapping()
        self.assertEqual(mapping["feature_names"], table["features"])
        self.assertEqual([label["name"] for label in mapping["labels"]], table["labels"])
        self.assertEqual(mapping["labels"][0].get("classes", []), table["classes"])
        if table["id"]:
            self.assertEqual([i if isinstance(i, str) else str(i) for i in self.read("id_train")[0]], table["ids"])

    def outputs(self, x, softmax):
        """Of the network that check_prediction trains, computed here."""
        with h5py.File(self.dir / "run" / "final.h5") as file:
            weights = file["model_weights/dense/dense"]
            z = (x.astype(np.float64) * np.float32(0.001)) @ weights["kernel:0"][:] + weights["bias:0"][:]
        if not softmax:
            return z
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def check_prediction(self, name, table, ranks):
        classes, labels = table["classes"], table["labels"]
        if classes:
            layers, loss = f"Dense({len(classes)}, softmax)", "sparse_categorical_crossentropy"
        else:
            layers, loss = f"Dense({len(labels)})", "mean_squared_error"
        self.done(ranks, "train", "--data", "t.h5", "--layers", f"Rescaling(0.001), {layers}", "--loss", loss, "--metrics", "",
                  "--run-dir", "run", "--overwrite", "--verbose", "0")
        self.done(ranks, "predict", "run/final.h5", "--table", TABLES / table["new"], "--out", "p.csv", "--overwrite")
        outputs = self.outputs(np.array(table["new_x"], dtype=np.float32), bool(classes))
        predicted = rows_of(self.dir / "p.csv")
        names = [f"probability_{c}" for c in classes] if classes else labels
        np.testing.assert_allclose(np.array([[float(row[n]) for n in names] for row in predicted]), outputs, rtol=1e-4, atol=1e-6)
        if classes:
            self.assertEqual([row[labels[0]] for row in predicted], [classes[i] for i in outputs.argmax(axis=1)])
        self.assertEqual([row[table["id"] or "row"] for row in predicted],
                         table["new_ids"] or [str(i) for i in range(len(predicted))])

    def test_eighteen_tables(self):
        self.assertEqual(len(EXPECTED), 18)
        for number, (name, table) in enumerate(EXPECTED.items()):
            with self.subTest(table=name):
                self.check_import(name, table)
                self.check_prediction(name, table, 3 if number == 0 else 1)


class WhatATableSays(TableTest):
    """Kinds of tables that were once taken for something else without a word."""

    def check(self, text, label, x, y, *options):
        with self.subTest(text=text, options=options):
            (self.dir / "t.csv").write_text(text)
            self.import_csv("t.csv", "--label", label, *options)
            got_x, got_y = self.read("x_train", "y_train")
            np.testing.assert_array_equal(got_x, np.array(x, dtype=np.float32))
            np.testing.assert_array_equal(got_y, y)

    def refuse(self, text, words, *options):
        (self.dir / "t.csv").write_text(text)
        self.refused(BAD_DATA, ["t.csv", *words], "import", "csv", "--train", "t.csv", *options, "--out", "no.h5",
                     ranks=(1,))
        self.assertFalse((self.dir / "no.h5").exists())

    def test_headers_of_numbers(self):
        rows, x, y = "5.5,3.5,0\n4.5,3.0,1\n6.5,3.0,1\n", [[5.5, 3.5], [4.5, 3], [6.5, 3]], [0, 1, 1]
        for header in ("0,1,2", "2019,2020,2021", "400,450,500", "a,1,2", "1990,2000,2015"):
            self.check(header + "\n" + rows, "-1", x, y)
        self.check("10,11,12\n" + rows, "-1", x, y, "--header", "yes")
        self.check(rows, "-1", x, y)
        self.check(rows, "2", x, y, "--header", "no")
        self.check("1,2,3\n4,5,6\n7,8,9\n", "-1", [[1, 2], [4, 5], [7, 8]], [3, 6, 9])
        self.refuse("0,1\n0,1\n1,0\n", ["line 1", "--header yes", "--header no"], "--label", "-1")
        self.refuse("0,2,1\n5,6,7\n8,9,1\n", ["the name of column 2", "the index of column 3", "-2 or -1"], "--label", "2", "--header",
                    "yes")

    def test_a_first_row_with_a_missing_value_is_a_row(self):
        for mark in ("", "NA", "?", "NaN", "null", "-"):
            self.check(f"{mark},5,u\n2,3,v\n4,1,v\n", "-1", [[3, 5], [2, 3], [4, 1]], [0, 1, 1], "--missing", "mean")
        self.refuse("unknown,5,u\n2,3,v\n4,1,v\n", ["line 1", "--header"], "--label", "-1")
        self.check("unknown,5,u\n2,3,v\n4,1,v\n", "-1", [[3, 5], [2, 3], [4, 1]], [0, 1, 1], "--missing", "mean",
                   "--missing-mark", "unknown")

    def test_index_columns(self):
        x, y = [[1.5, 2], [2, 3.5], [3, 4]], [0, 1, 0]
        self.check(",a,b,y\n0,1.5,2,u\n1,2,3.5,v\n2,3,4,u\n", "y", x, y)
        self.check('"","a","b","y"\n"1",1.5,2,"u"\n"2",2,3.5,"v"\n"3",3,4,"u"\n', "y", x, y)
        self.check('"a" "b" "y"\n"Mazda" 1.5 2 "u"\n"Fiat" 2 3.5 "v"\n"Saab" 3 4 "u"\n', "y", x, y)
        self.check("Unnamed: 0,a,b,y\n7,1.5,2,u\n3,2,3.5,v\n5,3,4,u\n", "y", x, y)
        self.check("rownames,a,b,y\n1,1.5,2,u\n2,2,3.5,v\n3,3,4,u\n", "y", x, y)
        (self.dir / "t.csv").write_text("a,y,No\n" + "".join(f"{i * i % 5},{i % 2},{i}\n" for i in range(1, 9)))
        result = self.import_csv("t.csv", "--label", "y")
        self.assertIn("warning: column 'No' counts the rows", result.stderr)
        self.assertIn("--id 'No'", result.stderr)

    def test_two_columns_of_one_name(self):
        self.refuse("a,y,y\n1,0,0\n2,1,1\n", ["'y'", "several", "(1)", "--drop"], "--label", "y")
        self.refuse("a,y,y\n1,0,0\n2,1,1\n", ["'y'", "columns 2 and 3", "--drop 2"], "--label", "1")
        self.refuse("a,a,y\n1,0,0\n2,1,1\n", ["'a'", "columns 1 and 2"], "--label", "y")
        self.check("a,y,y\n1,0,0\n2,1,1\n", "1", [[1], [2]], [0, 1], "--drop", "2")

    def test_a_missing_label_is_no_class(self):
        for mark in ("", "NA", "?", "null"):
            text = f"a,y\n1,u\n2,{mark}\n3,v\n"
            self.refuse(text, ["line 3", "the label", "--missing 'y=drop'"], "--label", "y")
            self.check(text, "y", [[1], [3]], [0, 1], "--missing", "y=drop")

    def test_numbers_that_are_not_quite_numbers(self):
        for cell in ("12%", "$5", "1 234", "0x1F", "inf", "1e999", "1.2.3", "1.5D3"):
            rows = f"{cell},0\n" * 4 if cell != "1e999" else f"1,0\n{cell},1\n"
            self.refuse("a,y\n" + rows, ["column 1 (a)", "finite number", cell, "--drop 'a'"], "--label", "y")
        self.refuse('a,y\n"1,234",0\n"5,678",1\n', ["1,234", "thousands"], "--label", "y")
        self.refuse("a;y\n1,234;0\n5,678;1\n", ["1,234", "--decimal comma", "--decimal point"], "--label", "y")
        self.check("a;y\n1,234;0\n5,678;1\n", "y", [[1.234], [5.678]], [0, 1], "--decimal", "comma")
        self.refuse("a,y\n1/2/2020,0\n3/4/2020,1\n", ["1/2/2020", "--date 'a=d/m/y'"], "--label", "y")
        self.check("a,y\n1/2/1970,0\n3/4/1970,1\n", "y", [[31], [92]], [0, 1], "--date", "a=d/m/y")
        self.refuse("a,y\nu,0\n3,1\n", ["line 2", "'u'", "--categorical 'a'"], "--label", "y")
        self.refuse("a,y\nu,0\nv,1\n", ["few different words", "--categorical 'a'", "--id 'a'"], "--label", "y")

    def test_words_booleans_and_orders(self):
        self.check("a,b,y\nlow,True,1\nhigh,False,0\nlow,True,1\nmid,True,0\n", "y", [[0, 1], [2, 0], [0, 1], [1, 1]],
                   [1, 0, 1, 0], "--ordinal", "a=low<mid<high")
        self.check("a,y\nyes,no\nno,yes\n", "y", [[1], [0]], [0, 1])
        self.check("a,b,y\n10,1,0\n2,1,1\n10,2,1\n", "y", [[0, 1, 1], [1, 0, 1], [0, 1, 2]], [0, 1, 1], "--categorical", "a")
        self.check("a,b,y\nu,1,0\n,2,1\nu,,1\nv,3,1\n", "y", [[1, 0, 0, 1, 0], [0, 0, 1, 2, 0], [1, 0, 0, 2, 1], [0, 1, 0, 3, 0]],
                   [0, 1, 1, 1], "--missing", "indicator", "--categorical", "a")
        self.check("a,b,y\nu,1,0\nu,2,1\n,,1\nv,3,1\n", "y", [[1, 0, 1], [1, 0, 2], [0, 0, 0], [0, 1, 3]], [0, 1, 1, 1],
                   "--missing", "zero")

    def test_comments_blank_lines_and_numpys_header(self):
        self.check("# made by hand\n\na,y\n1,0\n#note\n\n2,1\n", "y", [[1], [2]], [0, 1])
        self.check("# a,y\n1,0\n2,1\n", "y", [[1], [2]], [0, 1])
        self.check("a,y,\n1,0,\n2,1,\n,,\n", "y", [[1], [2]], [0, 1])


class Splits(TableTest):
    def write_sorted(self, counts=(50, 50, 50)):
        labels = np.repeat(np.arange(len(counts)), counts)
        lines = [f"{i},{9 * i % 17},{'abcdefgh'[label]}" for i, label in enumerate(labels)]
        (self.dir / "t.csv").write_text("\n".join(["n,x,kind", *lines]) + "\n")

    def test_draws_of_every_class_the_same_share(self):
        self.write_sorted()
        self.import_csv("t.csv", "--label", "kind", "--test-split", "0.2")
        x, y, x_test, y_test = self.read("x_train", "y_train", "x_test", "y_test")
        self.assertEqual(np.bincount(y_test).tolist(), [10, 10, 10])
        self.assertEqual(np.bincount(y).tolist(), [40, 40, 40])
        self.assertEqual(sorted([*x[:, 0], *x_test[:, 0]]), list(range(150)), "every row once")
        for rows in (x[:, 0], x_test[:, 0]):
            self.assertTrue(np.all(np.diff(rows) > 0), "in their order")
        self.assertTrue(np.any(np.diff(x_test[:, 0]) > 1))
        self.import_csv("t.csv", "--label", "kind", "--test-split", "0.2", out="again.h5")
        np.testing.assert_array_equal(self.read("x_test", path="again.h5")[0], x_test)
        self.import_csv("t.csv", "--label", "kind", "--test-split", "0.2", "--seed", "1", out="other.h5")
        self.assertTrue(np.any(self.read("x_test", path="other.h5")[0] != x_test))

    def test_uneven_classes(self):
        self.write_sorted((30, 7, 2, 1))
        self.import_csv("t.csv", "--label", "kind", "--test-split", "0.5")
        y, y_test = self.read("y_train", "y_test")
        self.assertEqual(len(y_test), 20)
        self.assertEqual(np.bincount(y_test, minlength=4).tolist(), [15, 4, 1, 0])
        self.assertEqual(set(y), {0, 1, 2, 3})

    def test_last_rows_numbers_and_validation_rows(self):
        self.write_sorted()
        self.import_csv("t.csv", "--label", "kind", "--test-split-last", "0.2")
        self.assertEqual(self.read("x_test")[0][:, 0].tolist(), list(range(120, 150)))
        (self.dir / "r.csv").write_text("n,y\n" + "".join(f"{i},{i / 7}\n" for i in range(100)))
        self.import_csv("r.csv", "--label", "y", "--test-split", "0.1", "--validation-split", "0.2")
        x, x_val, x_test = self.read("x_train", "x_val", "x_test")
        self.assertEqual([len(x), len(x_val), len(x_test)], [72, 18, 10])
        self.assertGreater(np.ptp(x_test), 30)
        self.assertEqual(sorted(np.concatenate([x, x_val, x_test])[:, 0]), list(range(100)))
        self.refused(USAGE, ["both"], "import", "csv", "--train", "t.csv", "--label", "kind", "--test-split", "0.2",
                     "--test-split-last", "0.2", "--out", "o.h5", ranks=(1,))

    def test_train_warns_of_a_class_that_is_only_validated(self):
        x = np.arange(60, dtype=np.float32).reshape(30, 2)
        cases = {"sorted.h5": (np.repeat([0, 1, 2], 10), ["hold class 2, which", "lack class 0"]),
                 "mixed.h5": (np.arange(30) % 3, []),
                 "two.h5": (np.repeat([0, 1], 15), ["lack class 0"]),
                 "rare.h5": (np.repeat([1, 2, 1], [5, 1, 24]), [])}
        for name, (y, words) in cases.items():
            with self.subTest(file=name):
                write_file(self.dir / name, x_train=x, y_train=y.astype(np.uint8))
                result = self.done(3 if name == "sorted.h5" else 1, "train", "--data", name, "--layers", "Dense(3, softmax)",
                                   "--validation-split", "0.4", "--run-dir", name + ".run", "--verbose", "0")
                warnings = [line for line in result.stderr.splitlines() if "--validation-split" in line]
                self.assertEqual(len(warnings), 1 if words else 0, result)
                for word in words + (["--x-val"] if words else []):
                    self.assertIn(word, warnings[0])


class NewTables(TableTest):
    """One model, many tables to predict from."""

    def setUp(self):
        super().setUp()
        rows = [f"{i},{i % 7}.5,{'uvw'[i % 3]},{['no', 'yes'][i % 2]}" for i in range(24)]
        (self.dir / "t.csv").write_text("\n".join(["key,size,kind,label", *rows]) + "\n")
        self.import_csv("t.csv", "--label", "label", "--id", "key", "--missing", "size=mean")
        self.done(1, "train", "--data", "t.h5", "--layers", "Dense(2, softmax)", "--verbose", "0")

    def predict(self, text, *options, ranks=1, out="p.csv"):
        (self.dir / "new.csv").write_text(text)
        return self.done(ranks, "predict", "run/final.h5", "--table", "new.csv", "--out", out, "--overwrite", *options)

    def refuse(self, text, words, *options, ranks=(1,)):
        (self.dir / "new.csv").write_text(text)
        self.refused(BAD_DATA, words, "predict", "run/final.h5", "--table", "new.csv", "--out", "no.csv", *options,
                     ranks=ranks)
        self.assertFalse((self.dir / "no.csv").exists())

    def test_any_order_of_columns_and_any_number_of_ranks(self):
        self.predict("key,size,kind\na1,2.5,u\na2,,w\n\"a,3\",1,v\n")
        one = rows_of(self.dir / "p.csv")
        self.assertEqual(list(one[0]), ["key", "label", "probability_no", "probability_yes"])
        self.assertEqual([row["key"] for row in one], ["a1", "a2", "a,3"])
        for row in one:
            most = max(("no", "yes"), key=lambda name: float(row[f"probability_{name}"]))
            self.assertEqual(row["label"], most)
        result = self.predict("kind;label;more;key;size\nu;?;x;a1;2,5\nw;?;y;a2;NA\nv;?;z;a,3;1,0\n", ranks=3)
        self.assertIn("'more'", result.stderr)
        self.assertEqual(rows_of(self.dir / "p.csv"), one)
        self.predict("kind,size\nu,2.5\n")
        self.assertEqual(rows_of(self.dir / "p.csv")[0]["row"], "0")

    def test_the_mapping_is_in_every_file_of_a_run(self):
        for file in ["run/final.h5", *(self.dir / "run/checkpoints").iterdir()]:
            with h5py.File(self.dir / file) as opened:
                self.assertEqual(json.loads(opened["lockstep"].attrs["table_mapping"]), self.mapping())

    def test_the_mapping_is_not_that_of_other_rows(self):
        with h5py.File(self.dir / "t.h5", "a") as file:
            file["other"], file["labels"] = file["x_train"][:] * 2, file["y_train"][:]
        train = ("train", "--data", "t.h5", "--layers", "Dense(2, softmax)", "--verbose", "0")
        self.done(1, *train, "--x", "other", "--y", "labels", "--run-dir", "others")
        self.refused(BAD_DATA, ["others/final.h5", "lockstep import csv"], "predict", "others/final.h5", "--table", "t.csv",
                     "--out", "no.csv", ranks=(1,))
        self.done(1, *train, "--x", "/x_train", "--y", "/y_train", "--run-dir", "same")
        self.done(1, "predict", "same/final.h5", "--table", "t.csv", "--out", "p.csv", "--overwrite")

    def test_separator_and_decimal_that_the_user_says(self):
        text = "size;kind\n1,234;u\n5,678;v\n"
        self.refuse(text, ["1,234", "--decimal comma"])
        self.predict(text, "--decimal", "comma")
        one = (self.dir / "p.csv").read_text()
        self.predict("size|kind|a,b\n1.234|u|1,2\n5.678|v|1,2\n", "--separator", "bar", "--decimal", "point")
        self.assertEqual((self.dir / "p.csv").read_text(), one)
        self.refused(USAGE, ["--decimal", "point, comma or auto", "'dot'"], "predict", "run/final.h5", "--table", "t.csv",
                     "--decimal", "dot", "--out", "no.csv", ranks=(1,))
        self.refused(USAGE, ["--separator", "beside --table", "--data"], "predict", "run/final.h5", "--data", "t.h5",
                     "--separator", "bar", "--out", "no.csv", ranks=(1,))

    def test_unknown_words(self):
        text = "key,size,kind\na1,2.5,u\na2,1,x\n"
        self.refuse(text, ["line 3", "column 3 (kind)", "'u', 'v', 'w'", "'x'", "--unknown zero"], ranks=(1, 3))
        result = self.predict(text, "--unknown", "zero")
        self.assertIn("1 unknown word", result.stderr)
        self.assertEqual(len(rows_of(self.dir / "p.csv")), 2)

    def test_refuses(self):
        self.refuse("key,kind\n1,u\n", ["'size'", "'key', 'kind'"])
        self.refuse("1,2.5,u\n2,1.5,v\n", ["'size', 'kind'"])
        self.refuse("key,size,kind\n1,2.5,\n", ["line 2", "column 3 (kind)", "an empty cell", "--missing"])
        self.refuse("key,size,kind\n1,big,u\n", ["line 2", "column 2 (size)", "finite number", "'big'"])
        write_file(self.dir / "d.h5", x_train=np.ones((8, 2)), y_train=np.zeros(8))
        self.done(1, "train", "--data", "d.h5", "--layers", "Dense(2, softmax)", "--run-dir", "other", "--verbose", "0")
        self.refused(BAD_DATA, ["other/final.h5", "lockstep import csv", "--data"], "predict", "other/final.h5", "--table", "t.csv",
                     "--out", "no.csv", ranks=(3,))
        self.refused(USAGE, ["--data", "--table", "both"], "predict", "run/final.h5", "--table", "t.csv", "--data", "d.h5",
                     "--out", "no.csv", ranks=(1,))


if __name__ == "__main__":
    main()
