#!/usr/bin/env python3
"""The cost of exactness: training rates of `lockstep train --numerics exact` and `fast`, one rank, one thread.

    numerics_cost.py LOCKSTEP DATA.h5 [--rounds 5] [--raw rows.csv] [--only wide] [--steps 10]

DATA.h5 holds Fashion-MNIST. What counts is samples per second of the last epoch (column samples_per_second of
history.csv), with shuffling, accuracy and replica checks on. Each round runs everything once, exact and fast in
turn, so that a busy machine slows both alike; every other round begins with fast.
"""
import pathlib
import tempfile

from benchmarking import LAYERS, arguments, cell, distinct, lockstep_rate, rates, ratio, table, write_rows

EPOCHS = 3
NUMERICS = ["exact", "fast"]
# (network, global batch, steps per epoch: about a second)
WORKS = [("reference", 32, 9000), ("reference", 64, 6000), ("reference", 256, 2000), ("wide", 128, 20),
         ("wide", 1024, 3)]


def cost_table(rows):
    lines = [["samples per second", "exact (spread)", "fast (spread)", "exact / fast"]]
    for network, batch in distinct(rows, "network", "batch"):
        exact, fast = (rates(rows, network=network, batch=batch, numerics=numerics) for numerics in NUMERICS)
        lines.append([f"{network}, batch {batch}", cell(exact), cell(fast), f"{ratio(exact, fast):.2f}"])
    return table(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--only", choices=sorted(LAYERS), help="one of the networks")
    parser.add_argument("--steps", type=int, help="per epoch [default: about a second of them]")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch) / "run"
        for number in range(args.rounds):
            for network, batch, steps in WORKS:
                if args.only not in (None, network):
                    continue
                for numerics in NUMERICS if number % 2 == 0 else reversed(NUMERICS):
                    rate = lockstep_rate(args.lockstep, args.data, directory, network, 1, batch, "--numerics", numerics,
                                         "--threads", 1, "--epochs", EPOCHS, "--steps-per-epoch", args.steps or steps,
                                         "--checkpoint-every", EPOCHS)
                    rows.append({"round": number, "network": network, "batch": batch, "numerics": numerics,
                                 "samples_per_second": rate})
    if args.raw:
        write_rows(args.raw, rows)
    print(f"medians of {args.rounds} rounds (spread: highest less lowest, of the median)\n")
    print(cost_table(rows), end="")


if __name__ == "__main__":
    main()
