"""Random configurations of a training, each in several variants that must not change a bit.

    random_search.py                            # the seeds of every test run, half a minute
    random_search.py --seeds 1000 5000          # 5000 others, from seed 1000
    random_search.py --seeds 1017 1 --verbose   # one, with all that it is made of

Two searches. `library`: the program of tests/random on five ranks, with every kernel variant of this CPU; its ranks
take part or not, stop and go on with others, and each has a floating-point environment of its own (rounding modes,
traps, flushed denormals; --no-environments leaves them alone). `program`: lockstep train, evaluate and predict under
mpirun, on data of random types and byte orders in files.

A configuration is a function of its seed. What fails is printed with the line that repeats it. LOCKSTEP_LONG_TESTS=1:
twenty times as many.

Environment: as support.py; LOCKSTEP_RANDOM_SEARCH, the program of tests/random.
"""
import argparse
import hashlib
import os
import pathlib
import random
import re
import shlex
import sys
import tempfile

import h5py
import numpy as np

from support import FLAGS, MPIEXEC, PROGRAM, history_without_clocks, run, run_command

SEARCH = os.environ.get("LOCKSTEP_RANDOM_SEARCH", "random_search")
LONG = os.environ.get("LOCKSTEP_LONG_TESTS") == "1"
ENVIRONMENT = ("LOCKSTEP", "LOCKSTEP_RANDOM_SEARCH", "LOCKSTEP_MPI_FLAVOUR", "MPIEXEC", "OPENBLAS_NUM_THREADS",
               "OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_mpi_yield_when_idle")
RANKS = 5
KERNELS = ("portable", "avx2", "avx512")
DESIGNED = {0, 64, 65, 66, 70, 73, 74, 75, 77, 78}


class Findings:
    def __init__(self, options):
        self.options = options
        self.failed = 0
        self.results = {}

    def add(self, search, seed, text):
        self.failed += 1
        options = self.options
        command = ["env", *(f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ),
                   sys.executable, "-B", os.path.abspath(sys.argv[0]), "--only", search, "--seeds", seed, 1,
                   "--variants", options.variants, "--program-variants", options.program_variants, "--verbose"]
        command += [] if options.environments else ["--no-environments"]
        print(f"FAILED {search} {seed}\n{text}\n  again: {shlex.join(map(str, command))}\n", flush=True)


# --- The library ---

def end_of(result, last):
    """What a job that did not come to its end left."""
    code = "hangs" if result.code is None else f"ended with {result.code}"
    return f"  {code} in configuration {last}\n{result.stdout[-3000:]}\n{result.stderr[-1500:]}"


def search_piece(first, count, words, kernels):
    """Yields (seed, kind, text) for every configuration, also behind one that ends the job."""
    end = first + count
    while first < end:
        result = run_command([MPIEXEC, "-n", str(RANKS), *FLAGS, SEARCH, str(first), str(end - first), *words],
                             timeout=120 + 5 * (end - first), env={"LOCKSTEP_KERNELS": kernels})
        last = None
        for block in re.split(r"(?m)^(?=begin \d+$)", result.stdout):
            begun = re.match(r"begin (\d+)\n", block)
            if not begun:
                continue
            last = int(begun[1])
            said = re.search(r"(?m)^(same|differs) (\d+)(.*)\n", block)
            if said:
                yield last, said[1], said[3].strip() if said[1] == "same" else block
        finished = last == end - 1 and result.code in (0, 1)
        if finished:
            return
        yield (first if last is None else last), "ended", end_of(result, last)
        first = (first if last is None else last) + 1


def kernels_of_this_cpu():
    """The variants that it has; the fastest one last."""
    found = []
    for name in KERNELS:
        result = run_command([SEARCH, "0", "1", "--variants", "1", "--no-environments"],
                             env={"LOCKSTEP_KERNELS": name})
        if result.code == 0:
            found.append(name)
        else:
            print(f"not searched: kernels {name}, which this CPU lacks")
    return found


