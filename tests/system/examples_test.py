"""The networks of launch/examples: the same bits on any number of ranks, threads and hosts, by either strategy, and
with every kernel variant."""
import numpy as np

from hosts_lab import Hosts
from support import FLAVOUR, PROGRAM, REFERENCE_FILES, SystemTest, history_without_clocks, main, write_file

EXAMPLES = REFERENCE_FILES.parents[2] / "launch" / "examples"
RANKS = (2, 3, 4, 5, 8) if FLAVOUR == "openmpi" else (2, 3)  # MPICH's spin while they wait
SETTINGS = [(ranks, []) for ranks in RANKS] + [
    (1, ["--threads", "2"]), (2, ["--threads", "2"]), (3, ["--sync", "allreduce"]),
    (2, ["--sync", "allreduce", "--threads", "2"])]
SLOTS = [(1, 1), (2, 1)]  # of two hosts


class ExampleTest(SystemTest):
    """Of the network that a subclass names."""
    ROWS, EPOCHS = 44, 4

    def setUp(self):
        super().setUp()
        # The last batch of an epoch has rows for one of many ranks.
        x, y = self.rows(np.random.default_rng(7), self.ROWS)
        write_file(self.dir / "d.h5", x_train=x, y_train=y, x_test=x[:self.ROWS - 20], y_test=y[:self.ROWS - 20])

        write_file(self.dir / "labels.h5", x_train=np.zeros((2, 1)), y_train=[0, 1])

    def rows(self, random, count):
        y = random.integers(0, 10, count)
        return (random.integers(0, 200, (count, 28, 28)) + 5 * y[:, None, None]).astype(np.uint8), y

    def words(self, run_dir, *options):
        json = EXAMPLES / f"{self.NETWORK}.json"  # a config names it as seen from the working directory
        model = ["--model", json] if json.exists() else []
        return ["train", EXAMPLES / f"{self.NETWORK}.cfg", *model, "--data", "d.h5", "--batch-size", "20", "--grain",
                "2", "--epochs", self.EPOCHS, "--checkpoint-every", "4", "--run-dir", run_dir, *options]

    def left(self, run_dir):
        """All that a run leaves, as hashes and texts."""
        report = self.inspect(self.dir / run_dir / "final.h5")
        return report["weights_sha256"], report["optimizer_sha256"], str(history_without_clocks(self.dir / run_dir))

    def bits(self, ranks, *options, env=None):
        run_dir = "-".join(map(str, [ranks, *options, *(env or {}).values()])).replace("--", "")
        self.done(ranks, *self.words(run_dir, *options), env=env)
        return self.left(run_dir)

    def assert_same_bits(self):
        expected = self.bits(1)
        for ranks, options in SETTINGS:
            with self.subTest(ranks=ranks, options=options):
                self.assertEqual(self.bits(ranks, *options), expected)
        for variant in self.kernel_variants("labels.h5"):
            with self.subTest(variant=variant):
                self.assertEqual(self.bits(2, env={"LOCKSTEP_KERNELS": variant}), expected)

    def assert_same_bits_on_two_hosts(self):
        expected = self.bits(1)
        with Hosts(2, shared=[self.dir, EXAMPLES]) as hosts:
            for slots in SLOTS:
                for options in ([], ["--sync", "allreduce"]):
                    with self.subTest(slots=slots, options=options):
                        run_dir = "-".join(map(str, ["hosts", *slots, *options])).replace("--", "")
                        result = hosts.mpirun(sum(slots), PROGRAM, *self.words(run_dir, *options), slots=slots,
                                              cwd=self.dir)
                        self.assertEqual((result.code, result.errors, result.orphans), (0, [], []), result)
                        self.assertEqual(self.left(run_dir), expected)


class Cnn(ExampleTest):
    NETWORK = "cnn"

    def test_has_the_same_bits(self):
        self.assert_same_bits()

    def test_has_the_same_bits_on_two_hosts(self):
        self.assert_same_bits_on_two_hosts()


class BnCnn(Cnn):
    NETWORK = "bn_cnn"


class ResNet(Cnn):
    NETWORK = "resnet"


class Autoencoder(Cnn):
    NETWORK = "autoencoder"


class Lstm(Cnn):
    NETWORK = "lstm"


class Transformer(Cnn):
    NETWORK = "transformer"


class Sentiment(Cnn):
    NETWORK = "sentiment"

    def rows(self, random, count):
        return random.integers(0, 56, (count, 13)).astype(np.uint8), random.integers(0, 2, count)


class Forecast(Cnn):
    NETWORK = "forecast"

    def rows(self, random, count):
        return random.normal(size=(count, 48, 1)), random.normal(size=(count, 12))


class LanguageModel(Cnn):
    NETWORK = "language_model"
    ROWS, EPOCHS = 24, 1

    def rows(self, random, count):
        x = random.integers(2, 100, (count, 129)).astype(np.uint8)
        return x[:, :-1], x[:, 1:]


if __name__ == "__main__":
    main()
