"""A run goes on only over what it was: options, data, the file it set out from, and checkpoints that are sound."""
import shutil

import h5py
import numpy as np
from support import BAD_DATA, CANNOT_CREATE, NETWORK, NUMERICAL, USAGE, SystemTest, clusters, history_without_clocks, \
    main, rewrite_checkpoint, rewrite_state, write_clusters, write_file


def weights_of(path):
    """Their bytes, without a start of the program."""
    found = []
    with h5py.File(path) as file:
        file["model_weights"].visititems(
            lambda name, item: found.append(item[()].tobytes()) if isinstance(item, h5py.Dataset) else None)
    return found


class RefusalTest(SystemTest):
    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")
        self.command = ["train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "3"]

    def checkpoint(self, step, run_dir="run"):
        return self.dir / run_dir / "checkpoints" / f"ckpt-{step}.h5"

    def refuses(self, code, *words, ranks=(1,), command=None):
        """And leaves the run as it was."""
        files = {path: path.read_bytes() for path in (self.dir / "run").rglob("*") if path.is_file()}
        self.refused(code, words, *(command or self.command), ranks=ranks)
        for path, content in files.items():
            if path.name != "run.lock":
                self.assertEqual(path.read_bytes(), content, path)


class OtherRuns(RefusalTest):
    def test_checkpoint_of_another_seed(self):
        self.train(1, "d.h5", "--epochs", 2)
        self.train(1, "d.h5", "--epochs", 2, "--seed", 5, run_dir="other")
        shutil.copy(self.checkpoint(4, "other"), self.checkpoint(4))
        self.refuses(CANNOT_CREATE, "ckpt-4.h5", "seed 5 there, 0 here", "--run-dir", "--overwrite", ranks=(1, 3))
        self.refuses(USAGE, "seed 5 there, 0 here", command=[*self.command, "--resume", "required"])

    def test_checkpoint_of_other_options(self):
        self.train(1, "d.h5", "--epochs", 2)
        before = self.checkpoint(4).read_bytes()
        for options, layers, word in [
                (["--learning-rate", "0.5"], NETWORK, "learning-rate 0.5 there, 0.001 here"),
                (["--grain", "4"], NETWORK, "grain 4 there, not set here"),
                (["--no-shuffle"], NETWORK, "shuffle false there, true here"),
                ([], "Dense(8, tanh), Dense(3, softmax)", "Dense(8, tanh)")]:
            with self.subTest(word):
                other = self.train(1, "d.h5", "--epochs", 2, *options, run_dir="other", layers=layers)
                shutil.copy(self.checkpoint(4, "other"), self.checkpoint(4))
                self.refuses(CANNOT_CREATE, word)
                shutil.rmtree(other)
        self.checkpoint(4).write_bytes(before)
        self.done(2, *self.command)

    def test_edited_config_given_to_train(self):
        run = self.train(1, "d.h5", "--epochs", 2)
        config = (run / "config.cfg").read_text()
        for line, edited, words in [("seed = 0", "seed = 9", "seed 0 there, 9 here"),
                                    ("batch-size = 32", "batch-size = 20", "batch-size 32 there, 20 here"),
                                    ("shuffle = true", "shuffle = false", "shuffle true there, false here")]:
            with self.subTest(edited):
                self.assertIn(line, config)
                (run / "config.cfg").write_text(config.replace(line, edited))
                self.refuses(CANNOT_CREATE, words, command=["train", "run/config.cfg", "--epochs", "3"])
        (run / "config.cfg").write_text(config)
        self.done(1, "train", "run/config.cfg", "--epochs", "3")

    def test_what_does_not_decide_the_result_does_not_hinder(self):
        whole = self.train(1, "d.h5", "--epochs", 4, run_dir="whole")
        run = self.train(1, "d.h5", "--epochs", 1)
        self.done(3, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "2", "--threads", "2", "--sync",
                  "allreduce", "--bucket-mib", "0.01", "--verbose", "2", "--checkpoint-every", "2", "--keep", "1",
                  "--check-replicas-every", "1", "--validate-on", "root")
        self.done(2, "train", "--data", "d.h5", "--layers", NETWORK, "--epochs", "4")
        self.assertEqual(history_without_clocks(whole), history_without_clocks(run))
        self.assertEqual(self.sha256("whole/final.h5"), self.sha256("run/final.h5"))


class OtherInputs(RefusalTest):
    def test_rows_of_other_values(self):
        self.train(1, "d.h5", "--epochs", 2)
        with h5py.File(self.dir / "d.h5", "r+") as file:
            file["x_train"][59, 7] += 1
        self.refuses(BAD_DATA, "ckpt-4.h5", "x (d.h5:x_train) 60 rows of uint8 (8), hash", "--run-dir", "--overwrite", ranks=(1, 3))

    def test_other_targets(self):
        self.train(1, "d.h5", "--epochs", 2)
        with h5py.File(self.dir / "d.h5", "r+") as file:
            file["y_train"][0] = (file["y_train"][0] + 1) % 3
        self.refuses(BAD_DATA, "y (d.h5:y_train) 60 rows of uint8 (), hash")

    def test_fewer_rows(self):
        self.train(1, "d.h5", "--epochs", 2)
        write_clusters(self.dir / "d.h5", rows=50)
        self.refuses(BAD_DATA, "x (d.h5:x_train) 60 rows", "there, 50 rows")

    def test_another_type_and_other_columns(self):
        self.train(1, "d.h5", "--epochs", 2)
        x, y = clusters(60)
        write_file(self.dir / "d.h5", x_train=x.astype(np.float32), y_train=y.astype(np.uint8))
        self.refuses(BAD_DATA, "of uint8 (8)", "of float32 (8)")
        write_clusters(self.dir / "d.h5", features=9)
        self.refuses(BAD_DATA, "expected rows of shape (8)", "got (9)")

    def test_other_validation_rows(self):
        x, y = clusters(80)
        write_file(self.dir / "d.h5", x_train=x[:60], y_train=y[:60], x_v=x[60:], y_v=y[60:])
        self.command += ["--x-val", "x_v", "--y-val", "y_v"]
        self.train(1, "d.h5", "--epochs", 2, "--x-val", "x_v", "--y-val", "y_v")
        with h5py.File(self.dir / "d.h5", "r+") as file:
            file["x_v"][3, 3] += 1
        self.refuses(BAD_DATA, "x-val (d.h5:x_v) 20 rows")

    def test_other_test_rows_are_fine(self):
        self.train(1, "d.h5", "--epochs", 2)
        with h5py.File(self.dir / "d.h5", "r+") as file:
            file["x_test"][0, 0] += 1
        self.done(2, *self.command)

    def test_another_file_to_start_from(self):
        for seed in (1, 2):
            self.train(1, "d.h5", "--seed", seed, run_dir=f"seed{seed}")
        self.train(1, "d.h5", "--seed", 1, run_dir="wide", layers="Dense(9, relu), Dense(3, softmax)")
        shutil.copy(self.dir / "seed1/final.h5", self.dir / "start.h5")
        self.train(1, "d.h5", "--from", "start.h5", "--epochs", 2, layers=None)
        self.command = ["train", "--data", "d.h5", "--from", "start.h5", "--epochs", "3"]
        shutil.copy(self.dir / "seed2/final.h5", self.dir / "start.h5")
        self.refuses(BAD_DATA, "from (start.h5) weights of SHA-256 " + self.sha256("seed1/final.h5"),
                     self.sha256("seed2/final.h5"), "--run-dir", ranks=(1, 3))
        shutil.copy(self.dir / "wide/final.h5", self.dir / "start.h5")
        self.refuses(BAD_DATA, "start.h5", "'\"units\": 8,' there, '\"units\": 9,' here")

        # The same weights with another optimizer state; and the same again.
        shutil.copy(self.dir / "seed1/final.h5", self.dir / "start.h5")
        name = "optimizer_weights/Adam/dense/kernel/m:0"
        rewrite_checkpoint(self.dir / "start.h5", lambda file: file[name].__setitem__((0, 0), 0.5))
        self.refuses(BAD_DATA, "optimizer of step 2, hash")
        shutil.copy(self.dir / "seed1/checkpoints/ckpt-2.h5", self.dir / "start.h5")
        self.done(2, *self.command)

    def test_another_model_file(self):
        run = self.train(1, "d.h5", run_dir="first")
        model = (run / "model.json").read_text()
        (self.dir / "m.json").write_text(model)
        self.train(1, "d.h5", "--model", "m.json", "--epochs", 2, layers=None)
        self.command = ["train", "--data", "d.h5", "--model", "m.json", "--epochs", "3"]
        (self.dir / "m.json").write_text(model.replace('"relu"', '"tanh"'))
        self.refuses(BAD_DATA, "m.json", "relu", "tanh")
        (self.dir / "m.json").write_text(model.replace("\n", "\n "))
        self.done(1, *self.command)


class Forged(RefusalTest):
    """Files that are whole, but not what a training writes."""

    def passes_over(self, step, *words, ranks=1):
        """The newest checkpoint is passed over with a word, and the run ends as if it had never been there."""
        result = self.run_lockstep(ranks, *self.command)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(result.errors), 1, result)
        for word in (f"ckpt-{step}.h5 cannot be used", *words):
            self.assertIn(word, result.errors[0])
        self.assertEqual(weights_of(self.dir / "whole/final.h5"), weights_of(self.dir / "run/final.h5"))

    def forges(self, cases, rewrite=rewrite_state):
        self.train(1, "d.h5", "--epochs", 3, run_dir="whole")
        self.train(1, "d.h5", "--epochs", 2, run_dir="good")
        for change, *words in cases:
            with self.subTest(words):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                shutil.copytree(self.dir / "good", self.dir / "run")
                rewrite(self.checkpoint(4), change)
                self.passes_over(4, *words)

    def test_numbers_that_cannot_be(self):
        def setter(**values):
            return lambda state: state.update(values)
        self.forges([(setter(epoch=-3), "epochs done, got -3"),
                     (setter(epoch=10 ** 18), "epochs done, got 1000000000000000000"),
                     (setter(epoch=1), "history of at most 1 epochs, got 2"),
                     (setter(epoch=7), "expected step 14 after 7 epochs of 2 steps, got step 4"),
                     (setter(epoch="2"), "expected an integer for epoch"),
                     (setter(epoch=2.5), "expected an integer for epoch, got 2.5")])

    def test_positions_amid_an_epoch(self):
        def amid(**changed):
            position = {"steps": 1, "cut_short": False, "sums": ["0x1p+0", "0x1p+0"], "rows": 8, "penalty": "0x0p+0",
                        "seconds": "0x0p+0", **changed}
            return lambda state: state.update(format=3, amid_epoch=position)
        self.forges([(amid(), "and 1 more, got step 4"), (amid(sums=[]), "expected 2 sums of loss and metrics, got 0"),
                     (amid(steps=0), "expected steps amid epoch"), (amid(cut_short=True), "cut short"),
                     (amid(next_learning_rate="inf"), "learning rate")])

    def test_other_structures(self):
        self.forges([(lambda state: state.update(format=4), "expected a format up to 3, got 4", "newer version"),
                     (lambda state: '{"format": 2, "epoch": 2', "training state"),
                     (lambda state: '{"format": ' + "[" * 30000 + "]" * 30000 + "}", "levels of nesting"),
                     (lambda state: state.update(history=state["history"][::-1]), "in order"),
                     (lambda state: state.update(history=[]), "expected a history of the epochs 1 to 2, got 0"),
                     (lambda state: state.pop("identity") and None, "identity")])

    def test_inspect_shows_them_all_the_same(self):
        self.train(1, "d.h5")
        rewrite_state(self.checkpoint(2), lambda state: '{"format": ' + "[" * 200000 + "]" * 200000 + ', "epoch": -3}')
        for more in ([], ["--json"]):
            result = self.run_lockstep(1, "inspect", self.checkpoint(2), *more)
            self.assertEqual(result.code, BAD_DATA, result)
            self.assertIn("levels of nesting", result.stdout + result.stderr)
            self.assertIn("dense/kernel", result.stdout)

    def test_steps_and_slots(self):
        name = "optimizer_weights/Adam/dense/kernel/v:0"

        def shrink(file):
            values = file[name][:4]
            del file[name]
            file[name] = values

        def set_step(step):
            return lambda file: file["optimizer_weights/Adam/iter:0"].write_direct(np.array(step, dtype=np.int64))
        self.forges([(shrink, "expected the state of optimizer Adam (2 slots), got 0"),
                     (set_step(-4), "expected the state of optimizer Adam"),
                     (set_step(10 ** 17), "step 100000000000000000 inside")], rewrite_checkpoint)

    def test_renamed(self):
        self.train(1, "d.h5", "--epochs", 3, run_dir="whole")
        run = self.train(1, "d.h5", "--epochs", 2)
        self.checkpoint(2).rename(self.checkpoint(400))
        self.passes_over(400, "expected step 400 as the file's name says, got step 2 inside", ranks=3)
        shutil.rmtree(run)
        self.train(1, "d.h5", "--epochs", 1)
        self.checkpoint(2).rename(self.checkpoint(9))
        result = self.run_lockstep(3, *self.command)
        self.assertEqual(result.code, BAD_DATA, result)
        self.assertIn("renamed", result.errors[-1])

    def test_state_of_a_callback(self):
        self.command += ["--early-stopping", "loss", "--restore-best-weights", "--patience", "5"]
        for text in ("{", "{}", '{"wait": 0, "stopped_epoch": 0, "best_epoch": 0, "best": "0x1p+0", '
                                '"best_weights": "' + "00000000" * 5000 + '"}'):
            with self.subTest(text[:10]):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                self.train(1, "d.h5", "--epochs", 2, *self.command[-5:])
                rewrite_state(self.checkpoint(4), lambda state: state.update(callbacks=[["early_stopping", text]]))
                self.refused(BAD_DATA, ["early"], *self.command, ranks=(1, 2))


