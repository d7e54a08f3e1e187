#!/usr/bin/env python3
"""Training rate of the networks in launch/examples (gru: lstm.cfg with that cell) beside PyTorch, in turn on the same machine: medians and ratios.

    architectures.py LOCKSTEP DATA.h5 PEERS --torch PYTHON [--rounds 5] [--raw rows.csv] [--only cnn] [--text licenses.h5]

LOCKSTEP is the program, DATA.h5 holds Fashion-MNIST, licenses.h5 what language_model.cfg says (without it that is left
out), PEERS is a folder with arch_torch.py (eager, channels_last where
there are channels, fused Adam; DistributedDataParallel over Gloo on two processes), which PYTHON runs, as it does
torch_resnet.py and torch_language_model.py, by torch.compile. What counts is samples per second of the third epoch, of `lockstep train` with shuffling, accuracy and
replica checks on; an epoch has so many rows that it takes some seconds.
"""
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

from benchmarking import arguments, cell, count, distinct, environment, mpirun, rates, ratio, read_rows, run, table, \
    write_rows

EXAMPLES = pathlib.Path(__file__).parents[2] / "launch" / "examples"
EPOCHS = 3
ROWS = {"cnn": 12800, "bn_cnn": 3072, "resnet": 3072, "autoencoder": 12800,  # of an epoch
        "lstm": 25600, "gru": 25600, "transformer": 25600, "language_model": 960}
WORKS = [(network, ranks, (32 if network == "language_model" else 128) * ranks) for network in ROWS for ranks in (1, 2)]


def lockstep_rate(binary, data, directory, network, ranks, batch):
    config, more = network, []
    if network == "gru":
        config, more = "lstm", ["--layers", "Rescaling(1/255), GRU(128), Dense(10, softmax)"]
    if (EXAMPLES / f"{network}.json").exists():
        more = ["--model", EXAMPLES / f"{network}.json"]
    run([*mpirun(ranks), binary, "train", EXAMPLES / f"{config}.cfg", *more, "--data", data, "--batch-size", batch,
         "--run-dir", directory, "--overwrite", "--x-test", "", "--epochs", EPOCHS, "--steps-per-epoch",
         ROWS[network] // batch, "--checkpoint-every", EPOCHS], environment())
    return float(read_rows(directory / "history.csv")[-1]["samples_per_second"])


def torch_rate(python, peers, data, network, ranks, batch):
    """None where no script has such a network."""
    scripts = {"cnn": [peers / "arch_torch.py", data, "--network", "cnn", "--cl", 1],
               "bn_cnn": [peers / "arch_torch.py", data, "--network", "bncnn", "--cl", 1],
               "resnet": [pathlib.Path(__file__).parent / "torch_resnet.py", data],
               "language_model": [pathlib.Path(__file__).parent / "torch_language_model.py", data, "--compile"]}
    scripts |= {name: [peers / "arch_torch.py", data, "--network", name] for name in ("lstm", "gru", "transformer")}
    if network not in scripts:
        return None
    command = [python, *scripts[network], "--batch", batch, "--rows", ROWS[network]]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    processes = [subprocess.Popen(
        [str(word) for word in command], text=True, stdout=subprocess.PIPE,
        env=dict(os.environ, RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=port))
        for rank in range(ranks)]
    outputs = [process.communicate()[0] for process in processes]
    found = re.search(r"rate=(\d+)", outputs[0])
    if not found:
        sys.exit(f"{' '.join(map(str, command))}\nexpected a rate, got\n{outputs[0]}")
    return float(found[1])


def rate_table(rows):
    lines = [["work", "lockstep", "PyTorch", "ratio", "of two single ranks"]]
    for network, ranks, batch in distinct(rows, "network", "ranks", "batch"):
        ranks = int(ranks)  # of a file they are text
        ours, theirs, alone = (rates(rows, program=program, network=network, ranks=how_many)
                               for program, how_many in (("lockstep", ranks), ("PyTorch", ranks), ("lockstep", 1)))
        lines.append([f"{network}, batch {batch}, {count(ranks, 'rank')}", cell(ours),
                      *([cell(theirs), f"{ratio(ours, theirs):.2f}"] if theirs else ["not run", ""]),
                      f"{ratio(ours, alone) / ranks:.2f}" if ranks > 1 else ""])
    return table(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("peers", type=pathlib.Path)
    parser.add_argument("--torch", metavar="PYTHON", required=True, help="a Python that has torch and h5py")
    parser.add_argument("--text", metavar="licenses.h5")
    parser.add_argument("--only", choices=sorted(ROWS), nargs="+", help="some of the networks")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for round_number in range(args.rounds):
            for network, ranks, batch in WORKS:
                data = args.text if network == "language_model" else args.data
                if (args.only and network not in args.only) or data is None:
                    continue
                measured = {
                    "lockstep": lockstep_rate(args.lockstep, data, pathlib.Path(scratch) / "run", network, ranks,
                                              batch),
                    "PyTorch": torch_rate(args.torch, args.peers, data, network, ranks, batch)}
                rows += [{"round": round_number, "program": program, "network": network, "ranks": ranks, "batch": batch,
                          "samples_per_second": rate} for program, rate in measured.items() if rate is not None]
    if args.raw:
        write_rows(args.raw, rows)
    print(f"samples per second, median of {args.rounds} rounds (spread); ratio = lockstep / PyTorch\n")
    print(rate_table(rows), end="")


if __name__ == "__main__":
    main()
