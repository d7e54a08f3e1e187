"""lockstep train --tensorboard: what it writes is read by a reader of our own, and by TensorBoard's, where a python3 in
PATH (or LOCKSTEP_TENSORBOARD_PYTHON) has it."""
import json
import pathlib
import struct
import subprocess

import h5py
import numpy as np

from support import CANNOT_CREATE, USAGE, SystemTest, history, main, python_with, write_clusters

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)  # CRC-32C, reflected
    TABLE.append(byte)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    """The data of a TFRecord file, whose checksums must be right."""
    bytes = path.read_bytes()
    while bytes:
        length, = struct.unpack("<Q", bytes[:8])
        assert struct.unpack("<I", bytes[8:12])[0] == masked_crc(bytes[:8]), path
        data = bytes[12:12 + length]
        assert struct.unpack("<I", bytes[12 + length:16 + length])[0] == masked_crc(data), path
        yield data
        bytes = bytes[16 + length:]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """{number: [values]} of a message of Protocol Buffers."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(key & 7)
            if length is None:
                length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        found.setdefault(key >> 3, []).append(value)
    return found


def events(path):
    """(step, tag, plugin, numbers) of each."""
    first, *others = map(fields, records(path))
    assert first[3] == [b"brain.Event:2"], first
    for event in others:
        value = fields(fields(event[5][0])[1][0])
        tensor = fields(value[8][0])
        kind = {1: (5, np.float32), 2: (6, np.float64)}[tensor[1][0]]
        plugin = fields(fields(value[9][0])[1][0])[1][0].decode()
        yield event.get(2, [0])[0], value[1][0].decode(), plugin, np.frombuffer(tensor[kind[0]][0], kind[1])


class TensorBoard(SystemTest):
    OPTIONS = ("--validation-split", 0.2, "--batch-size", 16, "--tensorboard", "logs")

    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")

    def file(self, part, directory="logs"):
        path, = (self.dir / directory / part).iterdir()
        self.assertIn("tfevents", path.name)  # by which TensorBoard knows it
        return path

    def scalars(self, part):
        return [(step, tag, numbers[0]) for step, tag, plugin, numbers in events(self.file(part)) if plugin == "scalars"]

    def of_history(self, run, part):
        names = {"train": {"loss": "loss", "accuracy": "accuracy", "learning_rate": "learning_rate"},
                 "validation": {"loss": "val_loss", "accuracy": "val_accuracy"}}[part]
        return [(int(epoch["epoch"]) - 1, f"epoch_{tag}", np.float32(epoch[name]))
                for epoch in history(run) for tag, name in names.items()]

    def check(self, run):
        for part in ("train", "validation"):
            self.assertEqual(self.scalars(part), self.of_history(run, part))

    def test_holds_the_numbers_of_the_history(self):
        run = self.train(3, "d.h5", "--epochs", 3, *self.OPTIONS)
        self.assertEqual(len(self.of_history(run, "train")), 9)
        self.check(run)

    def test_without_validation_there_is_nothing_of_it(self):
        self.train(1, "d.h5", "--epochs", 1, "--tensorboard", "logs")
        self.assertFalse((self.dir / "logs" / "validation").exists())

    def test_histograms_count_every_weight(self):
        run = self.train(2, "d.h5", "--epochs", 3, *self.OPTIONS, "--tensorboard-histograms", 2)
        found = [(step, tag, numbers.reshape(30, 3)) for step, tag, plugin, numbers in events(self.file("train"))
                 if plugin == "histograms"]
        self.assertEqual([(step, tag) for step, tag, _ in found],
                         [(step, f"{name}/histogram") for step in (0, 2)
                          for name in ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")])
        with h5py.File(run / "final.h5") as file:
            kernel = file["model_weights/dense/dense/kernel:0"][()].astype(np.float64)
        counts, edges = np.histogram(kernel, 30)
        np.testing.assert_array_equal(found[4][2][:, 2], counts)
        np.testing.assert_allclose(found[4][2][:, 0], edges[:-1], atol=1e-12)
        np.testing.assert_allclose(found[4][2][:, 1], edges[1:], atol=1e-12)

    def test_a_run_that_goes_on_adds_no_epoch_twice(self):
        self.train(2, "d.h5", "--epochs", 2, *self.OPTIONS)
        before = self.file("train").read_bytes()
        run = self.train(1, "d.h5", "--epochs", 4, *self.OPTIONS)
        self.check(run)
        self.assertTrue(self.file("train").read_bytes().startswith(before))  # TensorBoard goes on reading

    def test_what_a_killed_run_wrote_behind_its_checkpoint_is_taken_back(self):
        options = ("--checkpoint-every", 2, *self.OPTIONS)
        result = self.run_lockstep(1, "train", "--data", "d.h5", "--layers", "Dense(8, relu), Dense(3, softmax)", "--epochs",
                                   4, *options, env={"LOCKSTEP_FAULT": "compute:0:10:kill"})
        self.assertNotEqual(result.code, 0, result)
        with open(self.file("train"), "ab") as file:
            file.write(b"half a record")
        self.check(self.train(1, "d.h5", "--epochs", 4, *options))

    def test_a_run_that_goes_on_with_it_writes_the_epochs_before(self):
        self.train(1, "d.h5", "--epochs", 2, *self.OPTIONS[:-2])
        self.check(self.train(1, "d.h5", "--epochs", 3, *self.OPTIONS))

    def test_the_epochs_of_another_run_stay(self):
        self.train(1, "d.h5", "--epochs", 1, *self.OPTIONS)
        before = self.file("train").read_bytes()
        self.refused(CANNOT_CREATE, ["logs/train", "another run"], "train", "--data", "d.h5", "--layers",
                     "Dense(3, softmax)", "--run-dir", "other", *self.OPTIONS)
        self.assertEqual(self.file("train").read_bytes(), before)
        run = self.train(1, "d.h5", "--epochs", 1, *self.OPTIONS, "--overwrite", run_dir="other")
        self.check(run)

    def test_wrong_options(self):
        self.refused(USAGE, ["--tensorboard DIR"], "train", "--data", "d.h5", "--layers", "Dense(3, softmax)",
                     "--tensorboard-histograms", 1)
        (self.dir / "logs").write_text("a file")
        self.refused(CANNOT_CREATE, ["logs"], "train", "--data", "d.h5", "--layers", "Dense(3, softmax)", *self.OPTIONS)


class ReaderOfTensorBoard(TensorBoard):
    """Everything above is what the real one finds, too."""

    def scalars(self, part):
        python = python_with("LOCKSTEP_TENSORBOARD_PYTHON", "tensorboard")
        result = subprocess.run([python, pathlib.Path(__file__).with_name("tensorboard_reader.py"),
                                 self.dir / "logs" / part], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        ours = [(step, tag) for step, tag, plugin, _ in events(self.file(part)) if plugin == "scalars"]
        found = {(step, tag): np.float32(value) for step, tag, value in json.loads(result.stdout)["scalars"]}
        self.assertEqual(len(found), len(ours))
        return [(step, tag, found[step, tag]) for step, tag in ours]


if __name__ == "__main__":
    main()
