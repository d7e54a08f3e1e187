#!/usr/bin/env python3
"""Strong and weak scaling of `lockstep train`: the same batch on more ranks, and a batch that grows with them.

    scaling.py LOCKSTEP DATA.h5 [--ranks 1,2] [--oversubscribe] [--rounds 5] [--raw rows.csv] [--only reference]

Ranks are 1, 2, 4, ... up to the cores unless --ranks says otherwise; --oversubscribe goes on to four times as many
(started with `mpirun --oversubscribe`, as README.md says). Speed-up is over the fewest ranks; efficiency is the
speed-up over that of the cores in use. What counts is samples per second of the last epoch (history.csv).
"""
import os
import pathlib
import tempfile

from benchmarking import LAYERS, arguments, cell, distinct, lockstep_rate, rates, ratio, table, write_rows

EPOCHS = 3
ROWS = {"reference": 192000, "wide": 3072}  # of an epoch
# (network, batch, of each rank or of all)
WORKS = [("reference", 64, "in all"), ("reference", 256, "in all"), ("reference", 32, "per rank"),
         ("wide", 256, "in all"), ("wide", 128, "per rank")]


def cores():
    return len(os.sched_getaffinity(0))


def scaling_table(rows):
    lines = [["work", "ranks", "cores in use", "samples per second", "speed-up", "efficiency"]]
    for network, batch, of in distinct(rows, "network", "batch", "of"):
        fewest = None
        for ranks, used in distinct((row for row in rows if (row["network"], row["batch"], row["of"]) ==
                                     (network, batch, of)), "ranks", "cores"):
            measured = rates(rows, network=network, batch=batch, of=of, ranks=ranks)
            fewest = fewest or (measured, used)
            speedup = ratio(measured, fewest[0])
            lines.append([f"{network}, {batch} {of}", str(ranks), str(used), cell(measured), f"{speedup:.2f}",
                          f"{speedup * int(fewest[1]) / int(used):.2f}"])
    return table(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--ranks", help="numbers with commas")
    parser.add_argument("--oversubscribe", action="store_true", help="also more ranks than cores")
    parser.add_argument("--only", choices=sorted(LAYERS), help="one of the networks")
    args = parser.parse_args()
    if args.ranks:
        all_ranks = sorted(map(int, args.ranks.split(",")))
    else:
        most = cores() * (4 if args.oversubscribe else 1)
        all_ranks = [2**i for i in range(most.bit_length()) if 2**i <= most]

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch) / "run"
        for number in range(args.rounds):
            for network, batch, of in WORKS:
                if args.only not in (None, network):
                    continue
                for ranks in all_ranks:
                    whole = batch * (ranks if of == "per rank" else 1)
                    rate = lockstep_rate(args.lockstep, args.data, directory, network, ranks, whole,
                                         "--epochs", EPOCHS, "--steps-per-epoch", ROWS[network] // whole,
                                         "--checkpoint-every", EPOCHS,
                                         flags=["--oversubscribe"] if ranks > cores() else [])
                    rows.append({"round": number, "network": network, "batch": batch, "of": of, "ranks": ranks,
                                 "cores": min(ranks, cores()), "samples_per_second": rate})
    if args.raw:
        write_rows(args.raw, rows)
    print(f"medians of {args.rounds} rounds (spread: highest less lowest, of the median)\n")
    print(scaling_table(rows), end="")


if __name__ == "__main__":
    main()
