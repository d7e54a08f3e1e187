"""Runs the lockstep program, alone and under mpirun, and makes small files for it.

Environment: LOCKSTEP, the program; MPIEXEC; LOCKSTEP_MPI_FLAVOUR, openmpi or mpich.
"""
import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import h5py
import numpy as np

PROGRAM = os.environ["LOCKSTEP"]
MPIEXEC = os.environ.get("MPIEXEC", "mpiexec")
FLAVOUR = os.environ.get("LOCKSTEP_MPI_FLAVOUR", "openmpi")
FLAGS = ["--oversubscribe", "--bind-to", "none"] if FLAVOUR == "openmpi" else []
MARK = "LOCKSTEP_SYSTEM_TEST"  # environment variable that tells a job's processes from all others
REFERENCE_FILES = pathlib.Path(__file__).resolve().parent.parent / "reference" / "files"

FAULTS = os.environ.get("LOCKSTEP_FAULTS", "1") == "1"  # compiled in

NETWORK = "Dense(8, relu), Dense(3, softmax)"  # for clusters()
TRAILER = 48  # bytes behind a file's HDF5 image
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

USAGE, BAD_DATA, MISSING, NUMERICAL, CANNOT_CREATE, INPUT_OUTPUT, PERMISSION = 64, 65, 66, 70, 73, 74, 77


@dataclasses.dataclass
class Result:
    code: int  # None: had to be killed
    stdout: str
    stderr: str
    seconds: float
    orphans: list  # processes of the job that outlived it

    @property
    def errors(self):
        """The program's own error lines, without warnings and without what mpirun says."""
        return [line for line in self.stderr.splitlines()
                if line.startswith("lockstep:") and not line.startswith(("lockstep: warning:", "lockstep: note:"))]

    def __str__(self):
        return (f"exit code {self.code} after {self.seconds:.1f} s, orphans {self.orphans}\n"
                f"--- stdout ---\n{self.stdout}\n--- stderr ---\n{self.stderr}")


def processes_of(job):
    """Ids of the living processes with the job's mark in their environment."""
    mark = f"{MARK}={job}".encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # it has ended, or is somebody else's
            pass
    return found


def wait_for_end(job, seconds):
    """Processes that are still there after so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(job)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def kill_all(job, process):
    """By id, since mpirun gives each rank a process group of its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for pid in processes_of(job):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def text_of(stream):
    stream.seek(0)
    return stream.read().decode("utf-8", "backslashreplace")


def run(ranks, *arguments, cwd=None, timeout=40, env=None, prefix=()):
    """`ranks` 1: the program without mpirun. It ends after `timeout` seconds, whatever happens."""
    launcher = [MPIEXEC, "-n", str(ranks), *FLAGS] if ranks > 1 else []
    return run_command([*prefix, *launcher, PROGRAM, *map(str, arguments)], cwd, timeout, env)


def run_command(command, cwd=None, timeout=40, env=None):
    """The command and all processes that it leaves are ended after `timeout` seconds."""
    job = uuid.uuid4().hex
    environment = {**os.environ, **(env or {}), MARK: job}
    # Files, not pipes: a process that outlives the job would keep a pipe open.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        begin = time.monotonic()
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=stdout, stderr=stderr, start_new_session=True)
        try:
            code = process.wait(timeout)
            orphans = wait_for_end(job, 3)
        except subprocess.TimeoutExpired:
            code, orphans = None, []
        seconds = time.monotonic() - begin
        kill_all(job, process)
        return Result(code, text_of(stdout), text_of(stderr), seconds, orphans)


def clusters(rows, features=8, classes=3, seed=1):
    """Rows around one centre per class: small whole numbers that every number type can hold."""
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = random.integers(10, 90, size=(classes, features))
    return centres[labels] + random.integers(0, 20, size=(rows, features)), labels


