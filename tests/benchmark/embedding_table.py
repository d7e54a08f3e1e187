#!/usr/bin/env python3
"""What a step costs with a table far larger than the cache.

    embedding_table.py LOCKSTEP DIRECTORY [--torch PYTHON] [--rounds 3] [--raw rows.csv] [--ids uniform|zipf]

Embedding(ROWS, 64) in front of each of --heads, batches of 128 rows of 64 ids, Adam at 0.001, one rank, one thread:
milliseconds a step of a table of 1,000,000 rows and of one of 10,000, over the last of --epochs epochs of 500 steps of
`lockstep train` (so that most rows that a batch names were named before, and are caught up), and of PyTorch with dense
gradients and fused Adam. Ids are uniform, or Zipf's: id k with a probability as 1 / (k + 1). DIRECTORY is overwritten and
takes 2 GB. Needs h5py and numpy, and torch for --torch.
"""
import argparse
import pathlib
import statistics
import subprocess

import h5py
import numpy

from benchmarking import environment, read_rows, run, write_rows

BATCH, POSITIONS, FEATURES, STEPS, CLASSES = 128, 64, 64, 500, 10
ROWS = [10_000, 1_000_000]
HEADS = {"pool": "GlobalAveragePooling1D(), Dense(10, softmax)",
         "transformer": "TransformerEncoder(256, 4), GlobalAveragePooling1D(), Dense(10, softmax)",
         "lstm": "LSTM(128), Dense(10, softmax)"}

TORCH = """
import sys, time, h5py, torch
from torch import nn
torch.set_num_threads(1)
rows, steps = int(sys.argv[2]), int(sys.argv[3])
with h5py.File(sys.argv[1]) as file:
    x = torch.from_numpy(file["x_train"][:]).long()
    y = torch.from_numpy(file["y_train"][:]).long()
table, dense = nn.Embedding(rows, {features}), nn.Linear({features}, {classes})
optimizer = torch.optim.Adam([*table.parameters(), *dense.parameters()], lr=1e-3, eps=1e-7, fused=True)
def step(i):
    rows = slice(i * {batch}, (i + 1) * {batch})
    loss = nn.functional.cross_entropy(dense(table(x[rows]).mean(1)), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
for i in range(3):
    step(i)
start = time.perf_counter()
for i in range(3, 3 + steps):
    step(i)
print(1000 * (time.perf_counter() - start) / steps)
""".format(features=FEATURES, classes=CLASSES, batch=BATCH)


def make_data(path, rows, ids):
    random = numpy.random.default_rng(1)
    count = BATCH * STEPS * POSITIONS
    if ids == "uniform":
        drawn = random.integers(0, rows, count)
    else:
        weights = numpy.cumsum(1 / numpy.arange(1, rows + 1))
        drawn = numpy.searchsorted(weights, random.random(count) * weights[-1])
    with h5py.File(path, "w") as file:
        file["x_train"] = drawn.reshape(-1, POSITIONS).astype("int32")
        file["y_train"] = random.integers(0, CLASSES, BATCH * STEPS).astype("int32")


def lockstep_milliseconds(args, data, rows, head):
    """Of a step of the last epoch."""
    directory = args.directory / "run"
    run([args.lockstep, "train", "--data", data, "--layers",
         f"Input(({POSITIONS},)), Embedding({rows}, {FEATURES}), {HEADS[head]}", "--batch-size", BATCH, "--epochs", args.epochs,
         "--run-dir", directory, "--overwrite", "--x-test", "", "--checkpoint-every", 1000, *args.options.split()], environment())
    return 1000 * BATCH / float(read_rows(directory / "history.csv")[-1]["samples_per_second"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lockstep")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has torch and h5py")
    parser.add_argument("--torch-steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--ids", nargs="+", default=["uniform", "zipf"])
    parser.add_argument("--heads", nargs="+", default=["pool", "transformer"])
    parser.add_argument("--options", default="", help="more options of lockstep train")
    parser.add_argument("--raw", help="write every single measurement to this CSV file")
    args = parser.parse_args()

    args.directory.mkdir(parents=True, exist_ok=True)
    measured = []
    for ids in args.ids:
        files = {}
        for rows in ROWS:
            files[rows] = args.directory / f"{ids}-{rows}.h5"
            make_data(files[rows], rows, ids)
        for _ in range(args.rounds):
            for rows in ROWS:
                for head in args.heads:
                    measured.append({"ids": ids, "head": head, "rows": rows, "program": "lockstep",
                                     "milliseconds": lockstep_milliseconds(args, files[rows], rows, head)})
                if args.torch and "pool" in args.heads:
                    done = subprocess.run([args.torch, "-c", TORCH, files[rows], str(rows), str(args.torch_steps)], check=True,
                                          capture_output=True, text=True, env=environment())
                    measured.append({"ids": ids, "head": "pool", "rows": rows, "program": "PyTorch",
                                     "milliseconds": float(done.stdout)})
    if args.raw:
        write_rows(args.raw, measured)

    def of(**key):
        return [row["milliseconds"] for row in measured if all(row[name] == value for name, value in key.items())]

    print("| ids, head | 10,000 rows, ms | 1,000,000 rows, ms | ratio | PyTorch, 1,000,000 rows, ms | PyTorch / lockstep |")
    print("| --- | --- | --- | --- | --- | --- |")
    for ids in args.ids:
        for head in args.heads:
            small, large = (of(ids=ids, head=head, rows=rows, program="lockstep") for rows in ROWS)
            torch = of(ids=ids, head=head, rows=ROWS[1], program="PyTorch")
            ratio = statistics.median(b / a for a, b in zip(small, large))
            times = f"{statistics.median(t / b for t, b in zip(torch, large)):.1f}" if torch else ""
            print(f"| {ids}, {head} | {cell_ms(small)} | {cell_ms(large)} | {ratio:.2f} | {cell_ms(torch) if torch else ''} | {times} |")


def cell_ms(measured):
    median = statistics.median(measured)
    return f"{median:.2f} ({(max(measured) - min(measured)) / median:.0%})"


if __name__ == "__main__":
    main()
