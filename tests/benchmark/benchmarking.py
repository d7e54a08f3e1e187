"""What the benchmarks of `lockstep train` share: runs, rates, tables."""
import argparse
import csv
import os
import statistics
import subprocess
import sys

LAYERS = {
    "reference": "Rescaling(1/255), Flatten(), Dense(64, relu), Dense(32, relu), Dense(10, softmax)",
    "wide": "Rescaling(1/255), Flatten(), Dense(2048, relu), Dense(2048, relu), Dense(10, softmax)",
}


def environment():
    return dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")


def run(command, env):
    done = subprocess.run([str(part) for part in command], env=env, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def mpirun(ranks, *flags):
    return ["mpirun", "-n", ranks, *flags] if ranks > 1 else []


def lockstep_rate(binary, data, directory, network, ranks, batch, *options, flags=()):
    """Samples per second of the last epoch, as history.csv says; `directory` is overwritten, `flags` are mpirun's."""
    run([*mpirun(ranks, *flags), binary, "train", "--data", data, "--layers", LAYERS[network], "--batch-size", batch,
         "--run-dir", directory, "--overwrite", "--x-test", "", *options], environment())
    return float(read_rows(directory / "history.csv")[-1]["samples_per_second"])


def arguments(description):
    """What every benchmark asks for."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lockstep", help="the program")
    parser.add_argument("data", help="HDF5 file with Fashion-MNIST")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--raw", help="write every single measurement to this CSV file")
    return parser


def write_rows(path, rows):
    """Dictionaries with the same keys."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def rates(rows, **key):
    """Samples per second of the rows with these values."""
    return [float(row["samples_per_second"]) for row in rows
            if all(str(row[name]) == str(value) for name, value in key.items())]


def ratio(ours, theirs):
    """The median of the rounds' ratios: a machine that is slow for a while is so for both."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def cell(measured):
    """Median and spread."""
    median = statistics.median(measured)
    return f"{median:,.0f} ({(max(measured) - min(measured)) / median:.0%})"


def count(number, noun):
    return f"{number} {noun}{'' if int(number) == 1 else 's'}"


def distinct(rows, *names):
    """The combinations of these columns, in order of appearance."""
    return list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))


def table(lines):
    """Markdown; the first line is the heading."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
