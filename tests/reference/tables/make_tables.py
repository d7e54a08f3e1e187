"""Writes eighteen small tables of the kinds that public tutorials use, with their traps, and what pandas reads out of
them: *.csv, *.data, *.txt beside this file, and expected.json. Needs pandas; the tests need only what it wrote.

    python3 tests/reference/tables/make_tables.py

Each table comes with a second one of six rows to predict from (new_*): without the label; where there is a header, with
the columns in another order and one column more.
"""
import csv
import json
import pathlib

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = {}
ROWS, NEW = 40, 6


def text_of(frame, header=True, separator=",", na="", index=False, **options):
    return frame.to_csv(header=header, sep=separator, na_rep=na, index=index, lineterminator="\n", **options)


def write(name, text, encoding="utf-8"):
    (HERE / name).write_bytes(text.encode(encoding))


def shuffled(frame, labels):
    """As a new table comes: without the label, other order of columns, one column more."""
    rest = frame.drop(columns=labels)
    rest = rest[list(rest.columns[::-1])]
    rest.insert(1, "remark", "new")
    return rest


def features(frame, means, categories):
    """Columns in order: numbers filled by `means`, words as one column of 0 and 1 for each of `categories`."""
    parts = []
    for column in frame.columns:
        values = frame[column]
        if column in categories:
            known = pd.Categorical(values.fillna(means.get(column)) if column in means else values,
                                   categories=categories[column])
            dummies = pd.get_dummies(known, dtype=np.float32)
            dummies.columns = [f"{column}={name}" for name in categories[column]]
            parts.append(dummies.reset_index(drop=True))
        else:
            filled = values.fillna(means[column]) if column in means else values
            parts.append(filled.astype(np.float64).astype(np.float32).rename(str(column)).reset_index(drop=True))
    return pd.concat(parts, axis=1)


def record(name, new_name, options, frame, new, label, drop=(), id=None, means=None, words=(), classes=None, epochs=3,
           label_kind="classes"):
    """`frame` and `new` as pandas read them."""
    labels = [label] if not isinstance(label, list) else label
    means = means or {}
    unused = labels + list(drop) + ([id] if id is not None else [])
    inputs = frame.drop(columns=unused)
    categories = {column: sorted(frame[column].dropna().unique().tolist()) for column in words}
    x = features(inputs, means, categories)
    new_x = features(new[inputs.columns], means, categories)
    if label_kind == "classes":
        kinds = pd.Categorical(frame[label])
        y, classes = kinds.codes.tolist(), [str(c) for c in kinds.categories]
    else:
        y, classes = frame[labels].values.tolist(), []
    EXPECTED[name] = {
        "new": new_name, "options": options, "x": x.values.tolist(), "new_x": new_x.values.tolist(), "y": y,
        "classes": classes, "labels": [str(l) for l in labels], "features": x.columns.tolist(), "id": str(id) if id is not None else "",
        "ids": [str(v) for v in frame[id]] if id is not None else [],
        "new_ids": [str(v) for v in new[id]] if id is not None else []}


