"""lockstep demo: what it shows, that it can fail, and that it cleans up after itself."""
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
import uuid

from support import CANNOT_CREATE, CONTROL, MARK, MISSING, MPIEXEC, PROGRAM, USAGE, SystemTest, kill_all, main, \
    processes_of, text_of, wait_for_end

# For the real mpirun: its sockets want a short path, and Open MPI looks for ssh.
ENVIRONMENT = f"TMPDIR={tempfile.gettempdir()} PATH={shlex.quote(os.environ['PATH'])}"
ROW = re.compile(r"^(exact|fast) +(\d+) +([\d,]+) +([01]\.\d{4}) +([0-9a-f]{16}) +(.+)$", re.MULTILINE)
FAILED = 70


class DemoTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.temporary = self.dir / "tmp"
        self.temporary.mkdir()
        self.programs = self.dir / "programs"
        self.programs.mkdir()
        self.script("mpirun", f'{ENVIRONMENT} exec {MPIEXEC} "$@"')
        self.script("python3", "echo no Keras found; exit 3")

    def script(self, name, text):
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def environment(self):
        return {"TMPDIR": str(self.temporary), "PATH": str(self.programs)}  # no other Python is asked

    def demo(self, *options):
        result = self.run_lockstep(1, "demo", "--ranks", "1,2", "--mpirun", self.programs / "mpirun", *options,
                                   env=self.environment(), timeout=100)
        self.assertEqual(os.listdir(self.temporary), [], result)
        return result

    def proof(self, result):
        """The last line's numbers."""
        last = result.stdout.splitlines()[-1]
        self.assertRegex(last, r"^PROOF \d+ of \d+$", result)
        return tuple(map(int, re.findall(r"\d+", last)))


class Demo(DemoTest):
    def test_proves_it(self):
        result = self.demo()
        self.assertEqual(result.code, 0, result)
        rows = ROW.findall(result.stdout)
        self.assertEqual([row[:2] for row in rows], [("exact", "1"), ("exact", "2"), ("fast", "1"), ("fast", "2")])
        self.assertEqual([row[5] for row in rows[:2]], ["reference", "identical"], result)
        self.assertEqual(rows[0][4], rows[1][4])
        for row in rows:
            self.assertGreater(float(row[3]), 0.3, "it has learned nothing")
        self.assertRegex(result.stdout, r"(?m)^1  held ")
        self.assertRegex(result.stdout, r"(?m)^3  (held|not tried) ")
        self.assertIn("4  not tried  Keras", result.stdout)
        self.assertIn("no Keras found", result.stdout)
        self.assertIn("PyTorch beside it: not tried, ", result.stdout)
        held, tried = self.proof(result)
        self.assertEqual(held, tried)
        self.assertGreaterEqual(held, 2, result)

    def test_says_so_if_bits_differ(self):
        """An mpirun that trains something else on 2 ranks, and a Keras that predicts something else."""
        self.script("mpirun", f'[ "$2" != 2 ] || set -- "$@" --seed 1\n{ENVIRONMENT} exec {MPIEXEC} "$@"')
        self.script("python3", "[[ $1 != *keras* ]] && echo RESULT 1234.5 2.0 || echo RESULT 1.2e-05 7 keras 9.9")
        result = self.demo("--keep", "kept")
        self.assertEqual(result.code, FAILED, result)
        self.assertEqual([row[5] for row in ROW.findall(result.stdout)],
                         ["reference", "DIFFERENT", "reference", "differs, as expected"])
        self.assertRegex(result.stdout, r"(?m)^1  FAILED .*\n +2 different results$")
        self.assertRegex(result.stdout, r"(?m)^2  held ")
        self.assertRegex(result.stdout, r"(?m)^3  (FAILED|not tried) ")
        self.assertRegex(result.stdout, r"(?m)^4  FAILED .*\n +keras 9.9: 7 rows, .* 1.2e-05$")
        self.assertRegex(result.stdout, r"(?m)^PyTorch 2.0 .* 1,23\d samples/s; lockstep on 1 rank: [\d,]+$")
        self.assertLess(*self.proof(result))
        self.assertIn(str(self.dir / "kept"), result.stdout)
        self.sha256("kept/exact-2/final.h5")

    def test_shows_what_failed(self):
        self.script("mpirun", '[ "$2" != 2 ] || { echo lockstep: no luck; exit 9; }\n'
                    f'{ENVIRONMENT} exec {MPIEXEC} "$@"')
        result = self.demo()
        self.assertEqual(result.code, FAILED, result)
        self.assertRegex(result.stdout, r"(?m)^exact +2 +- +- +- +FAILED$")
        self.assertIn("exit code 9", result.stdout)
        self.assertRegex(result.stdout, r"(?m)^ +/\S+/mpirun -n 2 .*'Rescaling\(1/255\), .*--run-dir \S+/exact-2 ")
        self.assertRegex(result.stdout, r"(?m)^ +lockstep: no luck$")
        self.assertIn("--keep", result.stdout)
        self.assertEqual(self.proof(result), (0, 3))


