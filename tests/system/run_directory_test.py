"""What happens to a run directory while a job works in it, and what disks and permissions do to its files."""
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

from support import CANNOT_CREATE, INPUT_OUTPUT, MPIEXEC, FLAGS, NETWORK, PERMISSION, PROGRAM, SystemTest, \
    main, write_clusters

EPOCHS = 30  # each takes much longer than its save


class RunDirectoryTest(SystemTest):
    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5")
        self.run_dir = self.dir / "run"

    def command(self, *options, ranks=1, run_dir="run", steps=1000):
        launcher = [MPIEXEC, "-n", str(ranks), *FLAGS] if ranks > 1 else []
        return [*launcher, PROGRAM, "train", "--data", "d.h5", "--layers", NETWORK, "--run-dir", run_dir,
                "--steps-per-epoch", str(steps), *options]

    def holder(self):
        """The process that has locked the run directory."""
        return int((self.run_dir / "run.lock").read_text().split("process ")[1].split(",")[0])

    def stop_rank_zero(self):
        """Not in the middle of a save."""
        holder = self.holder()
        while True:
            os.kill(holder, signal.SIGSTOP)
            while pathlib.Path(f"/proc/{holder}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                time.sleep(0.001)
            if not list(self.run_dir.rglob("*.tmp")):
                return holder
            os.kill(holder, signal.SIGCONT)
            time.sleep(0.01)

    def change_while_it_runs(self, change, *options, ranks=1, **process_options):
        """Starts a job, stops all of its ranks after some epochs, lets `change` work on the run directory, and
        lets the job go on to its end. Returns exit code and error lines."""
        command = self.command("--epochs", str(EPOCHS), "--verbose", "2", *options, ranks=ranks)
        process = subprocess.Popen(command, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, start_new_session=True, **process_options)
        with process.stdout, process.stderr:
            try:
                for line in process.stdout:
                    if b"Epoch 3/" in line:
                        break
                holder = self.stop_rank_zero()  # which writes; the others wait for it
                change()
                os.kill(holder, signal.SIGCONT)
                process.stdout.read()
                errors = process.stderr.read().decode().splitlines()  # few lines: no pipe fills
                return process.wait(60), [line for line in errors if line.startswith("lockstep:")]
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def ordinary_user(home):
    """Options of subprocess: root may do everything, so the program runs as nobody."""
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    return {**user, "env": {**os.environ, "HOME": str(home), "TMPDIR": str(home)}}


def files_in(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


class WhileAJobRuns(RunDirectoryTest):
    def test_moved_away_and_another_job_in_its_place(self):
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                moved, others = self.dir / f"moved{ranks}", {}

                def change():
                    self.run_dir.rename(moved)
                    subprocess.run(self.command("--seed", "9", "--epochs", "8"), cwd=self.dir, check=True,
                                   stdout=subprocess.DEVNULL)
                    others.update(files_in(self.run_dir))
                code, errors = self.change_while_it_runs(change, ranks=ranks)
                self.assertEqual(code, CANNOT_CREATE, errors)
                self.assertEqual(files_in(self.run_dir), others)
                self.assertEqual(len([line for line in errors if "moved away" in line]), 1, errors)
                self.assertEqual((moved / "run.status").read_text()[:9], "FAILED 73")
                self.done(1, *self.command("--epochs", EPOCHS, run_dir=f"whole{ranks}")[1:])
                self.assertEqual(self.sha256(moved / "final.h5"), self.sha256(f"whole{ranks}/final.h5"))
                shutil.rmtree(self.run_dir)

    def test_removed_and_made_again(self):
        def change():
            shutil.rmtree(self.run_dir)
            self.run_dir.mkdir()
        code, errors = self.change_while_it_runs(change)
        self.assertEqual(code, CANNOT_CREATE, errors)
        self.assertEqual(files_in(self.run_dir), {})
        self.assertEqual(len([line for line in errors if "has been removed" in line]), 1, errors)

    def test_replaced_by_a_link(self):
        other = self.dir / "other"

        def change():
            other.mkdir()
            (other / "checkpoints").mkdir()
            self.run_dir.rename(self.dir / "moved")
            self.run_dir.symlink_to(other)
        code, errors = self.change_while_it_runs(change)
        self.assertEqual(code, CANNOT_CREATE, errors)
        self.assertEqual(files_in(other), {})

    def test_checkpoints_replaced_by_a_link(self):
        other = self.dir / "other"

        def change():
            other.mkdir()
            (self.run_dir / "checkpoints").rename(self.dir / "moved")
            (self.run_dir / "checkpoints").symlink_to(other)
        code, errors = self.change_while_it_runs(change)
        self.assertEqual(code, CANNOT_CREATE, errors)
        self.assertEqual(files_in(other), {})
        self.assertIn("symbolic link", errors[0])

    def test_lock_of_somebody_else(self):
        before = {}

        def change():
            (self.run_dir / "run.lock").unlink()
            (self.run_dir / "run.lock").write_text("host other, process 1")
            before.update(files_in(self.run_dir))
        code, errors = self.change_while_it_runs(change, "--save-best", "loss")
        self.assertEqual(code, CANNOT_CREATE, errors)
        self.assertEqual(files_in(self.run_dir), before)
        self.assertEqual(len([line for line in errors if "another job" in line]), 1, errors)

    def test_made_read_only(self):
        self.dir.chmod(0o777)

        def change():
            self.run_dir.chmod(0o555)
            (self.run_dir / "checkpoints").chmod(0o555)
            before.update(files_in(self.run_dir))
        before = {}
        code, errors = self.change_while_it_runs(change, **ordinary_user(self.dir))
        self.assertEqual(code, CANNOT_CREATE, errors)
        self.assertIn("Permission denied; training goes on", errors[0])
        self.assertEqual(files_in(self.run_dir), before)

    def test_moved_back_in_time_is_no_error(self):
        def change():
            self.run_dir.rename(self.dir / "moved")
            (self.dir / "moved").rename(self.run_dir)
        code, errors = self.change_while_it_runs(change)
        self.assertEqual((code, errors), (0, []))


class Inputs(RunDirectoryTest):
    def test_in_the_run_directory_are_not_overwritten(self):
        self.train(1, "d.h5", "--epochs", 2)
        best = self.run_dir / "best.h5"
        shutil.copy(self.dir / "d.h5", best)
        (self.dir / "link.h5").symlink_to("run/final.h5")
        before = files_in(self.run_dir)
        network = ["--layers", NETWORK]
        for inputs in [["--data", "d.h5", "--from", "run/final.h5"],
                       ["--data", "d.h5", "--from", "link.h5"],
                       ["--data", "d.h5", "--from", "run/checkpoints/../checkpoints/ckpt-4.h5"],
                       ["--data", "d.h5", "--model", str(self.run_dir / "model.json")],
                       ["--data", "run/best.h5", *network],
                       ["--data", "d.h5", *network, "--x-val", "run/best.h5:/x_test", "--y-val", "run/best.h5:/y_test"]]:
            for more in (["--overwrite"], [], ["--dry-run", "--overwrite"]):
                self.refused(CANNOT_CREATE, ["would write or remove", "--run-dir"], "train", *inputs, *more,
                             ranks=(1,))
                self.assertEqual(files_in(self.run_dir), before)
        self.done(2, "train", "--data", "d.h5", "--from", "run/final.h5", "--run-dir", "next")


class Temporaries(RunDirectoryTest):
    def test_of_killed_saves_are_removed_and_no_others(self):
        self.train(1, "d.h5", "--epochs", 1)
        checkpoints = self.run_dir / "checkpoints"
        ours = [checkpoints / ".ckpt-2.h5.4711-0.tmp", self.run_dir / ".final.h5.12-3.tmp",
                self.run_dir / ".history.csv.1-0.tmp", self.run_dir / ".best.h5.99999-999.tmp"]
        theirs = [checkpoints / ".notes.4711-0.tmp", checkpoints / "ckpt-2.h5.tmp", self.run_dir / ".final.h5.tmp",
                  self.run_dir / ".final.h5.x-1.tmp", self.run_dir / ".mine.h5.12-3.tmp", self.run_dir / "a.tmp"]
        for path in ours + theirs:
            path.write_text("left over")
        self.train(2, "d.h5", "--epochs", 2)
        self.assertEqual([path for path in ours if path.exists()], [])
        self.assertEqual([path for path in theirs if not path.exists()], [])


class FullDisks(RunDirectoryTest):
    """A limit on the size of files stands for a full disk; the signal that comes with it would kill."""

    def test_that_fills_while_a_job_runs(self):
        def change():
            resource.prlimit(self.holder(), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for options in ([], ["--save-best", "accuracy"], ["--checkpoint-every", "1000"]):
            with self.subTest(options):
                shutil.rmtree(self.run_dir, ignore_errors=True)
                code, errors = self.change_while_it_runs(change, *options)
                self.assertEqual(code, INPUT_OUTPUT, errors)
                self.assertEqual(len([line for line in errors if "training goes on" in line]), 1, errors)
                self.assertIn("File too large; training goes on", errors[0])
                self.assertIn("final.h5] could not be written", errors[-1])
                self.assertEqual(list(self.run_dir.rglob("*.tmp")), [])
                self.assertEqual((self.run_dir / "run.status").read_text(), "RUNNING\n")
                # Where there is room again, the same command makes it good.
                self.done(1, *self.command("--epochs", str(EPOCHS), *options)[1:])
                self.assertEqual(len((self.run_dir / "history.csv").read_text().splitlines()), EPOCHS + 1)

    def test_that_has_room_for_small_files_only(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 ** 24, 2 ** 24))  # MPI's own files need some
        command = self.command("--epochs", "2", steps=1)
        command[command.index("--layers") + 1] = "Dense(1400, relu), Dense(1400, relu), Dense(3, softmax)"
        process = subprocess.run(command, cwd=self.dir, preexec_fn=limit, capture_output=True, text=True)
        self.assertEqual(process.returncode, INPUT_OUTPUT, process)
        self.assertIn("ckpt-1.h5] cannot write: File too large", process.stderr)
        self.assertIn("final.h5] could not be written either", process.stderr)
        self.assertTrue((self.run_dir / "run.status").read_text().startswith("FAILED 74"))
        self.assertEqual(len((self.run_dir / "history.csv").read_text().splitlines()), 3)


class Permissions(RunDirectoryTest):
    def test_directories_without_permission(self):
        self.dir.chmod(0o777)
        (self.dir / "d.h5").chmod(0o644)
        closed = self.dir / "closed"
        closed.mkdir()
        (closed / "run").mkdir()
        for mode in (0o000, 0o444, 0o555):
            for run_dir in ("closed", "closed/run", "closed/run/deeper", "closed/new"):
                with self.subTest(mode=oct(mode), run_dir=run_dir):
                    (closed / "run").chmod(0o555)
                    closed.chmod(mode)
                    result = subprocess.run(self.command(run_dir=run_dir), cwd=self.dir, capture_output=True,
                                            text=True, **ordinary_user(self.dir))
                    closed.chmod(0o755)
                    errors = [line for line in result.stderr.splitlines() if line.startswith("lockstep:")]
                    self.assertIn(result.returncode, (PERMISSION, CANNOT_CREATE), errors)
                    self.assertEqual(len(errors), 1, errors)
                    self.assertIn("closed", errors[0])
                    self.assertIn("ermission", errors[0])

    def test_an_old_checkpoint_that_cannot_be_removed_is_no_failure(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make files of two users")
        self.dir.chmod(0o777)
        (self.dir / "d.h5").chmod(0o644)
        self.done(1, *self.command("--epochs", "1", steps=2)[1:])
        for path in (self.run_dir, *self.run_dir.iterdir()):
            if path.name != "checkpoints":
                os.chown(path, 65534, 65534)
        (self.run_dir / "checkpoints").chmod(0o1777)  # sticky: others' files stay
        command = self.command("--epochs", "3", "--keep", "1", steps=2)
        result = subprocess.run(command, cwd=self.dir, capture_output=True, text=True, **ordinary_user(self.dir))
        self.assertEqual(result.returncode, 0, result)
        warnings = [line for line in result.stderr.splitlines() if "an old checkpoint stays" in line]
        self.assertEqual(len(warnings), 1, result)
        self.assertIn("ckpt-2.h5", warnings[0])
        self.assertEqual(len((self.run_dir / "history.csv").read_text().splitlines()), 4)
        self.assertEqual((self.run_dir / "run.status").read_text(), "DONE\n")


if __name__ == "__main__":
    main()