def passengers(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({
        "PassengerId": np.arange(1, rows + 1) + 100, "Survived": random.integers(0, 2, rows),
        "Pclass": random.integers(1, 4, rows),
        "Name": [f'Smith, Mr. "Jack" {i}' if i % 3 else f"Van der Berg,\nMrs. {i}" for i in range(rows)],
        "Sex": random.choice(["male", "female"], rows), "Age": random.integers(1, 160, rows) / 2,
        "Fare": np.round(random.uniform(5, 500, rows), 4), "Embarked": random.choice(["S", "C", "Q"], rows, p=[.6, .2, .2])})
    frame.loc[[0, 5, 17, ROWS + 1], "Age"] = np.nan
    frame.loc[[3, ROWS + 2], "Embarked"] = np.nan
    write("passengers.csv", text_of(frame[:ROWS]))
    write("new_passengers.csv", text_of(shuffled(frame[ROWS:], ["Survived"])))
    read = pd.read_csv(HERE / "passengers.csv")
    record("passengers.csv", "new_passengers.csv", ["--label", "Survived", "--classes", "sorted", "--id", "PassengerId", "--drop", "Name",
           "--missing", "mean"], read, pd.read_csv(HERE / "new_passengers.csv"), "Survived", ["Name"], "PassengerId",
           {"Age": read.Age.mean(), "Embarked": read.Embarked.mode()[0],
            **{c: read[c].mean() for c in ("Pclass", "Fare")}, "Sex": read.Sex.mode()[0]}, ["Sex", "Embarked"])


def churn(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({
        "RowNumber": np.arange(1, rows + 1), "CustomerId": random.integers(15_000_000, 15_900_000, rows),
        "Surname": [f"O'Name{i}" for i in range(rows)], "CreditScore": random.integers(350, 850, rows),
        "Geography": random.choice(["France", "Spain", "Germany"], rows), "Gender": random.choice(["Male", "Female"], rows),
        "Balance": np.round(random.uniform(0, 200_000, rows), 2), "HasCrCard": random.choice([True, False], rows),
        "Exited": random.integers(0, 2, rows)})
    write("churn.csv", text_of(frame[:ROWS]))
    write("new_churn.csv", text_of(shuffled(frame[ROWS:], ["Exited"])))
    record("churn.csv", "new_churn.csv", ["--label", "Exited", "--classes", "0,1", "--id", "CustomerId", "--drop", "RowNumber,Surname"],
           pd.read_csv(HERE / "churn.csv"), pd.read_csv(HERE / "new_churn.csv"), "Exited", ["RowNumber", "Surname"],
           "CustomerId", {}, ["Geography", "Gender"])


def census(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({
        0: random.integers(17, 90, rows), 1: random.choice(["Private", "State-gov", "Self-emp"], rows),
        2: random.integers(20_000, 400_000, rows), 3: random.choice(["Bachelors", "HS-grad", "11th"], rows),
        4: random.choice(["Male", "Female"], rows), 5: random.choice([0, 0, 2174], rows),
        6: random.choice(["<=50K", ">50K"], rows)})
    frame.loc[[0, 4, ROWS], 1] = "?"  # the first row too
    text = lambda part: text_of(part, header=False).replace(",", ", ")
    write("census.data", text(frame[:ROWS]) + "\n")
    write("new_census.data", text(frame[ROWS:].drop(columns=6)))
    options = dict(header=None, skipinitialspace=True, na_values="?")
    read = pd.read_csv(HERE / "census.data", **options)
    record("census.data", "new_census.data", ["--label", "-1", "--missing", "1=most"], read,
           pd.read_csv(HERE / "new_census.data", **options), 6, means={1: read[1].mode()[0]}, words=[1, 3, 4])


def abalone(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({0: random.choice(["M", "F", "I"], rows), 1: np.round(random.uniform(.1, .8, rows), 3),
                          2: np.round(random.uniform(.1, .6, rows), 3), 3: random.integers(1, 29, rows)})
    write("abalone.data", text_of(frame[:ROWS], header=False))
    write("new_abalone.data", text_of(frame[ROWS:].drop(columns=3), header=False))
    record("abalone.data", "new_abalone.data", ["--label", "-1"], pd.read_csv(HERE / "abalone.data", header=None),
           pd.read_csv(HERE / "new_abalone.data", header=None), 3, words=[0], label_kind="numbers")


def housing(random):
    rows, columns = ROWS + NEW, 14
    values = np.round(random.uniform(0, 400, (rows, columns)), 3)
    values[:, 3] = random.integers(0, 2, rows)
    lines = ["".join(f" {v:8.4f}" if c != 3 else f"   {int(v)}" for c, v in enumerate(row)) for row in values]
    write("housing.data", "\n".join(lines[:ROWS]) + "\n")
    write("new_housing.data", "\n".join(line[:-9] for line in lines[ROWS:]) + "\n")
    record("housing.data", "new_housing.data", ["--label", "13"], pd.read_csv(HERE / "housing.data", header=None, sep=r"\s+"),
           pd.read_csv(HERE / "new_housing.data", header=None, sep=r"\s+"), 13, label_kind="numbers")


def stocks(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({"Date": pd.date_range("2019-12-20", periods=rows, freq="B").strftime("%Y-%m-%d"),
                          "Open": np.round(random.uniform(90, 110, rows), 2), "Close": np.round(random.uniform(90, 110, rows), 2),
                          "Volume": random.integers(10**6, 10**8, rows)})
    write("stocks.csv", text_of(frame[:ROWS]).replace("\n", "\r\n"))
    write("new_stocks.csv", text_of(shuffled(frame[ROWS:], ["Close"])))

    def read(name):
        frame = pd.read_csv(HERE / name, parse_dates=["Date"])
        frame["Date"] = (frame["Date"] - pd.Timestamp("1970-01-01")).dt.days
        return frame
    record("stocks.csv", "new_stocks.csv", ["--label", "Close"], read("stocks.csv"), read("new_stocks.csv"), "Close",
           label_kind="numbers")


def seeds(random):
    rows = ROWS + NEW
    values = np.round(random.uniform(1, 20, (rows, 4)), 4)
    labels = np.arange(rows) % 3 + 1
    lines = [("\t\t" if i % 7 == 2 else "\t").join(f"{v:g}" for v in row) + f"\t{labels[i]}" for i, row in enumerate(values)]
    write("seeds.txt", "\n".join(lines[:ROWS]) + "\n")
    write("new_seeds.txt", "\n".join(line[:-2] for line in lines[ROWS:]) + "\n")
    record("seeds.txt", "new_seeds.txt", ["--label", "-1", "--classes", "sorted"], pd.read_csv(HERE / "seeds.txt", header=None, sep=r"\s+"),
           pd.read_csv(HERE / "new_seeds.txt", header=None, sep=r"\s+"), 4)


def breast_cancer(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({0: random.integers(60_000, 1_400_000, rows), **{i: random.integers(1, 11, rows) for i in range(1, 5)},
                          5: random.integers(1, 11, rows).astype(str), 6: random.choice([2, 4], rows)})
    frame.loc[[0, 9, 30, ROWS + 3], 5] = "?"
    write("breast-cancer.data", text_of(frame[:ROWS], header=False))
    write("new_breast-cancer.data", text_of(frame[ROWS:].drop(columns=6), header=False))
    read = pd.read_csv(HERE / "breast-cancer.data", header=None, na_values="?")
    record("breast-cancer.data", "new_breast-cancer.data",
           ["--label", "-1", "--classes", "sorted", "--id", "0", "--missing", "median"], read,
           pd.read_csv(HERE / "new_breast-cancer.data", header=None, na_values="?"), 6, id=0,
           means={c: read[c].median() for c in range(1, 6)})


def iris(random):
    rows = ROWS + NEW
    frame = pd.DataFrame(np.round(random.uniform(.1, 8, (rows, 4)), 1), columns=["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"])
    frame["species"] = np.repeat(["setosa", "versicolor", "virginica"], (rows + 2) // 3)[:rows]
    write("iris.csv", frame[:ROWS].to_csv())  # with pandas' index, and sorted
    write("new_iris.csv", text_of(shuffled(frame[ROWS:], ["species"])))
    record("iris.csv", "new_iris.csv", ["--label", "species"], pd.read_csv(HERE / "iris.csv", index_col=0),
           pd.read_csv(HERE / "new_iris.csv"), "species")


def wine(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({"fixed acidity": np.round(random.uniform(4, 15, rows), 1), "residual sugar": np.round(random.uniform(1, 20, rows), 2),
                          "pH": np.round(random.uniform(2.8, 3.9, rows), 2), "quality": random.integers(3, 9, rows)})
    write("wine.csv", text_of(frame[:ROWS], separator=";", quoting=csv.QUOTE_NONNUMERIC))
    write("new_wine.csv", text_of(shuffled(frame[ROWS:], ["quality"]), separator=";"))
    record("wine.csv", "new_wine.csv", ["--label", "quality"], pd.read_csv(HERE / "wine.csv", sep=";"),
           pd.read_csv(HERE / "new_wine.csv", sep=";"), "quality", label_kind="numbers")


def mushrooms(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({"class": random.choice(["p", "e"], rows), "cap-shape": random.choice(list("xbsf"), rows),
                          "bruises": random.choice(["t", "f"], rows), "stalk-root": random.choice(list("ebc?"), rows, p=[.4, .3, .2, .1])})
    frame.loc[ROWS, "stalk-root"] = "?"
    write("mushrooms.csv", text_of(frame[:ROWS]))
    write("new_mushrooms.csv", text_of(shuffled(frame[ROWS:], ["class"])))
    read = pd.read_csv(HERE / "mushrooms.csv", na_values="?")
    record("mushrooms.csv", "new_mushrooms.csv", ["--label", "0", "--missing", "stalk-root=most"], read,
           pd.read_csv(HERE / "new_mushrooms.csv", na_values="?"), "class", means={"stalk-root": read["stalk-root"].mode()[0]},
           words=["cap-shape", "bruises", "stalk-root"])


def auto_mpg(random):
    rows = ROWS + NEW
    lines = []
    for i in range(rows):
        horsepower = "?     " if i in (0, 7, ROWS + 1) else f"{random.integers(50, 230)}.0"
        lines.append(f"{random.integers(90, 450) / 10:.1f}   {random.choice([4, 6, 8])}   {horsepower}      {random.integers(1600, 5000)}.      "
                     f"{random.integers(80, 250) / 10:.1f}   {random.integers(70, 83)}  {random.choice([1, 2, 3])}\t\"ford model {i}\"")
    write("auto-mpg.data", "\n".join(lines[:ROWS]) + "\n")
    write("new_auto-mpg.data", "\n".join(lines[ROWS:]) + "\n")
    read = pd.read_csv(HERE / "auto-mpg.data", header=None, sep=r"\s+", na_values="?")
    record("auto-mpg.data", "new_auto-mpg.data", ["--label", "0", "--drop", "-1", "--categorical", "6", "--missing", "2=mean"], read,
           pd.read_csv(HERE / "new_auto-mpg.data", header=None, sep=r"\s+", na_values="?"), 0, [7], means={2: read[2].mean()}, words=[6],
           label_kind="numbers")


def penguins(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({"species": random.choice(["Adelie", "Gentoo", "Chinstrap"], rows), "island": random.choice(["Torgersen", "Dream", "Ile d'Été"], rows),
                          "bill_length_mm": np.round(random.uniform(32, 60, rows), 1), "body_mass_g": random.integers(2700, 6300, rows),
                          "sex": random.choice(["male", "female"], rows)})
    frame = frame.astype({"body_mass_g": object})
    frame.loc[[0, 11], ["bill_length_mm", "sex"]] = np.nan
    frame.loc[20, "species"] = np.nan
    write("penguins.csv", text_of(frame[:ROWS], na="NA"), "utf-8-sig")
    write("new_penguins.csv", text_of(shuffled(frame[ROWS:], ["species"])))
    record("penguins.csv", "new_penguins.csv", ["--label", "species", "--missing", "drop"], pd.read_csv(HERE / "penguins.csv").dropna(),
           pd.read_csv(HERE / "new_penguins.csv"), "species", words=["island", "sex"])


def air_quality(random):
    rows = ROWS + NEW
    comma = lambda values: [str(v).replace(".", ",") for v in values]
    gas = comma(np.round(random.uniform(.5, 9, rows), 1))
    for i in (2, 8, ROWS + 4):
        gas[i] = "-200"
    frame = pd.DataFrame({"Date": [f"{i % 28 + 1:02d}/{i // 28 + 3:02d}/2004" for i in range(rows)],
                          "Time": [f"{i % 24:02d}.00.00" for i in range(rows)], "CO(GT)": gas,
                          "PT08.S1(CO)": random.integers(600, 2000, rows), "C6H6(GT)": comma(np.round(random.uniform(1, 30, rows), 1))})
    lines = text_of(frame[:ROWS], separator=";").splitlines()
    write("air-quality.csv", "\r\n".join(line + ";;" for line in lines) + "\r\n" + ";;;;;;\r\n" * 3)
    write("new_air-quality.csv", text_of(shuffled(frame[ROWS:], ["C6H6(GT)"]), separator=";"))

    def read(name):
        frame = pd.read_csv(HERE / name, sep=";", decimal=",", na_values=["-200"]).dropna(axis=1, how="all").dropna(how="all")
        frame["Date"] = (pd.to_datetime(frame["Date"], format="%d/%m/%Y") - pd.Timestamp("1970-01-01")).dt.days
        return frame
    table = read("air-quality.csv")
    record("air-quality.csv", "new_air-quality.csv", ["--label", "C6H6(GT)", "--drop", "Time", "--missing-mark", "-200", "--missing", "CO(GT)=mean"],
           table, read("new_air-quality.csv"), "C6H6(GT)", ["Time"], means={"CO(GT)": table["CO(GT)"].mean()}, label_kind="numbers")


def sonar(random):
    rows = ROWS + NEW
    frame = pd.DataFrame(np.round(random.uniform(0, 1, (rows, 8)), 4))
    frame[8] = np.repeat(["R", "M"], rows // 2)
    write("sonar.data", text_of(frame[:ROWS], header=False))
    write("new_sonar.data", text_of(frame[ROWS:].drop(columns=8), header=False))
    record("sonar.data", "new_sonar.data", ["--label", "-1"], pd.read_csv(HERE / "sonar.data", header=None),
           pd.read_csv(HERE / "new_sonar.data", header=None), 8)


def energy(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({"X1": np.round(random.uniform(.6, 1, rows), 2), "X2": random.integers(500, 800, rows), "Y1": np.round(random.uniform(6, 43, rows), 2),
                          "Y2": np.round(random.uniform(10, 48, rows), 2)})
    write("energy.csv", text_of(frame[:ROWS], separator="\t"), "utf-16")
    write("new_energy.csv", text_of(shuffled(frame[ROWS:], ["Y1", "Y2"])))
    record("energy.csv", "new_energy.csv", ["--label", "Y1,Y2"], pd.read_csv(HERE / "energy.csv", sep="\t", encoding="utf-16"),
           pd.read_csv(HERE / "new_energy.csv"), ["Y1", "Y2"], label_kind="numbers")


def cars_of_r(random):
    rows = ROWS + NEW
    frame = pd.DataFrame({"mpg": random.integers(100, 340, rows) / 10, "cyl": random.choice([4, 6, 8], rows), "am": random.choice(["auto", "manual"], rows)},
                         index=[f"Mazda RX{i}" for i in range(rows)])
    lines = text_of(frame[:ROWS], separator=" ", index=True, quoting=csv.QUOTE_NONNUMERIC).splitlines()
    write("cars.txt", "\n".join([lines[0].removeprefix('"" ')] + lines[1:]) + "\n")  # R's header is one name short
    write("new_cars.txt", text_of(shuffled(frame[ROWS:], ["am"])))
    read = pd.read_csv(HERE / "cars.txt", sep=" ")
    record("cars.txt", "new_cars.txt", ["--label", "am"], read, pd.read_csv(HERE / "new_cars.txt"), "am")


def numbered_columns(random):
    rows = ROWS + NEW
    frame = pd.DataFrame(random.integers(0, 17, (rows, 6)))
    frame[6] = random.integers(0, 3, rows)
    write("digits.csv", "# made by pandas\n" + frame[:ROWS].to_csv())  # the header: ,0,1,2,3,4,5,6
    write("new_digits.csv", frame[ROWS:].drop(columns=6).to_csv())
    options = dict(index_col=0, comment="#")
    record("digits.csv", "new_digits.csv", ["--label", "-1", "--classes", "sorted"], pd.read_csv(HERE / "digits.csv", **options),
           pd.read_csv(HERE / "new_digits.csv", **options), "6")


def main():
    for number, make in enumerate((passengers, churn, census, abalone, housing, stocks, seeds, breast_cancer, iris, wine, mushrooms,
                                   auto_mpg, penguins, air_quality, sonar, energy, cars_of_r, numbered_columns)):
        make(np.random.default_rng(number))
    lines = [f"{json.dumps(name)}: {json.dumps(table)}" for name, table in EXPECTED.items()]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
