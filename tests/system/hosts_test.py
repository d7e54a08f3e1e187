"""Several hosts, each with its own memory, files and processes: the same bits as on one, over the network."""
import pathlib

from hosts_lab import Hosts
from same_bits_test import LAYERS, SameBitsTest, write_data
from support import PROGRAM, SystemTest, history, history_without_clocks, main

GRADIENT_BYTES = 4 * (38 * 40 + 41 * 24 + 25 * 17 + 18 * 5)  # of LAYERS on 37 features
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
    def trained_on(self, hosts, ranks, name, by_node):
        sent = hosts.bytes_sent()
        result = hosts.mpirun(ranks, PROGRAM, "train", "--data", "d.h5", "--layers", LAYERS, "--run-dir", name,
                              *self.OPTIONS, by_node=by_node, cwd=self.dir)
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
            bits, launch = self.trained_on(hosts, 2, "one-host", by_node=False)
            self.assertEqual(bits, expected)
            for ranks, by_node in ((2, True), (4, True), (4, False)):
                with self.subTest(ranks=ranks, by_node=by_node):
                    bits, sent = self.trained_on(hosts, ranks, f"{ranks}-by-{'node' if by_node else 'slot'}", by_node)
                    self.assertEqual(bits, expected)
                    print(f"{ranks} ranks, by node {by_node}: bytes sent {sent}, to start {launch}, "
                          f"gradient {GRADIENT_BYTES} x {steps} steps")
                    for host in range(2):
                        self.assertGreater(sent[host] - launch[host], GRADIENT_BYTES * steps)


if __name__ == "__main__":
    main()
