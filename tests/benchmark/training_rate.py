#!/usr/bin/env python3
"""Training rate of `lockstep train` beside its peers, in turn on the same machine: medians and ratios.

    training_rate.py LOCKSTEP DATA.h5 PEERS [--rounds 5] [--raw rows.csv] [--only reference]
                     [--new-torch PYTHON] [--keras PYTHON]

LOCKSTEP is the program, DATA.h5 holds Fashion-MNIST, PEERS is a folder with hand_loop.cpp (a plain MPI loop;
compiled here as its header says) and torch_train.py (run by --python, Debian's PyTorch). --new-torch and --keras
name interpreters that have newer ones (peer_torch.py, peer_keras.py). What counts is samples per second of the
third epoch: of lockstep the column samples_per_second of history.csv, with shuffling, accuracy and replica checks
on. Each round runs every program once, so that a busy machine slows all alike. So that none takes long, or is
too short to time, an epoch of the reference network has 192,000 rows for lockstep, 48,000 for the hand loop and
12,000 for programs in Python; one of the wide network has 3,072 rows.
"""
import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

from benchmarking import (LAYERS, arguments, cell, count, distinct, environment, lockstep_rate, rates, ratio, run,
                          table, write_rows)

HERE = pathlib.Path(__file__).parent
EPOCHS = 3
LOCKSTEP_ROWS = {"reference": 192000, "wide": 3072}
HAND_LOOP_ROWS = {"reference": 48000, "wide": 3072}
PYTHON_ROWS = {"reference": 12000, "wide": 3072}
HIDDEN = {"reference": 0, "wide": 2048}
# (network, ranks, global batch)
WORKS = [("reference", 1, 32), ("reference", 2, 64), ("reference", 2, 32), ("wide", 1, 128), ("wide", 2, 256),
         ("wide", 1, 1024)]
# What ranks are for: work on two of them, the same or half of it on one, and the rate to reach, in rates of one.
SCALING = [("reference, 32 per rank", ("reference", 2, 64), ("reference", 1, 32)),
           ("reference, 32 in all", ("reference", 2, 32), ("reference", 1, 32)),
           ("wide, 128 per rank", ("wide", 2, 256), ("wide", 1, 128))]


def best_coretype():
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return "SKYLAKEX" if "avx512f" in flags else "HASWELL"


def blas_environment():
    return dict(environment(), OPENBLAS_CORETYPE=best_coretype(), OPENBLAS_NUM_THREADS="1")


class Lockstep:
    name = "lockstep"

    def __init__(self, binary, data, scratch):
        self.binary, self.data, self.scratch = binary, data, scratch

    def rate(self, network, ranks, batch):
        return lockstep_rate(self.binary, self.data, self.scratch / "run", network, ranks, batch, "--epochs", EPOCHS,
                             "--steps-per-epoch", LOCKSTEP_ROWS[network] // batch, "--checkpoint-every", EPOCHS)


class HandLoop:
    name = "hand loop"

    def __init__(self, peers, scratch):
        self.binary = scratch / "hand_loop"
        flags = run(["pkg-config", "--cflags", "--libs", "openblas"], os.environ).split()
        run(["mpicxx", "-Ofast", "-march=native", "-mprefer-vector-width=512", peers / "hand_loop.cpp", "-o",
             self.binary, *flags], os.environ)

    def rate(self, network, ranks, batch):
        out = run(["mpirun", "-n", ranks, self.binary, batch, HIDDEN[network], HAND_LOOP_ROWS[network]],
                  blas_environment())
        return float(re.search(r"samples_per_second=(\d+)", out)[1])


def run_ranks(command, ranks, env):
    """What each process prints. One that fails ends the others, which may wait for it forever."""
    with socket.socket() as probe, contextlib.ExitStack() as files:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
        probe.close()
        outputs = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in range(ranks)]
        processes = [subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                                      env=dict(env, RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1",
                                               MASTER_PORT=port))
                     for rank, output in enumerate(outputs)]
        while None in (codes := [process.poll() for process in processes]):
            if any(codes):
                for process in processes:
                    process.kill()
            time.sleep(0.05)
        for output in outputs:
            output.seek(0)
        return [output.read() for output in outputs]


