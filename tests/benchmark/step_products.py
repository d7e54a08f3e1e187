#!/usr/bin/env python3
"""A training step beside its matrix products alone: what everything else costs.

    step_products.py LOCKSTEP DATA.h5 MATRIX_PRODUCTS [--rounds 5] [--raw rows.csv]

The wide network, batch 1024, one rank, one thread. MATRIX_PRODUCTS is that program (built with the tests); it times
the products of exactly this step (exact, weight gradients in grains of 64 rows). Each round runs both in turn.
"""
import csv
import pathlib
import statistics
import tempfile

from benchmarking import arguments, cell, distinct, environment, lockstep_rate, ratio, run, table, write_rows

BATCH, EPOCHS, STEPS = 1024, 3, 4
PRODUCTS = [  # m x n x k
    "1024 x 2048 x 784", "1024 x 2048 x 2048", "1024 x 10 x 2048",  # forward
    "784 x 2048 x 1024, A transposed, grains of 64", "2048 x 2048 x 1024, A transposed, grains of 64",
    "2048 x 10 x 1024, A transposed, grains of 64",  # weight gradients
    "1024 x 2048 x 2048, B transposed", "1024 x 2048 x 10, B transposed"]  # input gradients


def product_times(program, path):
    """Milliseconds of each product."""
    run([program, "--only", BATCH, "--rounds", 3, "--csv", path], environment())
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["library"] == "exact"]
    times = {}
    for product in PRODUCTS:
        m, n, k = (int(word) for word in product.split(",")[0].split(" x "))
        gflops = statistics.median(float(row["gflops"]) for row in rows if row["product"] == product)
        times[product] = 2 * m * n * k / gflops / 1e6
    return times


def products_table(rows):
    rounds = [number for number, in distinct(rows, "round")]
    steps, products = ([sum(float(row["milliseconds"]) for row in rows
                            if row["round"] == number and (row["what"] == "step") == is_step) for number in rounds]
                       for is_step in (True, False))
    return table([["wide, batch 1024, 1 rank", "milliseconds"], ["training step", cell(steps)],
                  ["its matrix products alone", cell(products)], ["ratio", f"{ratio(steps, products):.3f}"]])


def main():
    parser = arguments(__doc__)
    parser.add_argument("matrix_products")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for number in range(args.rounds):
            rate = lockstep_rate(args.lockstep, args.data, scratch / "run", "wide", 1, BATCH, "--epochs", EPOCHS,
                                 "--steps-per-epoch", STEPS, "--checkpoint-every", EPOCHS)
            times = {"step": 1000 * BATCH / rate, **product_times(args.matrix_products, scratch / "products.csv")}
            rows += [{"round": number, "what": what, "milliseconds": time} for what, time in times.items()]
    if args.raw:
        write_rows(args.raw, rows)
    print(f"medians of {args.rounds} rounds\n")
    print(products_table(rows), end="")


if __name__ == "__main__":
    main()
