"""Several hosts, each with its own memory, files and processes: the same bits as on one, over the network."""
import pathlib

import numpy as np

from hosts_lab import Hosts
from same_bits_test import SameBitsTest, write_data
from support import PROGRAM, SystemTest, history, history_without_clocks, main, write_file

STEPS_PER_EPOCH = 5


class Lab(SystemTest):
    @staticmethod
    def seen(hosts, path):
        return [hosts.run(i, "sh", "-c", f"test -e {path} && echo yes || echo no") == "yes\n" for i in range(2)]

    def test_hosts_share_nothing_but_the_network(self):
        with Hosts(2, shared=[self.dir]) as hosts:
            self.assertEqual([hosts.run(i, "hostname").strip() for i in range(2)], ["node0", "node1"])
            for folder in ("/dev/shm", "/tmp", "/run"):
                mark = pathlib.Path(folder, f"{self.dir.name}-mark")
                hosts.run(0, "touch", mark)
                self.assertEqual(self.seen(hosts, mark), [True, False], folder)
                self.assertFalse(mark.exists(), folder)
            hosts.run(0, "touch", self.dir / "mark")
            self.assertEqual(self.seen(hosts, self.dir / "mark"), [True, True])
            processes = hosts.run(0, "sh", "-c", "echo /proc/[0-9]*").split()
            self.assertIn("/proc/1", processes)
            self.assertLess(len(processes), 10)

            ranks = hosts.mpirun(4, "hostname")
            self.assertEqual((ranks.code, sorted(ranks.stdout.split())), (0, ["node0", "node0", "node1", "node1"]), ranks)

    def test_cables_and_hosts_can_fail(self):
        with Hosts(2) as hosts:
            connects = ["bash", "-c", "timeout 2 bash -c '</dev/tcp/10.77.0.2/22' 2>/dev/null && echo yes || echo no"]
            self.assertEqual(hosts.run(0, *connects).strip(), "yes")
            hosts.link(1, up=False)
            self.assertEqual(hosts.run(0, *connects).strip(), "no")
            hosts.link(1, up=True)
            self.assertEqual(hosts.run(0, *connects).strip(), "yes")
            hosts.kill(1)
            self.assertEqual(hosts.run(0, *connects).strip(), "no")


class TwoHosts(SameBitsTest):
    # Large enough that every rank owns a slice, and that threads share its products.
    LAYERS = ('Dense(256, relu, kernel_regularizer="l2"), Dropout(0.3), Dense(256, tanh), Dense(17, gelu), '
              'Dense(5, softmax)')
    GRADIENT_BYTES = 4 * (38 * 256 + 257 * 256 + 257 * 17 + 18 * 5)  # on 37 features
    BUCKETS = ("--bucket-mib", "0.001")  # one for each layer; all fit into one of the default size
    THREADS = ("--threads", "2")
    ALLREDUCE = ("--sync", "allreduce")

    def trained_on(self, hosts, slots, *options, by_node=False):
        """All that a run leaves, and the bytes that each host sent for it."""
        name = "-".join(map(str, [*slots, *options, "by-node" if by_node else "by-slot"])).replace("--", "")
        sent = hosts.bytes_sent()
        result = hosts.mpirun(sum(slots), PROGRAM, "train", "--data", "d.h5", "--layers", self.LAYERS, "--run-dir",
                              name, *self.OPTIONS, *options, slots=slots, by_node=by_node, cwd=self.dir)
        self.assertEqual((result.code, result.errors, result.orphans), (0, [], []), result)
        report = self.inspect(self.dir / name / "final.h5")
        bits = {"weights": report["weights_sha256"], "optimizer": report["optimizer_sha256"],
                "history": str(history_without_clocks(self.dir / name))}
        return bits, [after - before for before, after in zip(sent, hosts.bytes_sent())]

    def test_give_the_bits_of_one(self):
        write_data(self.dir / "d.h5")
        expected = self.bits(1, predict=False)
        steps = STEPS_PER_EPOCH * len(history(self.dir / "run-1"))
        with Hosts(2, shared=[self.dir]) as hosts:
            # Both ranks on node0: what starting a job sends without any gradient.
            bits, launch = self.trained_on(hosts, (2, 0))
            self.assertEqual(bits, expected)
            for slots, by_node, options in (
                    ((1, 1), False, ()),
                    ((2, 2), True, self.BUCKETS),
                    ((2, 2), False, self.THREADS),
                    ((2, 1), False, self.THREADS + self.BUCKETS),
                    ((4, 1), True, ()),
                    ((1, 1), False, self.ALLREDUCE + self.THREADS),
                    ((2, 1), True, self.ALLREDUCE + self.BUCKETS),
                    ((4, 1), False, self.ALLREDUCE + self.THREADS + self.BUCKETS)):
                with self.subTest(slots=slots, by_node=by_node, options=options):
                    bits, sent = self.trained_on(hosts, slots, *options, by_node=by_node)
                    self.assertEqual(bits, expected)
                    print(f"ranks on hosts {slots}, by node {by_node}, {' '.join(options)}: bytes sent {sent}, "
                          f"to start {launch}, gradient {self.GRADIENT_BYTES} x {steps} steps")
                    for host in range(2):
                        self.assertGreater(sent[host] - launch[host], self.GRADIENT_BYTES * steps)

    def test_give_them_while_messages_move_during_long_products(self):
        write_data(self.dir / "d.h5")
        command = ["train", "--data", "d.h5", "--layers", "Dense(1536, relu), Dense(1536, relu), Dense(5, softmax)",
                   "--batch-size", "256", "--steps-per-epoch", "3", "--run-dir"]
        self.done(1, *command, "one")
        with Hosts(2, shared=[self.dir]) as hosts:
            result = hosts.mpirun(2, PROGRAM, *command, "two", slots=(1, 1), cwd=self.dir)
        self.assertEqual((result.code, result.errors, result.orphans), (0, [], []), result)
        self.assertEqual(self.sha256("two/final.h5"), self.sha256("one/final.h5"))

    def test_give_them_behind_masks(self):
        """A third of the rows, among them all of some ranks' in the first batches, are padding."""
        random = np.random.default_rng(4)
        lengths = np.where(np.arange(96) % 24 < 8, 0, random.integers(1, 13, 96))
        x = np.where(np.arange(12) < lengths[:, None], random.integers(1, 30, (96, 12)), 0)
        write_file(self.dir / "d.h5", x_train=x.astype(np.uint8), y_train=x.sum(1) % 5)
        command = ["train", "--data", "d.h5", "--layers", "Reshape((3, 4)), Embedding(30, 9, mask_zero=True), "
                   "TimeDistributed(GRU(17)), LSTM(33, recurrent_dropout=0.1), Dense(5, softmax)", "--batch-size", "24",
                   "--grain", "4", "--epochs", "2", "--optimizer", "adam", "--run-dir"]
        self.done(1, *command, "one")
        with Hosts(2, shared=[self.dir]) as hosts:
            for slots in ((1, 1), (2, 1)):
                run_dir = "-".join(map(str, slots))
                result = hosts.mpirun(sum(slots), PROGRAM, *command, run_dir, slots=slots, cwd=self.dir)
                self.assertEqual((result.code, result.errors, result.orphans), (0, [], []), result)
                self.assertEqual(self.sha256(f"{run_dir}/final.h5"), self.sha256("one/final.h5"))


if __name__ == "__main__":
    main()
