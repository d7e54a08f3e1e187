"""What the generators of reference files share. Import it before Keras."""
import argparse
import os
import pathlib
import subprocess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import h5py


def find_keras(name):
    """keras2: tensorflow.keras up to 2.15, or tf_keras; or keras3."""
    if name == "keras3":
        import keras
        assert keras.__version__.startswith("3"), keras.__version__
        return keras
    try:
        import tensorflow as tf
        import keras as installed
        if installed.__version__.startswith("2"):
            return tf.keras
    except ImportError:
        pass
    import tf_keras
    return tf_keras


def train_and_predict(lockstep, directory, words, x, final):
    """`lockstep train` on rows.h5 of the directory, one step an epoch; what the file it writes predicts from x."""
    def run(*words):
        subprocess.run([lockstep, *map(str, words)], check=True, cwd=directory, stdout=subprocess.DEVNULL)
    run("train", "--data", "rows.h5", "--x", x, "--run-dir", final.parent, "--steps-per-epoch", 1, "--verbose", 0,
        *words)
    run("predict", final, "--data", "rows.h5", "--x", x, "--out", final.parent / "p.h5")
    with h5py.File(final.parent / "p.h5") as file:
        return file["predictions"][:]


def main(doc, rows, write, by_hand, check, shapes):
    """A generator's commands: `write KERAS DIR [SHAPE ...]`, which leaves rows() in rows.h5; those of `by_hand`, by
    their names, of a directory; `check LOCKSTEP DIR [KERAS]`, which returns how much failed."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write")
    writing.add_argument("keras", choices=["keras2", "keras3"])
    writing.add_argument("directory", type=pathlib.Path)
    writing.add_argument("shapes", nargs="*", metavar="SHAPE", help="only these of " + ", ".join(shapes))
    for name in by_hand:
        commands.add_parser(name).add_argument("directory", type=pathlib.Path)
    checking = commands.add_parser("check")
    checking.add_argument("lockstep", type=pathlib.Path)
    checking.add_argument("directory", type=pathlib.Path)
    checking.add_argument("keras", nargs="?", choices=["keras2", "keras3"])
    args = parser.parse_args()
    if args.command == "check":
        return check(args.lockstep.resolve(), args.directory, args.keras)
    args.directory.mkdir(parents=True, exist_ok=True)
    with h5py.File(args.directory / "rows.h5", "w") as file:
        for name, values in rows().items():
            file.create_dataset(name, data=values)
    if args.command == "write":
        write(args.keras, args.directory, args.shapes)
    else:
        by_hand[args.command](args.directory)
    return 0