class OlderFormat(RefusalTest):
    def make_old(self, path):
        def change(state):
            state["format"] = 1
            del state["identity"]
        rewrite_state(path, change)

    def test_goes_on_with_a_warning(self):
        whole = self.train(1, "d.h5", "--epochs", 3, run_dir="whole")
        run = self.train(1, "d.h5", "--epochs", 2)
        self.make_old(self.checkpoint(4))
        result = self.done(2, *self.command)
        self.assertEqual(result.stderr.count("older version"), 1, result)
        self.assertEqual(history_without_clocks(whole), history_without_clocks(run))
        self.assertEqual(self.sha256("whole/final.h5"), self.sha256("run/final.h5"))

    def test_refuses_what_can_be_seen_to_differ(self):
        self.train(1, "d.h5", "--epochs", 2)
        for options, layers, word in [(["--seed", "5"], NETWORK, "seed 5 there, 0 here"),
                                      (["--learning-rate", "0.5"], NETWORK, "optimizer"),
                                      ([], "Dense(8, tanh), Dense(3, softmax)", "tanh")]:
            other = self.train(1, "d.h5", "--epochs", 2, *options, run_dir="other", layers=layers)
            shutil.copy(self.checkpoint(4, "other"), self.checkpoint(4))
            self.make_old(self.checkpoint(4))
            self.refuses(CANNOT_CREATE, "another run", word)
            shutil.rmtree(other)


