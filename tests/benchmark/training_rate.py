#!/usr/bin/env python3
"""Training rate of `lockstep train` beside its peers, in turn on the same machine: medians and ratios.

    training_rate.py LOCKSTEP DATA.h5 PEERS [--rounds 5] [--raw rows.csv] [--only reference]

LOCKSTEP is the program, DATA.h5 holds Fashion-MNIST, PEERS is a folder with hand_loop.cpp (a plain MPI loop;
compiled here as its header says) and torch_train.py. What counts is samples per second of the third epoch:
of lockstep the column samples_per_second of history.csv, with shuffling, accuracy and replica checks on.
Each round runs every program once, so that a busy machine slows all of them alike.
"""
import argparse
import os
import pathlib
import re
import subprocess
import tempfile

from benchmarking import LAYERS, cell, distinct, environment, lockstep_rate, rates, ratio, run, table, write_rows

EPOCHS = 3
ROWS = 48000
HIDDEN = {"reference": 0, "wide": 2048}
# (network, ranks, global batch)
WORKS = [("reference", 1, 32), ("reference", 2, 64), ("reference", 2, 32), ("wide", 1, 128), ("wide", 2, 256)]


def best_coretype():
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return "SKYLAKEX" if "avx512f" in flags else "HASWELL"


class HandLoop:
    name = "hand loop"

    def __init__(self, peers, scratch):
        self.binary = scratch / "hand_loop"
        flags = run(["pkg-config", "--cflags", "--libs", "openblas"], os.environ).split()
        run(["mpicxx", "-Ofast", "-march=native", "-mprefer-vector-width=512", peers / "hand_loop.cpp", "-o",
             self.binary, *flags], os.environ)

    def rate(self, network, ranks, batch):
        env = dict(environment(), OPENBLAS_CORETYPE=best_coretype(), OPENBLAS_NUM_THREADS="1")
        out = run(["mpirun", "-n", ranks, self.binary, batch, HIDDEN[network], ROWS], env)
        return float(re.search(r"samples_per_second=(\d+)", out)[1])


class Torch:
    name = "PyTorch"

    def __init__(self, peers, data, python):
        self.script, self.data, self.python = peers / "torch_train.py", data, python

    def rate(self, network, ranks, batch):
        env = dict(environment(), OPENBLAS_CORETYPE=best_coretype(), OPENBLAS_NUM_THREADS="1",
                   ATEN_CPU_CAPABILITY="avx512" if best_coretype() == "SKYLAKEX" else "avx2")
        command = [self.python, self.script, self.data, "--model", network, "--batch", str(batch),
                   "--epochs", str(EPOCHS), "--rows", str(ROWS)]
        if ranks == 1:
            return float(re.findall(r"samples_per_second=(\d+)", run(command, env))[-1])
        processes = [subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True,
                                      env=dict(env, RANK=str(rank), WORLD_SIZE=str(ranks),
                                               MASTER_ADDR="127.0.0.1", MASTER_PORT="29511"))
                     for rank in range(ranks)]
        out = [process.communicate()[0] for process in processes]
        return float(re.findall(r"samples_per_second=(\d+)", out[0])[-1])


class Lockstep:
    name = "lockstep"

    def __init__(self, binary, data, scratch):
        self.binary, self.data, self.scratch = binary, data, scratch

    def rate(self, network, ranks, batch):
        return lockstep_rate(self.binary, self.data, self.scratch / "run", network, ranks, batch, "--epochs", EPOCHS,
                             "--validation-split", 0.2)


def rate_table(rows):
    peers = [program for program, in distinct(rows, "program") if program != Lockstep.name]
    lines = [["work", Lockstep.name, *(title for peer in peers for title in (peer, "ratio"))]]
    for network, ranks, batch in distinct(rows, "network", "ranks", "batch"):
        ours, *theirs = (rates(rows, program=program, network=network, ranks=ranks, batch=batch)
                         for program in (Lockstep.name, *peers))
        line = [f"{network}, batch {batch}, {ranks} rank{'s' if int(ranks) > 1 else ''}", cell(ours)]
        for peer in theirs:
            line += [cell(peer), f"{ratio(ours, peer):.2f}"] if peer else ["not run", ""]
        lines.append(line)
    return table(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lockstep")
    parser.add_argument("data")
    parser.add_argument("peers", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--raw", help="write every single measurement to this CSV file")
    parser.add_argument("--only", choices=sorted(LAYERS), help="one of the networks")
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python that has torch and h5py")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        programs = [HandLoop(args.peers, scratch), Lockstep(args.lockstep, args.data, scratch)]
        if not args.no_torch:
            programs.append(Torch(args.peers, args.data, args.python))
        works = [work for work in WORKS if args.only in (None, work[0])]
        for round_number in range(args.rounds):
            for work in works:
                for program in programs:
                    network, ranks, batch = work
                    rows.append({"round": round_number, "program": program.name, "network": network, "ranks": ranks,
                                 "batch": batch, "samples_per_second": program.rate(*work)})
    if args.raw:
        write_rows(args.raw, rows)
    print(f"samples per second, median of {args.rounds} rounds (spread); ratio = lockstep / peer\n")
    print(rate_table(rows), end="")


if __name__ == "__main__":
    main()
