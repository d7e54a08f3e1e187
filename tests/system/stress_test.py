"""Many steps of eight ranks, whatever the number of cores: they end, with the bits of one rank.

LOCKSTEP_LONG_TESTS=1: fifty times as many.
"""
import os

from support import SystemTest, history, history_without_clocks, main, write_clusters

LONG = os.environ.get("LOCKSTEP_LONG_TESTS") == "1"
STEPS = 100_000 if LONG else 2_000
# 14,000 parameters: buckets of one layer, of which several ranks own a slice, or one bucket.
LAYERS = "Dense(40, relu), Dense(120, relu), Dense(64, relu), Dropout(0.2), Dense(3, softmax)"


class ManySteps(SystemTest):
    def test_of_eight_ranks_give_the_bits_of_one(self):
        write_clusters(self.dir / "d.h5", rows=1000)
        options = ["--batch-size", "16", "--grain", "1", "--epochs", "2", "--steps-per-epoch", STEPS // 4,
                   "--check-replicas-every", "500"]
        found = {}
        for name, ranks, more in (("1", 1, ()), ("8", 8, ()), ("buckets", 8, ("--bucket-mib", "0.001"))):
            with self.subTest(name):
                self.done(ranks, "train", "--data", "d.h5", "--layers", LAYERS, "--run-dir", name, *options, *more,
                          timeout=1000 if LONG else 100)
                found[name] = self.sha256(self.dir / name / "final.h5"), str(history_without_clocks(self.dir / name))
                rates = [round(float(epoch["samples_per_second"])) for epoch in history(self.dir / name)]
                print(f"{name}: {rates} samples/s")
        self.assertEqual(len(found), 3)
        self.assertEqual(len(set(found.values())), 1, found)


if __name__ == "__main__":
    main()