class PythonPeer:
    """A script that prints samples_per_second of each epoch."""

    def __init__(self, title, package, python, command, env=None):
        self.command = [python, *command]
        self.env = dict(blas_environment(), **(env or {}))
        version = run([python, "-c", f"from importlib.metadata import version; print(version('{package}'))"], self.env)
        self.name = f"{title} {version.strip().split('+')[0]}"

    def rate(self, network, ranks, batch):
        """None where the script knows no ranks."""
        # Each script has its own word for the network.
        option = "--network" if self.command[1].parent == HERE else "--model"
        command = [*self.command, option, network, "--batch", batch, "--epochs", EPOCHS, "--rows",
                   PYTHON_ROWS[network]]
        outputs = run_ranks(list(map(str, command)), ranks, self.env)
        found = re.findall(r"samples_per_second=(\d+)", outputs[0])
        if len(found) != EPOCHS:
            sys.exit(f"{' '.join(map(str, command))}\nexpected {EPOCHS} rates, got\n{''.join(outputs)}")
        return float(found[-1])


class Torch(PythonPeer):
    """Debian's, with the kernels that its libraries would not choose by themselves."""

    def __init__(self, peers, data, python):
        super().__init__("PyTorch", "torch", python, [peers / "torch_train.py", data],
                         {"ATEN_CPU_CAPABILITY": "avx512" if best_coretype() == "SKYLAKEX" else "avx2"})


class NewTorch(PythonPeer):
    def __init__(self, data, python, mode):
        super().__init__("PyTorch", "torch", python, [HERE / "peer_torch.py", data, "--mode", mode])


class Keras(PythonPeer):
    def __init__(self, data, python, backend):
        super().__init__("Keras", "keras", python, [HERE / "peer_keras.py", data],
                         {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"})
        self.name += f" ({backend})"

    def rate(self, network, ranks, batch):
        return super().rate(network, ranks, batch) if ranks == 1 else None


def rate_table(rows):
    peers = [program for program, in distinct(rows, "program") if program != Lockstep.name]
    lines = [["work", Lockstep.name, *(title for peer in peers for title in (peer, "ratio"))]]
    for network, ranks, batch in distinct(rows, "network", "ranks", "batch"):
        ours, *theirs = (rates(rows, program=program, network=network, ranks=ranks, batch=batch)
                         for program in (Lockstep.name, *peers))
        line = [f"{network}, batch {batch}, {count(ranks, 'rank')}", cell(ours)]
        for peer in theirs:
            line += [cell(peer), f"{ratio(ours, peer):.2f}"] if peer else ["not run", ""]
        lines.append(line)
    return table(lines)


def scaling_table(rows):
    """What the second rank brings each program, of 2.00."""
    programs = [program for program, in distinct(rows, "program")]
    lines = [["rate on 2 ranks over rate on 1", *programs]]
    for title, two, one in SCALING:
        line = [title]
        for program in programs:
            on_two, on_one = (rates(rows, program=program, network=network, ranks=ranks, batch=batch)
                              for network, ranks, batch in (two, one))
            line.append(f"{ratio(on_two, on_one):.2f}" if on_two and on_one else "not run")
        if set(line[1:]) != {"not run"}:
            lines.append(line)
    return table(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("peers", type=pathlib.Path)
    parser.add_argument("--only", choices=sorted(LAYERS), help="one of the networks")
    parser.add_argument("--no-torch", action="store_true", help="without Debian's PyTorch")
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python that has torch and h5py")
    parser.add_argument("--new-torch", metavar="PYTHON", help="a Python that has a newer torch, and h5py")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager", help="of the newer torch")
    parser.add_argument("--keras", metavar="PYTHON", help="a Python that has keras, a backend and h5py")
    parser.add_argument("--backend", choices=["jax", "tensorflow"], default="jax", help="of Keras")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        programs = [Lockstep(args.lockstep, args.data, scratch), HandLoop(args.peers, scratch)]
        if not args.no_torch:
            programs.append(Torch(args.peers, args.data, args.python))
        if args.new_torch:
            programs.append(NewTorch(args.data, args.new_torch, args.mode))
        if args.keras:
            programs.append(Keras(args.data, args.keras, args.backend))
        works = [work for work in WORKS if args.only in (None, work[0])]
        for round_number in range(args.rounds):
            for network, ranks, batch in works:
                for program in programs:
                    rate = program.rate(network, ranks, batch)
                    if rate is not None:
                        rows.append({"round": round_number, "program": program.name, "network": network,
                                     "ranks": ranks, "batch": batch, "samples_per_second": rate})
    if args.raw:
        write_rows(args.raw, rows)
    print(f"samples per second, median of {args.rounds} rounds (spread); ratio = lockstep / peer\n")
    print(rate_table(rows), end="")
    print("\n" + scaling_table(rows), end="")


if __name__ == "__main__":
    main()
