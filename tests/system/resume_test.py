"""Going on after a stop: equal to never having stopped, or refused."""
import shutil

from support import BAD_DATA, CANNOT_CREATE, MISSING, NETWORK, USAGE, SystemTest, history_without_clocks, main, \
    write_clusters


class Resume(SystemTest):
    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")

    def check_equal(self, ranks, *options, stop_after, epochs, **more):
        whole = self.train(ranks, "d.h5", *options, "--epochs", epochs, run_dir="whole", **more)
        self.train(ranks, "d.h5", *options, "--epochs", stop_after, run_dir="parts", **more)
        parts = self.train(ranks, "d.h5", *options, "--epochs", epochs, run_dir="parts", **more)
        self.assertEqual(history_without_clocks(whole), history_without_clocks(parts))
        here, there = self.inspect("whole/final.h5"), self.inspect("parts/final.h5")
        for key in ("weights_sha256", "iterations"):
            self.assertEqual(here[key], there[key])
        return whole, parts

    def test_equals_never_stopping(self):
        self.check_equal(3, "--validation-split", "0.2", "--batch-size", "7", stop_after=2, epochs=4,
                         layers="Dense(16, relu), Dropout(0.25), Dense(3, softmax)")

    def test_equals_never_stopping_with_schedule_and_short_epochs(self):
        self.check_equal(2, "--optimizer", "sgd", "--momentum", "0.9", "--learning-rate-schedule", "cosine",
                         "--learning-rate", "0.01", "--decay-steps", "20", "--steps-per-epoch", "5",
                         "--batch-size", "8", stop_after=1, epochs=4)

    def test_keeps_early_stopping_and_the_best_model(self):
        whole, parts = self.check_equal(2, "--validation-split", "0.2", "--early-stopping", "val_loss", "--patience",
                                        "2", "--restore-best-weights", "--save-best", "val_loss",
                                        "--learning-rate", "0.3", stop_after=2, epochs=40)
        self.assertLess(len(history_without_clocks(whole)), 40, "early stopping never stopped it")
        self.assertEqual(self.sha256(whole / "best.h5"), self.sha256(parts / "best.h5"))

    def test_goes_on_with_another_number_of_ranks(self):
        self.train(1, "d.h5", "--epochs", 2)
        output = self.done(3, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "3").stdout
        self.assertIn("going on after epoch 2 of 3", output)
        self.assertEqual(len(history_without_clocks(self.dir / "run")), 3)

    def test_of_a_complete_run_does_nothing(self):
        run_dir = self.train(1, "d.h5")
        before = history_without_clocks(run_dir), self.sha256("run/final.h5")
        output = self.done(2, "train", "--data", "d.h5", "--layers", NETWORK).stdout
        self.assertIn("nothing to train", output)
        self.assertEqual(before, (history_without_clocks(run_dir), self.sha256("run/final.h5")))

    def test_falls_back_to_an_older_checkpoint(self):
        whole = self.train(1, "d.h5", "--epochs", 3, run_dir="whole")
        run_dir = self.train(1, "d.h5", "--epochs", 2)
        newest = run_dir / "checkpoints" / "ckpt-4.h5"
        newest.write_bytes(newest.read_bytes()[:-100])
        result = self.run_lockstep(1, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "3")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(result.errors), 1, result)
        self.assertIn("ckpt-4.h5 cannot be used", result.errors[0])
        self.assertEqual(history_without_clocks(whole), history_without_clocks(run_dir))
        self.assertEqual(self.sha256("whole/final.h5"), self.sha256("run/final.h5"))

    def test_without_a_good_checkpoint_is_refused(self):
        run_dir = self.train(1, "d.h5")
        (run_dir / "checkpoints" / "ckpt-2.h5").write_bytes(b"")
        result = self.run_lockstep(3, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "2")
        self.assertEqual(result.code, BAD_DATA, result)
        self.assertIn("ckpt-2.h5", result.errors[-1])


class RunDirectories(SystemTest):
    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")

    def test_of_another_run_is_refused_unless_overwritten(self):
        self.train(1, "d.h5")
        before = self.sha256("run/final.h5")
        command = ["train", "--data", "d.h5", "--layers", NETWORK, "--seed", "5"]
        self.refused(CANNOT_CREATE, ["run", "seed 0 there, 5 here", "--overwrite"], *command)
        self.assertEqual(before, self.sha256("run/final.h5"))
        self.done(2, *command, "--overwrite")
        self.assertNotEqual(before, self.sha256("run/final.h5"))

    def test_of_another_network_is_refused(self):
        self.train(1, "d.h5")
        self.refused(CANNOT_CREATE, ["run", "layers", "Dense(4, relu)"], "train", "--data", "d.h5",
                     "--layers", "Dense(4, relu), Dense(3, softmax)", ranks=(1,))

    def test_of_a_longer_run_is_refused(self):
        self.train(1, "d.h5", "--epochs", 3)
        self.refused(CANNOT_CREATE, ["epochs 3 there, 2 here"], "train", "--data", "d.h5", "--layers", NETWORK,
                     "--epochs", "2", ranks=(2,))

    def test_with_foreign_files_is_refused_even_with_overwrite(self):
        (self.dir / "run").mkdir()
        (self.dir / "run" / "model.json").write_text("mine")
        self.refused(CANNOT_CREATE, ["run"], "train", "--data", "d.h5", "--layers", NETWORK, "--overwrite",
                     ranks=(1,))
        self.assertEqual((self.dir / "run" / "model.json").read_text(), "mine")

    def test_that_cannot_be_made_is_refused(self):
        (self.dir / "run").write_text("a file")
        self.refused(CANNOT_CREATE, ["run", "directory"], "train", "--data", "d.h5", "--layers", NETWORK)

    def test_never_and_required(self):
        self.train(1, "d.h5")
        command = ["train", "--data", "d.h5", "--layers", NETWORK, "--resume"]
        self.refused(CANNOT_CREATE, ["--resume never"], *command, "never", ranks=(1,))
        self.done(1, *command, "required", "--epochs", "2")
        self.refused(USAGE, ["seed"], *command, "required", "--seed", "9", ranks=(1,))
        shutil.rmtree(self.dir / "run")
        self.refused(MISSING, ["checkpoint", "--resume required"], *command, "required", ranks=(1, 3))


if __name__ == "__main__":
    main()
