#!/usr/bin/env python3
"""What a frozen base is worth on few rows.

    transfer_learning.py LOCKSTEP FASHION.h5 DIRECTORY [--seeds 5] [--rows 200] [--head 0,2,5,7,8]

A CNN is trained on five classes of Fashion-MNIST; then, on --rows rows of the --head classes, the other five, a new head on
its frozen base (Adam at 0.03), and beside it the same network from scratch, at each of --rates. Test accuracy over the seeds,
which choose rows and weights.
DIRECTORY is overwritten. Needs h5py and numpy.
"""
import argparse
import pathlib
import statistics

import h5py
import numpy

from benchmarking import environment, read_rows, run

BLOCK = "Conv2D({}, 3, padding='same', use_bias=False), BatchNormalization(momentum=0.9), Activation(relu), "
BASE = ("Rescaling(1/255), Reshape((28, 28, 1)), " + BLOCK.format(32) + "MaxPooling2D(2), " + BLOCK.format(64) +
        "MaxPooling2D(2), " + BLOCK.format(128) + "GlobalAveragePooling2D(), ")
HEAD = "Dense(5, softmax)"


def of_classes(x, y, classes):
    """Their rows, with labels from 0."""
    wanted = numpy.isin(y, classes)
    return x[wanted], numpy.searchsorted(classes, y[wanted]).astype("int32")


def write(path, train, test):
    with h5py.File(path, "w") as file:
        file["x_train"], file["y_train"] = train
        file["x_test"], file["y_test"] = test


def train(args, name, data, epochs, *options):
    """Test accuracy."""
    directory = args.directory / name
    printed = run([args.lockstep, "train", "--data", data, "--run-dir", directory, "--overwrite", "--epochs", epochs,
                   "--batch-size", 32, "--checkpoint-every", 1000, *options], environment())
    return float(printed.split("test accuracy ")[1].split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lockstep")
    parser.add_argument("data")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--head", default="0,2,5,7,8", help="the classes of the new head")
    parser.add_argument("--base-epochs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20, help="on the few rows")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.001, 0.003], help="from scratch")
    args = parser.parse_args()

    args.directory.mkdir(parents=True, exist_ok=True)
    new = sorted(map(int, args.head.split(",")))
    old = sorted(set(range(10)) - set(new))
    with h5py.File(args.data) as file:
        sets = {name: (file["x_" + name][:], file["y_" + name][:]) for name in ("train", "test")}
    known = args.directory / "known.h5"
    write(known, *(of_classes(*sets[name], old) for name in ("train", "test")))
    rows, test = (of_classes(*sets[name], new) for name in ("train", "test"))

    kept, scratch = [], {rate: [] for rate in args.rates}
    for seed in range(1, args.seeds + 1):
        base = train(args, "base", known, args.base_epochs, "--layers", BASE + HEAD, "--seed", seed)
        chosen = numpy.random.default_rng(seed).choice(len(rows[1]), args.rows, replace=False)
        few = args.directory / "few.h5"
        write(few, (rows[0][chosen], rows[1][chosen]), test)
        kept.append(train(args, "kept", few, args.epochs, "--from", args.directory / "base/final.h5", "--freeze",
                          "conv2d*,batch*", "--replace-head", HEAD, "--seed", seed, "--learning-rate", 0.03))
        for rate, found in scratch.items():
            found.append(train(args, "scratch", few, args.epochs, "--layers", BASE + HEAD, "--seed", seed,
                               "--learning-rate", rate))
        print(f"seed {seed}: base {base:.4f}, frozen base {kept[-1]:.4f}, from scratch",
              ", ".join(f"{found[-1]:.4f} at {rate}" for rate, found in scratch.items()), flush=True)
    for rate, found in scratch.items():
        print(f"classes {new}, {args.rows} rows, {args.epochs} epochs: {statistics.mean(kept):.4f} against "
              f"{statistics.mean(found):.4f} at {rate}, {100 * (statistics.mean(kept) - statistics.mean(found)):+.1f} points")


if __name__ == "__main__":
    main()