def write_file(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def write_clusters(path, rows=60, test_rows=12, **options):
    x, y = clusters(rows + test_rows, **options)
    x, y = x.astype(np.uint8), y.astype(np.uint8)
    test = {"x_test": x[rows:], "y_test": y[rows:]} if test_rows else {}
    return write_file(path, x_train=x[:rows], y_train=y[:rows], **test)


def history(run_dir):
    """history.csv: one dictionary an epoch."""
    with open(run_dir / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def history_without_clocks(run_dir):
    clocks = {"train_seconds", "val_seconds", "samples_per_second"}
    return [{name: text for name, text in epoch.items() if name not in clocks}
            for epoch in history(run_dir)]


class SystemTest(unittest.TestCase):
    """A temporary directory for each test, and what every run of the program must keep to."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="lockstep-system-")
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)

    def run_lockstep(self, ranks, *arguments, **options):
        result = run(ranks, *arguments, cwd=self.dir, **options)
        self.assertIsNotNone(result.code, f"it hangs\n{result}")
        self.assertEqual(result.orphans, [], result)
        self.assertNotIn("HDF5-DIAG", result.stdout + result.stderr)
        self.assertNotRegex(result.stdout + result.stderr, CONTROL)
        return result

    def done(self, ranks, *arguments, **options):
        """A run that must succeed."""
        result = self.run_lockstep(ranks, *arguments, **options)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.errors, [], result)
        return result

    def refused(self, code, words, *arguments, ranks=(1, 3), **options):
        """A run that must end with `code` and one message that has all `words` in it."""
        for count in ranks:
            with self.subTest(ranks=count, words=words):
                result = self.run_lockstep(count, *arguments, **options)
                self.assertEqual(result.code, code, result)
                self.assertEqual(len(result.errors), 1, result)
                for word in words:
                    self.assertIn(str(word), result.errors[0])
                self.assertLess(result.seconds, 20)

    def train(self, ranks, data, *options, run_dir="run", layers=NETWORK):
        """Returns the run directory."""
        network = ["--layers", layers] if layers else []
        self.done(ranks, "train", "--data", data, *network, "--run-dir", run_dir, *options)
        return self.dir / run_dir

    def kernel_variants(self, data):
        """Values of LOCKSTEP_KERNELS that this CPU has; says which it lacks. `data`: any with labels up to 29."""
        found = []
        for variant in ("portable", "avx2", "avx512"):
            probe = self.run_lockstep(1, "train", "--data", data, "--layers", "Flatten(), Dense(30, softmax)",
                                      "--dry-run", env={"LOCKSTEP_KERNELS": variant})
            if probe.code == 0:
                found.append(variant)
                continue
            self.assertRegex(probe.stderr, "lacks these instructions|expected one of")
            print(f"not compared: {variant}, which this CPU lacks")
        self.assertIn("portable", found)
        return found

    def inspect(self, path):
        return json.loads(self.done(1, "inspect", path, "--json").stdout)

    def sha256(self, path):
        """Of the weights."""
        digest = self.inspect(path)["weights_sha256"]
        self.assertRegex(digest, "^[0-9a-f]{64}$")
        return digest


def rewrite_checkpoint(path, change):
    """Lets `change` edit the file as h5py.File and makes the trailer fit again: a forged file, not a damaged one."""
    image = path.read_bytes()[:-TRAILER]
    path.write_bytes(image)
    with h5py.File(path, "r+") as file:
        change(file)
    image = path.read_bytes()
    path.write_bytes(image + b"LOCKSTEP" + len(image).to_bytes(8, "little") + hashlib.sha256(image).digest())


def rewrite_state(path, change):
    """The same for the JSON of the training state, as a dictionary; `change` may return a text instead."""
    def rewrite(file):
        group = file["lockstep"]
        state = json.loads(group.attrs["training_state"])
        text = change(state) or json.dumps(state)
        del group.attrs["training_state"]
        group.attrs.create("training_state", text, dtype=h5py.string_dtype())
    rewrite_checkpoint(path, rewrite)


def python_with(variable, *modules):
    """The first python3 that has these modules, or a reason to skip."""
    candidates = [os.environ[variable]] if variable in os.environ else [
        found for directory in os.environ.get("PATH", "").split(os.pathsep)
        if (found := shutil.which("python3", path=directory))]
    for python in candidates:
        if subprocess.run([python, "-c", f"import {', '.join(modules)}"], capture_output=True).returncode == 0:
            return python
    raise unittest.SkipTest(f"no python3 in PATH has {' and '.join(modules)}; {variable} may name one that has")


def main():
    """As unittest.main(); exit code 77 if every test was skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(not result.wasSuccessful())


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # some tests make ranks crash
