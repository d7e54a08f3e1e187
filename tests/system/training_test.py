"""What `lockstep train` computes: on any number of ranks, of any number type, again and again."""

import h5py
import numpy as np

from support import NETWORK, SystemTest, clusters, history, history_without_clocks, main, write_clusters, write_file

GLYPHS = "Rescaling(1/255), Flatten(), Dense(64, relu), Dense(32, relu), Dense(10, softmax)"


def number(run_dir, name="loss", epoch=-1):
    return float(history(run_dir)[epoch][name])


class NumbersOfRanks(SystemTest):
    def test_agree_in_loss(self):
        self.done(1, "import", "synthetic", "--rows", "5000", "--test-rows", "100", "--out", "g.h5")
        first, whole = {}, {}
        for ranks in (1, 2, 3, 4):
            run_dir = self.train(ranks, "g.h5", "--steps-per-epoch", "50", run_dir=f"s{ranks}", layers=GLYPHS)
            first[ranks] = number(run_dir)
            run_dir = self.train(ranks, "g.h5", "--validation-split", "0.2", run_dir=f"e{ranks}", layers=GLYPHS)
            whole[ranks] = number(run_dir), number(run_dir, "val_loss")
        for ranks in (2, 3, 4):
            self.assertLess(abs(first[ranks] / first[1] - 1), 1e-6, first)
            for there, here in zip(whole[ranks], whole[1]):
                self.assertLess(abs(there / here - 1), 5e-3, whole)
        self.assertLess(whole[1][0], 2.0, "it does not learn")

    def test_use_every_row_once(self):
        # Without a learning rate the mean loss of an epoch is that of all rows, each counted once.
        x, y = clusters(11)
        x = x + 10 * np.arange(11)[:, None]
        write_file(self.dir / "d.h5", x_train=x, y_train=y, x_test=x, y_test=y)
        for ranks in (1, 2, 3, 4):
            run_dir = self.train(ranks, "d.h5", "--batch-size", "3", "--optimizer", "sgd",
                                 "--learning-rate", "0", run_dir=f"r{ranks}",
                                 layers="Rescaling(1/100), Dense(3, softmax)")
            output = self.done(1, "evaluate", run_dir / "final.h5", "--data", "d.h5", "--json").stdout
            loss = float(output.split('"loss":')[1].split(",")[0])
            self.assertLess(abs(number(run_dir) / loss - 1), 1e-6)

    def test_with_fewer_rows_than_ranks_or_batch(self):
        x, y = clusters(2)
        write_file(self.dir / "d.h5", x_train=x, y_train=y)
        losses = [number(self.train(ranks, "d.h5", "--epochs", "3", run_dir=f"r{ranks}")) for ranks in (1, 4)]
        self.assertLess(abs(losses[1] / losses[0] - 1), 1e-5)


class Repetition(SystemTest):
    def test_gives_the_same_bits(self):
        write_clusters(self.dir / "d.h5")
        options = ["--epochs", "2", "--validation-split", "0.25", "--seed", "7"]
        layers = "Dense(16, relu), Dropout(0.3), Dense(3, softmax)"
        for ranks in (1, 3):
            runs = [self.train(ranks, "d.h5", *options, run_dir=f"{name}{ranks}", layers=layers) for name in "ab"]
            self.assertEqual(*(self.sha256(run_dir / "final.h5") for run_dir in runs))
            self.assertEqual(*(history_without_clocks(run_dir) for run_dir in runs))
        other = self.train(1, "d.h5", "--epochs", "2", "--validation-split", "0.25", "--seed", "8", run_dir="c",
                           layers=layers)
        self.assertNotEqual(self.sha256(other / "final.h5"), self.sha256(self.dir / "a1" / "final.h5"))

    def test_by_the_config_file_of_a_run(self):
        write_clusters(self.dir / "d.h5")
        first = self.train(2, "d.h5", "--epochs", "2", "--batch-size", "16", "--optimizer", "sgd", "--momentum",
                           "0.9", "--learning-rate", "0.005", "--validation-split", "0.2", "--seed", "3")
        self.done(2, "train", first / "config.cfg", "--run-dir", "again")
        again = self.dir / "again"
        self.assertEqual(history_without_clocks(first), history_without_clocks(again))
        self.assertEqual(self.sha256(first / "final.h5"), self.sha256(again / "final.h5"))
        self.assertEqual((first / "model.json").read_text(), (again / "model.json").read_text())

    def test_by_a_config_file_that_the_command_line_overrules(self):
        write_clusters(self.dir / "d.h5")
        (self.dir / "my.cfg").write_text(f"data = d.h5\nlayers = {NETWORK}   # small\nepochs = 5\nbatch-size = 8\n")
        self.done(1, "train", "my.cfg", "--epochs", "1")
        self.assertEqual(len(history(self.dir / "run")), 1)


