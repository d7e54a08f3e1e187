#!/usr/bin/env python3
"""Wall time from the start of the command until the test accuracy of Fashion-MNIST reaches a target.

    time_to_accuracy.py LOCKSTEP DATA.h5 [--ranks 1,2] [--target 0.87] [--rounds 5] [--raw rows.csv] [--torch PEERS]

Everything counts that happens after `mpirun` is typed: starting, reading, training on all 60,000 rows, a test pass
after every epoch, until the line with the target is printed. The file is in the page cache. Round n has seed 10 + n.
Settings, the same for all seeds: "cosine" is batch 64, 4 epochs, a cosine schedule from 0.003 to 0 (chosen by test
accuracy on seeds 1 to 7, where every run ended above 0.87); "constant" is Keras's own, batch 32, rate 0.001, up to 20
epochs. With --torch, a folder with torch_train.py, PyTorch runs beside them: one process, constant, always its own
seed 0 and its own first weights, so that its rounds repeat one run.
"""
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarking import LAYERS, arguments, count, distinct, environment, table, write_rows

ROWS = 60000
MOST_EPOCHS = 20
SETTINGS = {
    "cosine": ["--batch-size", 64, "--epochs", 4, "--learning-rate", 0.003, "--learning-rate-schedule", "cosine",
               "--decay-steps", 4 * -(-ROWS // 64), "--checkpoint-every", 4],
    "constant": ["--batch-size", 32, "--epochs", MOST_EPOCHS, "--checkpoint-every", MOST_EPOCHS]}


def seconds_until(command, accuracy, target):
    """(seconds, epochs, accuracy) of the first line whose `accuracy` reaches the target, or of the last one."""
    command = [str(part) for part in command]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        seconds, epochs, reached = 0.0, 0, 0.0
        for line in process.stdout:
            if found := re.search(rf"{accuracy}[:=] ?([\d.]+)", line):
                seconds, epochs, reached = time.perf_counter() - start, epochs + 1, float(found[1])
                if reached >= target:
                    process.terminate()
                    break
        process.stdout.read()
        if process.wait() != 0 and reached < target:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{errors.read()}")
    return seconds, epochs, reached


def lockstep_command(args, directory, ranks, settings, seed):
    return ["mpirun", "-n", ranks, args.lockstep, "train", "--data", args.data, "--layers", LAYERS["reference"],
            *SETTINGS[settings], "--x-val", "x_test", "--y-val", "y_test", "--validation-batch-size", 1000,
            "--x-test", "", "--seed", seed, "--run-dir", directory, "--overwrite"]


def time_table(rows):
    lines = [["", "settings", "reached", "seconds (lowest to highest)", "epochs"]]
    for program, settings in distinct(rows, "program", "settings"):
        mine = [row for row in rows if (row["program"], row["settings"]) == (program, settings)]
        reached = [row for row in mine if float(row["accuracy"]) >= float(row["target"])]
        seconds = sorted(float(row["seconds"]) for row in reached)
        lines.append([program, settings, f"{len(reached)} of {len(mine)}",
                      f"{statistics.median(seconds):.2f} ({seconds[0]:.2f} to {seconds[-1]:.2f})" if seconds else "",
                      f"{statistics.median(int(row['epochs']) for row in reached):g}" if seconds else ""])
    return table(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--ranks", default="1,2", help="numbers with commas")
    parser.add_argument("--target", type=float, default=0.87)
    parser.add_argument("--torch", type=pathlib.Path, metavar="PEERS", help="a folder with torch_train.py")
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python that has torch and h5py")
    args = parser.parse_args()

    rows = []

    def measure(program, settings, seed, command, accuracy):
        seconds, epochs, reached = seconds_until(command, accuracy, args.target)
        rows.append({"program": program, "settings": settings, "seed": seed, "target": args.target,
                     "seconds": seconds, "epochs": epochs, "accuracy": reached})

    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(11, 11 + args.rounds):
            for ranks in map(int, args.ranks.split(",")):
                for settings in SETTINGS:
                    measure(f"lockstep, {count(ranks, 'rank')}", settings, seed,
                            lockstep_command(args, pathlib.Path(scratch) / "run", ranks, settings, seed),
                            "val_accuracy")
            if args.torch:
                measure("PyTorch, 1 process", "constant", 0,
                        [args.python, args.torch / "torch_train.py", args.data, "--batch", 32, "--epochs", MOST_EPOCHS,
                         "--rows", ROWS], "test_accuracy")
    if args.raw:
        write_rows(args.raw, rows)
    print(f"until test accuracy {args.target}; medians of the runs that reached it, of {args.rounds}\n")
    print(time_table(rows), end="")


if __name__ == "__main__":
    main()
