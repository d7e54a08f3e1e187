#!/usr/bin/env python3
"""Where the time of a training step goes: `lockstep train --profile` on both networks, on 1 and 2 ranks.

    step_profile.py LOCKSTEP DATA.h5 [--rounds 5] [--raw rows.csv]

Microseconds of a step in each phase, means over steps and ranks, medians over rounds; each round runs everything once.
"""
import pathlib
import re
import statistics
import tempfile

from benchmarking import LAYERS, arguments, count, distinct, environment, mpirun, run, table, write_rows

# (network, ranks, global batch, steps)
WORKS = [("reference", 1, 32, 6000), ("reference", 2, 64, 6000), ("reference", 2, 32, 6000), ("wide", 1, 128, 40),
         ("wide", 2, 256, 40)]


def profile(binary, data, directory, network, ranks, batch, steps):
    """(phase, microseconds) of each line that --profile prints."""
    text = run([*mpirun(ranks), binary, "train", "--data", data, "--layers", LAYERS[network], "--batch-size", batch,
                "--run-dir", directory, "--overwrite", "--x-test", "", "--steps-per-epoch", steps, "--profile"],
               environment())
    return re.findall(r"^  (\S.*?) +([0-9.]+) us", text, re.MULTILINE)


def profile_table(rows):
    works = distinct(rows, "network", "ranks", "batch")
    lines = [["microseconds of a step",
              *(f"{network}, batch {batch}, {count(ranks, 'rank')}" for network, ranks, batch in works)]]
    for phase, in distinct(rows, "phase"):
        cells = [statistics.median(float(row["microseconds"]) for row in rows if row["phase"] == phase and
                                   (row["network"], row["ranks"], row["batch"]) == work) for work in works]
        lines.append([phase, *(f"{cell:,.1f}" if cell < 1000 else f"{cell:,.0f}" for cell in cells)])
    return table(lines)


def main():
    args = arguments(__doc__).parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(args.rounds):
            for network, ranks, batch, steps in WORKS:
                for phase, microseconds in profile(args.lockstep, args.data, pathlib.Path(scratch) / "run", network,
                                                   ranks, batch, steps):
                    rows.append({"round": number, "network": network, "ranks": ranks, "batch": batch, "phase": phase,
                                 "microseconds": microseconds})
    if args.raw:
        write_rows(args.raw, rows)
    print(f"medians of {args.rounds} rounds\n")
    print(profile_table(rows), end="")


if __name__ == "__main__":
    main()
