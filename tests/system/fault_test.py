"""One rank dies, throws or leaves in the middle of a job (faults 41 to 44).

The program must be built with LOCKSTEP_FAULTS: LOCKSTEP_FAULT=point:rank:step:action makes one rank fail.
"""
import shutil
import unittest

from support import FAULTS, FLAVOUR, NETWORK, SystemTest, main, run, write_clusters

RANKS = 3
LAST = RANKS - 1
# Where a rank fails: the step that it has reached there. `save` comes after the epoch of 8 steps.
STEPS = {"init": 0, "read": 0, "compute": 2, "allreduce": 2, "save": 8, "finalize": 0}
POINTS = ["read", "compute", "allreduce", "save"]


@unittest.skipUnless(FAULTS, "built without LOCKSTEP_FAULTS")
class FaultTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What starting a job costs on this machine, busy as it may be.
        cls.start_up = run(RANKS, "--version").seconds

    def setUp(self):
        super().setUp()
        write_clusters(self.dir / "d.h5", rows=64, test_rows=0)

    def train_with(self, fault, *options):
        return run(RANKS, "train", "--data", "d.h5", "--layers", NETWORK, "--batch-size", "8", *options,
                   cwd=self.dir, env={"LOCKSTEP_FAULT": fault}, timeout=20 + self.start_up)

    def run_with(self, point, rank, action):
        """In a new run directory."""
        shutil.rmtree(self.dir / "run", ignore_errors=True)
        return self.train_with(f"{point}:{rank}:{STEPS[point]}:{action}")

    def check_end(self, result, where):
        """The job has ended with an error, in time and whole."""
        text = f"{where}: {result}"
        self.assertIsNotNone(result.code, f"it hangs: {text}")
        self.assertNotEqual(result.code, 0, text)
        self.assertEqual(result.orphans, [], text)
        self.assertLess(result.seconds, 10 + self.start_up, text)
        self.assertFalse((self.dir / "run" / "final.h5").exists(), text)

    def dies(self, action, code, cases):
        for point, rank in cases:
            result = self.run_with(point, rank, action)
            self.check_end(result, f"rank {rank}, {point}")
            if FLAVOUR == "openmpi":
                self.assertEqual(result.code, code, result)


class Signals(FaultTest):
    def test_kill_of_the_first_rank(self):
        self.dies("kill", 137, [(point, 0) for point in POINTS])

    def test_kill_of_the_last_rank(self):
        self.dies("kill", 137, [(point, LAST) for point in POINTS])

    def test_segmentation_fault(self):
        self.dies("segv", 139, [("compute", 0), ("save", LAST)])

    def test_bus_error(self):
        self.dies("bus", 135, [("read", LAST), ("allreduce", 0)])

    def test_abort(self):
        self.dies("abort", 134, [("compute", LAST), ("save", 0)])


class SlowRank(FaultTest):
    def stalls(self, *args):
        """The warnings of a run in which a rank pauses for five seconds, and the model's hash."""
        shutil.rmtree(self.dir / "run", ignore_errors=True)
        result = self.train_with(*args)
        self.assertEqual(result.code, 0, result)
        stalls = [line for line in result.stderr.splitlines() if "no progress" in line]
        return stalls, self.sha256("run/final.h5")

    def test_is_named_by_one_of_those_that_wait_and_changes_nothing(self):
        _, unfailing = self.stalls("")
        for point, doing in (("compute", "takes rows from the dataset"), ("allreduce", "")):
            stalls, model = self.stalls(f"{point}:1:2:pause", "--stall-warning", "1")
            named = [line for line in stalls if f"rank 1 {doing}" in line and "(step 3)" in line]
            self.assertEqual(len(named), 1, stalls)
            self.assertIn("no progress for 1 s", named[0])
            self.assertEqual(model, unfailing)

    def test_is_let_alone_if_nobody_wants_to_know(self):
        self.assertEqual(self.stalls("compute:1:2:pause", "--stall-warning", "0")[0], [])


class Exceptions(FaultTest):
    def throws(self, action, code, message, cases):
        for point, rank in cases:
            result = self.run_with(point, rank, action)
            self.check_end(result, f"rank {rank}, {point}")
            self.assertEqual(len(result.errors), 1, result)
            self.assertIn(message, result.errors[0])
            self.assertIn(f"rank {rank}", result.errors[0])
            self.assertEqual(result.code, code, result)

    def test_exception(self):
        self.throws("throw", 70, "injected exception",
                    [("read", LAST), ("compute", 0), ("allreduce", LAST), ("save", 0)])

    def test_lack_of_memory(self):
        self.throws("bad_alloc", 74, "out of memory",
                    [("read", 0), ("compute", LAST), ("allreduce", 0), ("save", LAST)])

    def test_own_error(self):
        self.throws("error", 74, "injected error",
                    [("read", 1), ("compute", 1), ("allreduce", 1), ("save", 1)])


class EarlyExits(FaultTest):
    def test_in_the_middle_of_a_step(self):
        if FLAVOUR == "mpich":
            self.skipTest("MPICH's mpiexec ends the job, but passes on the 0 of the rank that left")
        for rank in (0, LAST):
            self.check_end(self.run_with("compute", rank, "exit"), f"rank {rank}")

    def test_before_mpi_begins(self):
        for rank in (0, LAST):
            self.check_end(self.run_with("init", rank, "exit"), f"rank {rank}")

    def test_death_before_mpi_begins(self):
        self.check_end(self.run_with("init", LAST, "kill"), f"rank {LAST}")

    def test_after_mpi_has_ended(self):
        result = self.run_with("finalize", LAST, "exit")
        self.assertEqual(result.code, 0, result)  # its work was done
        self.assertEqual(result.orphans, [], result)

    def test_death_after_mpi_has_ended(self):
        result = self.run_with("finalize", LAST, "kill")
        self.assertIsNotNone(result.code, result)
        self.assertNotEqual(result.code, 0, result)
        self.assertEqual(result.orphans, [], result)


class AfterAFault(FaultTest):
    def test_the_same_command_finishes_the_run(self):
        options = ["--epochs", "3", "--batch-size", "8"]
        self.check_end(self.train_with(f"compute:{LAST}:13:kill", "--epochs", "3"), f"rank {LAST}")
        self.assertEqual((self.dir / "run" / "run.status").read_text(), "RUNNING\n")
        again = self.done(RANKS, "train", "--data", "d.h5", "--layers", NETWORK, *options)
        self.assertIn("going on after epoch 1 of 3 (ckpt-8.h5)", again.stdout)
        self.train(RANKS, "d.h5", *options, run_dir="whole")
        self.assertEqual(self.sha256("run/final.h5"), self.sha256("whole/final.h5"))


if __name__ == "__main__":
    main()