class NotFinite(RefusalTest):
    # The rate of the fourth step explodes: its loss, taken before the update, is finite still.
    EXPLODES = ["--optimizer", "sgd", "--learning-rate-schedule", "piecewise", "--boundaries", "2", "--values",
                "0.001,1e38"]

    def explode(self, ranks, *options):
        """A run whose third epoch ends with weights that are not finite."""
        command = ["train", "--data", "d.h5", "--layers", NETWORK, "--batch-size", "60", *self.EXPLODES, *options]
        self.done(ranks, *command, "--epochs", "3")
        return [*command, "--epochs", "5"]

    def test_network_is_never_saved(self):
        for options in (["--keep", "1"], ["--keep", "1", "--sync", "allreduce"], ["--save-best", "accuracy"]):
            with self.subTest(options):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                command = self.explode(2, *options)
                before = self.sha256(self.checkpoint(3))
                best = (self.dir / "run/best.h5").read_bytes() if "--save-best" in options else None
                self.refused(NUMERICAL, ["finite"], *command, ranks=(2,))
                self.assertEqual(sorted(path.name for path in (self.dir / "run/checkpoints").iterdir())[-1],
                                 "ckpt-3.h5")
                self.assertEqual(self.sha256(self.checkpoint(3)), before)
                self.assertTrue((self.dir / "run/run.status").read_text().startswith("FAILED 70"))
                if best:
                    self.assertTrue(np.isfinite(h5py.File(self.dir / "run/best.h5")[
                        "model_weights/dense/dense/kernel:0"][()]).all())

    def test_checkpoints_are_passed_over(self):
        self.train(1, "d.h5", "--epochs", 3, run_dir="whole")
        places = {"weights": "model_weights/dense/dense/kernel:0",
                  "optimizer state": "optimizer_weights/Adam/dense/kernel/v:0"}
        for word, name in places.items():
            for value in (np.nan, np.inf):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                self.train(1, "d.h5", "--epochs", 2)
                rewrite_checkpoint(self.checkpoint(4), lambda file: file[name].__setitem__((0, 0), value))
                result = self.run_lockstep(1, *self.command)
                self.assertEqual(result.code, 0, result)
                self.assertEqual(len(result.errors), 1, result)
                self.assertIn(word, result.errors[0])
                self.assertEqual(weights_of(self.dir / "whole/final.h5"), weights_of(self.dir / "run/final.h5"))

    def test_without_a_finite_checkpoint(self):
        self.train(1, "d.h5", "--epochs", 2)
        for step in (2, 4):
            rewrite_checkpoint(self.checkpoint(step), lambda file:
                               file["model_weights/dense/dense/bias:0"].__setitem__(0, np.nan))
        result = self.run_lockstep(3, *self.command)
        self.assertEqual(result.code, BAD_DATA, result)
        self.assertIn("--overwrite", result.errors[-1])
        self.assertTrue(self.checkpoint(4).exists())


if __name__ == "__main__":
    main()