class Transfer(SystemTest):
    LAYERS = "Dense(8, relu, name=base), BatchNormalization(name=norm), Dense(3, softmax, name=head)"

    def weights(self, model, layer):
        with h5py.File(model) as file:
            found = []
            file[f"model_weights/{layer}"].visititems(lambda _, item: found.append(item[()]) if
                                                      isinstance(item, h5py.Dataset) else None)
        return found

    def test_trains_the_new_head_alone_and_then_all(self):
        write_clusters(self.dir / "d.h5")
        base = self.train(1, "d.h5", "--epochs", "2", layers=self.LAYERS, run_dir="base") / "final.h5"
        hashes = set()
        for ranks in (1, 3):
            run = self.done(ranks, "train", "--data", "d.h5", "--from", base, "--freeze", "base,n?rm",
                            "--replace-head", "Dense(4, relu), Dense(3, softmax)", "--epochs", "2", "--seed", "5",
                            "--run-dir", f"head{ranks}")
            self.assertRegex(run.stdout, r"base \(Dense\) +\d+  kept, frozen")
            self.assertRegex(run.stdout, r"dense_1 \(Dense\) +15  new, trained")
            self.assertRegex(run.stdout, r"head \(Dense\) +27  left behind")
            hashes.add(self.sha256(self.dir / f"head{ranks}" / "final.h5"))
        self.assertEqual(len(hashes), 1)
        head = self.dir / "head1" / "final.h5"
        for layer in ("base", "norm"):  # moving statistics, too
            for before, after in zip(self.weights(base, layer), self.weights(head, layer)):
                np.testing.assert_array_equal(before, after)

        self.done(1, "train", "--data", "d.h5", "--from", head, "--unfreeze", "*", "--learning-rate", "0.0001",
                  "--epochs", "1", "--run-dir", "all")
        tuned = self.dir / "all" / "final.h5"
        self.assertFalse(np.array_equal(self.weights(head, "base")[0], self.weights(tuned, "base")[0]))

    def test_refuses_what_does_not_fit(self):
        write_clusters(self.dir / "d.h5")
        base = self.train(1, "d.h5", "--epochs", "1", layers=self.LAYERS, run_dir="base") / "final.h5"
        for options, words in ((("--freeze", "conv*"), ["expected the name of a layer", "base", "'conv*'"]),
                               (("--replace-head", "Dens(3)"), ["[layers] column 1", "Dens"])):
            self.refused(64, words, "train", "--data", "d.h5", "--from", base, *options, "--run-dir", "r")
        self.assertFalse((self.dir / "r").exists())


class NumberTypes(SystemTest):
    # Whole numbers below 128, which all of them hold.
    TYPES = [order + kind for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
             for order in ("<", ">")]

    def test_train_to_the_same_bits(self):
        x, y = clusters(30)
        digests = {}
        for i, x_type in enumerate(self.TYPES):
            y_type = self.TYPES[(i + 7) % len(self.TYPES)]
            write_file(self.dir / "d.h5", x_train=x.astype(x_type), y_train=y.astype(y_type))
            run_dir = self.train(1, "d.h5", "--overwrite")
            with h5py.File(run_dir / "final.h5") as file:
                kernels = []
                file["model_weights"].visititems(
                    lambda name, item: kernels.append(item[()].tobytes()) if hasattr(item, "shape") else None)
            digests[x_type, y_type] = history(run_dir)[0]["loss"], b"".join(kernels)
        self.assertEqual(len(set(digests.values())), 1, {key: loss for key, (loss, _) in digests.items()})