class DemoStopped(DemoTest):
    def setUp(self):
        super().setUp()
        # Two ranks that do not end by themselves soon.
        self.script("mpirun", "[ \"$2\" != 2 ] || set -- -n 2 bash -c 'sleep 600; true' bash train\n"
                    f'{ENVIRONMENT} exec {MPIEXEC} "$@"')

    def stop(self, number):
        """Sends the signal to the demo alone once it has two ranks; returns its code, output and leftovers."""
        job = uuid.uuid4().hex
        environment = {**os.environ, **self.environment(), MARK: job}
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen([PROGRAM, "demo", "--mpirun", self.programs / "mpirun"], cwd=self.dir,
                                       env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)
            try:
                deadline = time.monotonic() + 60
                while self.command_lines(job).count(b"\0train\0") < 3 and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.send_signal(number)
                code = process.wait(60)
                left = wait_for_end(job, 10)
            finally:
                kill_all(job, process)
            return code, text_of(output), left

    @staticmethod
    def command_lines(job):
        text = b""
        for pid in processes_of(job):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    text += file.read()
            except OSError:  # it has ended
                pass
        return text

    def test_ends_its_programs_and_removes_its_files(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                code, output, left = self.stop(number)
                self.assertEqual(code, -number, output)
                self.assertEqual(left, [], output)
                self.assertEqual(os.listdir(self.temporary), [], output)
                self.assertIn("lockstep: [demo] stopped", output)
                self.assertNotIn("PROOF", output)
                self.assertNotRegex(output, CONTROL)

    def test_leaves_no_ranks_if_it_is_killed(self):
        code, output, left = self.stop(signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        self.assertEqual(left, [], output)


class DemoOptions(DemoTest):
    def test_help(self):
        output = self.done(1, "demo", "--help").stdout
        for option in ("--ranks", "--keep", "--mpirun"):
            self.assertIn(f"  {option} ", output)
        self.assertIn("\n  demo ", self.done(1, "--help").stdout)

    def test_refuses(self):
        for ranks in ("2", "2,2", "0,1", "1,x"):
            self.refused(USAGE, ["--ranks", ranks], "demo", "--ranks", ranks, ranks=(1,))
        self.refused(USAGE, ["'--rank'", "'--ranks'"], "demo", "--rank", "1,2", ranks=(1,))
        self.refused(MISSING, ["--mpirun", "nowhere"], "demo", "--mpirun", "nowhere", ranks=(1,))
        (self.dir / "full").mkdir()
        (self.dir / "full" / "file").write_text("mine")
        self.refused(CANNOT_CREATE, ["--keep full", "empty"], "demo", "--keep", "full", ranks=(1,))
        self.refused(CANNOT_CREATE, ["--keep full/file"], "demo", "--keep", "full/file", ranks=(1,))

    def test_refuses_to_run_under_a_launcher(self):
        self.refused(USAGE, ["started alone", "starts mpirun itself"], "demo", ranks=(2,))


if __name__ == "__main__":
    main()