def search_library(first, count, findings):
    options = findings.options
    words = ["--variants", str(options.variants)]
    words += [] if options.environments else ["--no-environments"]
    words += ["--verbose"] if options.verbose else []
    expected = {}
    for kernels in reversed(kernels_of_this_cpu()):
        # All of them with the fastest variant, a few with the others.
        part = count if not expected else max(1, count // 6)
        for seed, kind, text in search_piece(first, part, words, kernels):
            if kind != "same":
                findings.add("library", seed, f"  kernels {kernels}\n{text}")
            elif expected.setdefault(seed, text) != text:
                findings.add("library", seed, f"  other bits with kernels {kernels}: {text}\n    {expected[seed]}")
        if options.verbose:
            print(*(f"{seed}: {text}" for seed, text in expected.items()), sep="\n")
    refused = sum(text.startswith("code") for text in expected.values())
    print(f"library: {len(expected)} configurations in {options.variants} variants each, {refused} of them refused")


def check_control(first, findings):
    """What is compared can differ: with fast numerics it does."""
    different = sum(kind == "differs" for _, kind, _ in
                    search_piece(first, 12, ["--fast", "--no-environments"], kernels_of_this_cpu()[-1]))
    print(f"control: with fast numerics {different} of 12 differ")
    if different == 0:
        findings.add("library", first, "  fast numerics never gave other bits: the search compares nothing")


# --- The program ---

def draw_files(draw, path):
    """Rows of a random type and byte order; returns the options that they need."""
    rows, features, classes = draw.choice((1, 7, 40, 61)), draw.choice((1, 3, 8, 17)), draw.choice((2, 3, 5))
    numbers = np.random.default_rng(draw.randrange(1 << 30))
    type_of_x = draw.choice(("u1", "i1", "<i2", ">i2", "<u4", ">i8", "<f2", "<f4", ">f4", "<f8", ">f8"))
    x = numbers.integers(0, 100, (rows, features)).astype(type_of_x)
    if draw.random() < 0.6:
        y = numbers.integers(0, classes, rows).astype(draw.choice(("u1", "<i4", ">i8", ">f4")))
        last, loss = f"Dense({classes}, softmax)", "sparse_categorical_crossentropy"
    else:
        y = numbers.random((rows, classes)).astype(draw.choice(("<f4", ">f8")))
        last, loss = f"Dense({classes})", draw.choice(("mean_squared_error", "huber"))
    with h5py.File(path, "w") as file:
        chunks = (max(1, rows // 3), features) if draw.random() < 0.5 else None
        file.create_dataset("x_train", data=x, chunks=chunks, compression="gzip" if chunks else None)
        file["y_train"] = y
    return last, ["--loss", loss, "--metrics", "accuracy" if "entropy" in loss else "mean_absolute_error"], rows


def draw_options(draw, path):
    """What decides the result."""
    last, options, rows = draw_files(draw, path)
    hidden = "".join(f"Dense({draw.choice((1, 5, 16, 33))}, {draw.choice(('relu', 'tanh', 'gelu', 'softplus'))}), "
                     + draw.choice(("", "", "Dropout(0.3), ")) for _ in range(draw.randrange(4)))
    options += ["--layers", f"Rescaling(1/100), {hidden}{last}", "--epochs", draw.choice((1, 2, 4)),
                "--batch-size", draw.choice((1, 5, 16, 64)), "--seed", draw.randrange(100),
                "--optimizer", draw.choice(("adam", "sgd", "rmsprop", "nadam", "adagrad")), "--learning-rate", draw.choice((0.1, 0.001))]
    if rows > 1 and draw.random() < 0.5:
        options += ["--validation-split", draw.choice((0.2, 0.6))]
    if draw.random() < 0.4:
        options += ["--grain", draw.choice((1, 3, 50))]
    if draw.random() < 0.3:
        options += ["--steps-per-epoch", draw.choice((1, 5))]
    if draw.random() < 0.3:
        options += ["--no-shuffle"]
    if draw.random() < 0.12:  # a mistake
        options += draw.choice((["--validation-freq", "0"], ["--decay-rate", "2"], ["--save-best", "val_nothing"],
                                ["--y", "y_none"], ["--early-stopping", "nothing"]))
    return list(map(str, options))


def draw_variant(draw, kernels):
    """(ranks, options, environment, ranks that go on after half the epochs or None)."""
    options = ["--sync", draw.choice(("sharded", "allreduce")), "--threads", draw.choice((1, 2)),
               "--bucket-mib", draw.choice((0.001, 4)), "--validate-on", draw.choice(("all", "root")),
               "--keep", draw.choice((1, 3)), "--check-replicas-every", draw.choice((0, 1, 100))]
    return (draw.randint(1, RANKS), list(map(str, options)), {"LOCKSTEP_KERNELS": draw.choice(kernels)},
            draw.randint(1, RANKS) if draw.random() < 0.5 else None)


def bits_of(directory, name, ranks, options, environment, later):
    """Hashes of all that a run leaves, or its exit code."""
    command = ["train", "--data", "d.h5", *options, "--run-dir", name]
    if later is not None:  # the first half with fewer epochs, then a checkpoint that another number goes on from
        epochs = int(options[options.index("--epochs") + 1])
        if epochs > 1:
            shorter = ["--epochs" if word == "--epochs" else word for word in command]
            shorter[shorter.index("--epochs") + 1] = str(epochs // 2)
            result = run(ranks, *shorter, cwd=directory, env=environment)
            if result.code != 0:
                return result.code, result
            ranks = later
    result = run(ranks, *command, cwd=directory, env=environment)
    if result.code != 0:
        return result.code, result
    predictions = f"{name}.npy"
    predicted = run(ranks, "predict", f"{name}/final.h5", "--data", "d.h5", "--x", "x_train", "--out", predictions,
                    cwd=directory, env=environment)
    if predicted.code != 0:
        return f"predict {predicted.code}", predicted
    report = run(1, "inspect", f"{name}/final.h5", cwd=directory)
    hashes = re.findall(r"\b[0-9a-f]{64}\b", report.stdout)
    rows = hashlib.sha256((directory / predictions).read_bytes()).hexdigest()
    return (*hashes, rows, str(history_without_clocks(directory / name))), result


def search_program(first, count, findings):
    kernels = kernels_of_this_cpu()
    refused = 0
    for seed in range(first, first + count):
        draw = random.Random(seed)
        with tempfile.TemporaryDirectory(prefix="lockstep-random-") as name:
            directory = pathlib.Path(name)
            options = draw_options(draw, directory / "d.h5")
            expected = None
            for variant in range(findings.options.program_variants):
                how = (1, [], {}, None) if variant == 0 else draw_variant(draw, kernels)
                ranks, more, environment, later = how
                found, result = bits_of(directory, f"run{variant}", ranks, options + more, environment, later)
                expected = found if variant == 0 else expected
                if findings.options.verbose:
                    print(f"{seed}: lockstep train --data d.h5 {shlex.join(options + more)}\n  {how}\n  {found}")
                if result.code not in DESIGNED or found != expected or "HDF5-DIAG" in result.stderr:
                    findings.add("program", seed, f"  lockstep train --data d.h5 {shlex.join(options + more)}\n"
                                 f"  {how}\n  {found}\n  expected {expected}\n{result}")
                    break
            refused += isinstance(expected, int)
    print(f"program: {count} configurations in {findings.options.program_variants} variants each, {refused} refused")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs=2, type=int, metavar=("FIRST", "COUNT"))
    parser.add_argument("--only", choices=("library", "program"))
    parser.add_argument("--variants", type=int, default=3, help="of the library's configurations")
    parser.add_argument("--program-variants", type=int, default=3, help="of the program's")
    parser.add_argument("--no-environments", dest="environments", action="store_false")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    findings = Findings(options)
    first, count = options.seeds or (0, 5000 if LONG else 250)
    programs = count if options.only == "program" else max(1, count // 25)
    if options.only != "program":
        search_library(first, count, findings)
        if count > 1:
            check_control(first, findings)
    if options.only != "library":
        search_program(first, programs, findings)
    print(f"{findings.failed} failed")
    sys.exit(findings.failed > 0)


if __name__ == "__main__":
    main()