class ValidationAndTestSets(SystemTest):
    def test_split_is_the_last_part_of_the_rows(self):
        x, y = clusters(50)
        write_file(self.dir / "whole.h5", x_train=x, y_train=y)
        write_file(self.dir / "cut.h5", x_train=x[:40], y_train=y[:40], x_held=x[40:], y_held=y[40:])
        split = self.train(1, "whole.h5", "--epochs", "2", "--validation-split", "0.2", run_dir="split")
        named = self.train(1, "cut.h5", "--epochs", "2", "--x-val", "x_held", "--y-val", "y_held", run_dir="named")
        self.assertEqual(history_without_clocks(split), history_without_clocks(named))
        self.assertEqual(self.sha256(split / "final.h5"), self.sha256(named / "final.h5"))
        self.assertIn("val_accuracy", history(split)[0])

    def test_set_of_the_file_is_evaluated_at_the_end(self):
        write_clusters(self.dir / "d.h5")
        command = ["train", "--data", "d.h5", "--layers", NETWORK]
        self.assertIn("test loss ", self.done(3, *command, "--run-dir", "a").stdout)
        self.assertNotIn("test loss ", self.done(1, *command, "--run-dir", "b", "--x-test", "").stdout)

    def test_rows_of_another_file(self):
        x, y = clusters(30)
        write_file(self.dir / "x.h5", x_train=x)
        write_file(self.dir / "y.h5", labels=y)
        self.train(2, "x.h5", "--y", f"{self.dir}/y.h5:/labels")


class TrainingOn(SystemTest):
    def test_from_a_saved_network(self):
        write_clusters(self.dir / "d.h5")
        first = self.train(1, "d.h5", "--epochs", "20", "--learning-rate", "0.01")
        second = self.train(1, "d.h5", "--from", "run/final.h5", run_dir="second", layers=None)
        self.assertLess(number(second), number(first, epoch=0))
        self.assertEqual(self.inspect("second/final.h5")["learning_rate"], 0.01)

    def test_from_something_else(self):
        write_clusters(self.dir / "d.h5")
        self.refused(65, ["d.h5"], "train", "--data", "d.h5", "--from", "d.h5", ranks=(1, 3))
        self.refused(66, ["none.h5"], "train", "--data", "d.h5", "--from", "none.h5", ranks=(1,))

    def test_diverged(self):
        write_clusters(self.dir / "d.h5")
        result = self.run_lockstep(2, "train", "--data", "d.h5", "--layers", NETWORK, "--optimizer", "sgd",
                                   "--learning-rate", "1e38", "--batch-size", "4")
        self.assertEqual(result.code, 70, result)
        self.assertEqual(len(result.errors), 1, result)
        self.assertRegex((self.dir / "run" / "run.status").read_text(), "^FAILED 70 .+\n$")


class WhatARunLeaves(SystemTest):
    def test_files_and_status(self):
        write_clusters(self.dir / "d.h5")
        run_dir = self.train(2, "d.h5", "--epochs", "5", "--keep", "2", "--save-best", "loss")
        self.assertEqual((run_dir / "run.status").read_text(), "DONE\n")
        names = {path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*") if path.is_file()}
        expected = {"config.cfg", "model.json", "history.csv", "run.status", "final.h5", "best.h5",
                    "checkpoints/ckpt-8.h5", "checkpoints/ckpt-10.h5"}
        self.assertLessEqual(expected, names)
        self.assertEqual({name for name in names if "ckpt" in name}, {name for name in expected if "ckpt" in name})
        self.assertFalse([name for name in names if "tmp" in name], names)
        self.assertEqual([epoch["epoch"] for epoch in history(run_dir)], list("12345"))

    def test_log_has_one_line_an_epoch(self):
        write_clusters(self.dir / "d.h5")
        output = self.done(3, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "4").stdout
        self.assertEqual([line.split(" - ")[0] for line in output.splitlines() if line.startswith("Epoch")],
                         [f"Epoch {i}/4" for i in range(1, 5)])

    def test_silence_on_request(self):
        write_clusters(self.dir / "d.h5")
        self.assertEqual(self.done(2, "train", "--data", "d.h5", "--layers", NETWORK, "--verbose", "0").stdout, "")

    def test_profile_on_request(self):
        write_clusters(self.dir / "d.h5")
        for ranks in (1, 3):
            output = self.done(ranks, "train", "--data", "d.h5", "--layers", NETWORK, "--overwrite", "--profile").stdout
            self.assertEqual(output.count("where a step's time went, mean of 2 steps"), 1, output)
            self.assertRegex(output, r"exposed communication +[0-9.]+ us")
        self.assertNotIn("profile", (self.dir / "run" / "config.cfg").read_text())

    def test_nothing_of_a_dry_run(self):
        write_clusters(self.dir / "d.h5")
        output = self.done(2, "train", "--data", "d.h5", "--layers", NETWORK, "--dry-run").stdout
        self.assertIn("60 rows train", output)
        self.assertFalse((self.dir / "run").exists())


if __name__ == "__main__":
    main()
