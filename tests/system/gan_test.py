"""Two objectives over one network, in a program of its own: launch/examples/dcgan.cpp."""
import os
import struct
import zlib

import h5py
import numpy as np

from hosts_lab import Hosts
from support import BAD_DATA, CANNOT_CREATE, FAULTS, FLAGS, MISSING, MPIEXEC, USAGE, SystemTest, main, run_command

DCGAN = os.environ["LOCKSTEP_DCGAN"]
SIDE = 280  # of a sheet


def gray_pixels(path):
    """Of an 8-bit gray PNG without interlacing, and so that every chunk's checksum is right."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    chunks, at = {}, 8
    while at < len(data):
        length, = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body), kind
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (SIDE, SIDE, 8, 0, 0, 0, 0)
    assert b"IEND" in chunks
    lines = zlib.decompress(chunks[b"IDAT"])
    assert len(lines) == SIDE * (SIDE + 1)
    return lines


class Gan(SystemTest):
    def setUp(self):
        super().setUp()
        self.done(1, "import", "synthetic", "--rows", "40", "--test-rows", "10", "--out", "g.h5")

    def draw(self, ranks, *options, env=None, data="g.h5"):
        launcher = [MPIEXEC, "-n", str(ranks), *FLAGS] if ranks > 1 else []
        result = run_command([*launcher, DCGAN, "--data", data, "--batch-size", "16", *map(str, options)],
                             cwd=self.dir, env=env)
        self.assertIsNotNone(result.code, f"it hangs\n{result}")
        self.assertEqual(result.orphans, [], result)
        return result

    def drawn(self, ranks, run_dir, *options):
        result = self.draw(ranks, "--run-dir", run_dir, *options)
        self.assertEqual(result.code, 0, result)
        return result.stdout

    def bits(self, run_dir):
        names = ["checkpoint.h5", "generator.h5", "sheet-002.png"]
        return [(self.dir / run_dir / name).read_bytes() for name in names]

    def test_draws_the_same_on_any_number_of_ranks(self):
        output = self.drawn(1, "one", "--epochs", 2)
        self.assertRegex(output, r"(?m)^epoch 2/2  discriminator loss 0\.\d+  generator loss \d\.\d+  \d+ images/s  ")
        for ranks in (2, 3, 4, 5, 8):
            with self.subTest(ranks=ranks):
                self.drawn(ranks, f"on{ranks}", "--epochs", 2)
                self.assertEqual(self.bits(f"on{ranks}"), self.bits("one"))
        self.assertGreater(len(set(gray_pixels(self.dir / "one" / "sheet-002.png"))), 3)
        self.assertNotEqual((self.dir / "one" / "sheet-001.png").read_bytes(), self.bits("one")[2])
        self.drawn(1, "other", "--epochs", 2, "--seed", 1)
        self.assertNotEqual(self.bits("one"), self.bits("other"))

    def test_draws_the_same_with_every_kernel_variant(self):
        self.drawn(1, "one", "--epochs", 2)
        for variant in self.kernel_variants("g.h5"):
            with self.subTest(variant=variant):
                result = self.draw(2, "--run-dir", variant, "--epochs", 2, env={"LOCKSTEP_KERNELS": variant})
                self.assertEqual(result.code, 0, result)
                self.assertEqual(self.bits(variant), self.bits("one"))

    def test_draws_the_same_on_two_hosts(self):
        self.drawn(1, "one", "--epochs", 2)
        with Hosts(2, shared=[self.dir]) as hosts:
            for slots in ((1, 1), (2, 1)):
                with self.subTest(slots=slots):
                    run_dir = f"hosts{slots[0]}{slots[1]}"
                    result = hosts.mpirun(sum(slots), DCGAN, "--data", "g.h5", "--batch-size", 16, "--run-dir", run_dir,
                                          "--epochs", 2, slots=slots, cwd=self.dir)
                    self.assertEqual((result.code, result.orphans), (0, []), result)
                    self.assertEqual(self.bits(run_dir), self.bits("one"))

    def test_saves_a_generator_that_predicts(self):
        self.drawn(2, "gan", "--epochs", 1)
        noise = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)
        with h5py.File(self.dir / "noise.h5", "w") as file:
            file["x_test"] = noise
        self.done(1, "predict", "gan/generator.h5", "--data", "noise.h5", "--out", "drawn.npy")
        drawn = np.load(self.dir / "drawn.npy")
        self.assertEqual(drawn.size, 5 * 28 * 28)
        self.assertLessEqual(np.abs(drawn).max(), 1)

    def test_killed_and_resumed_on_another_number_of_ranks_equals_never_stopping(self):
        if not FAULTS:
            self.skipTest("built without fault points")
        self.drawn(1, "whole", "--epochs", 2)
        # Three steps an epoch: rank 1 dies in the second one.
        result = self.draw(3, "--run-dir", "parts", "--epochs", 2, env={"LOCKSTEP_FAULT": "compute:1:4:kill"})
        self.assertNotEqual(result.code, 0, result)
        self.assertIn("epoch 1/2", result.stdout)
        self.assertNotIn("epoch 2/2", result.stdout)
        self.drawn(2, "parts", "--epochs", 2, "--resume")
        self.assertEqual(self.bits("whole"), self.bits("parts"))

    def expect_error(self, code, words, *options, **more):
        for ranks in (1, 3):
            result = self.draw(ranks, *options, **more)
            self.assertEqual(result.code, code, result)
            self.assertEqual(len(result.errors), 1, result)
            for word in words:
                self.assertIn(word, result.errors[0])

    def test_refuses_what_it_cannot_go_on_with(self):
        self.drawn(1, "gan", "--epochs", 1)
        self.expect_error(CANNOT_CREATE, ["gan", "--resume"], "--run-dir", "gan")
        self.expect_error(MISSING, ["none/checkpoint.h5"], "--run-dir", "none", "--resume")
        self.expect_error(USAGE, ["seed 0 there, 5 here"], "--run-dir", "gan", "--resume", "--seed", 5)
        self.done(1, "import", "synthetic", "--rows", "40", "--test-rows", "10", "--seed", "9", "--out", "other.h5")
        self.expect_error(BAD_DATA, ["checkpoint.h5", "x_train 40 rows", "there"], "--run-dir", "gan", "--resume", data="other.h5")
        checkpoint = self.dir / "gan" / "checkpoint.h5"
        checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
        self.expect_error(BAD_DATA, ["checkpoint.h5"], "--run-dir", "gan", "--resume")

    def test_refuses_options_and_images_that_do_not_fit(self):
        self.expect_error(USAGE, ["--epoch-count"], "--epoch-count", 3)
        self.expect_error(USAGE, ["--epochs"], "--epochs", 0)
        with h5py.File(self.dir / "small.h5", "w") as file:
            file["x_train"] = np.zeros((40, 8, 8), np.uint8)
        self.expect_error(BAD_DATA, ["small.h5", "28 x 28"], data="small.h5")


if __name__ == "__main__":
    main()
