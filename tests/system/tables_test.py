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


if __name__ == "__main__":
    main()
