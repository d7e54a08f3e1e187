"""A cluster on this machine: hosts made of Linux namespaces, a network between them, sshd on each, mpirun over all.

    with Hosts(2, shared=[self.dir]) as hosts:
        hosts.mpirun(2, PROGRAM, "train", ..., by_node=True, cwd=self.dir)
        hosts.bytes_sent()         # of each host, through its network interface
        hosts.link(1, up=False)    # its cable is out: nothing arrives, nothing is closed
        hosts.kill(1)              # it crashes

A host has its own network, host name, processes, /tmp, /run, /dev/shm and System V IPC; it shares the files
elsewhere, the folder of the program, and those in `shared`, as nodes share a cluster's file system.
Nothing is changed outside the namespaces, and they end with the process that made them, however that ends.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import support

SUBNET = "10.77.0"
TOOLS = ("ip", "mount", "nsenter", "setpriv", "ssh", "ssh-keygen", "sshd", "unshare")
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])

# Runs as the first process of a host: HOSTNAME STATE SHARED...
INIT = r"""
set -e
name=$1 state=$2
shift 2
hostname "$name"
mount -t tmpfs tmpfs /mnt
mkdir /mnt/tmp
mount --rbind /tmp /mnt/tmp
mount -t tmpfs tmpfs /tmp
for path in "$state" "$@"; do
  case $path in /tmp/*) mkdir -p "$path"; mount --bind "/mnt$path" "$path" ;; esac
done
umount -R /mnt
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir /run/sshd
mount --bind "$state/hosts" /etc/hosts
exec "$SSHD" -D -e -f "$state/sshd_config" -o "PidFile=$state/$name.pid"
"""


def why_not():
    """Why this machine cannot have the lab; None if it can."""
    if support.FLAVOUR != "openmpi":
        return "the lab starts ranks with Open MPI's mpirun"
    if os.geteuid() != 0:
        return "namespaces with a network need root"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    for probe in (["unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "true"],
                  ["unshare", "--net", "sh", "-c",
                   "ip link add switch type bridge && ip link add port0 type veth peer name end0"]):
        tried = subprocess.run(probe, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PATH})
        if tried.returncode != 0:
            return f"not permitted: {tried.stderr.strip()}"
    return None


class Hosts:
    """Host i is called node<i> and has the address SUBNET.<i + 1>; node0 is where mpirun runs."""

    def __init__(self, count, shared=(), slots=2):
        self.count = count
        self.slots = slots
        program_folder = pathlib.Path(support.PROGRAM).resolve().parent
        self._shared = [str(pathlib.Path(path).resolve()) for path in (program_folder, *shared)]
        self._processes = []  # of each host, and of the switch: the parent of its first process
        self._switch = None

    def __enter__(self):
        reason = why_not()
        if reason:
            raise unittest.SkipTest(reason)
        self._folder = tempfile.TemporaryDirectory(prefix="lockstep-hosts-")
        try:
            self._write_files()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in [*self._processes, self._switch]:
            if process:
                process.kill()  # and with it all that it started
                process.wait()
        self._folder.cleanup()

    # --- What happens on the hosts ---

    def run(self, host, *command, timeout=20):
        """On one host; returns what it prints. An exit code other than 0 is an error."""
        return subprocess.run(self._inside(host, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, check=True, timeout=timeout).stdout

    def mpirun(self, ranks, program, *arguments, slots=None, by_node=False, cwd="/", env=None, timeout=60):
        """From node0 over all hosts, filling one after the other or, by_node, in turn. `slots`: how many ranks each
        host can take, if not those of the lab. A support.Result."""
        environment = {"OPENBLAS_NUM_THREADS": "1", **(env or {})}
        exported = [word for name in (*environment, support.MARK) for word in ("-x", name)]
        network = f"{SUBNET}.0/24"
        hosts = ",".join(f"node{i}:{n}" for i, n in enumerate(slots or [self.slots] * self.count))
        command = [
            support.MPIEXEC, "-n", str(ranks), "--host", hosts,
            "--map-by", "node" if by_node else "slot", "--bind-to", "none", *exported,
            "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", str(self._state / "ssh"),
            "--mca", "oob_tcp_if_include", network, "--mca", "pml", "ob1", "--mca", "btl", "self,vader,tcp",
            "--mca", "btl_tcp_if_include", network, "--mca", "mpi_yield_when_idle", "1",
            str(program), *map(str, arguments)]
        inside = self._inside(0, ["env", "-C", str(cwd), *command])
        return support.run_command(inside, timeout=timeout, env={
            **environment, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})

    def bytes_sent(self):
        """By each host since it was started."""
        return [json.loads(self.run(i, "ip", "-json", "-stats", "link", "show", "eth0"))[0]["stats64"]["tx"]["bytes"]
                for i in range(self.count)]

    # --- What befalls them ---

    def kill(self, host):
        """All its processes end at once, and its memory is gone."""
        self._processes[host].kill()
        self._processes[host].wait()

    def link(self, host, up):
        """Plugs its network cable in or out, at the switch."""
        self._in_network_of(self._switch.pid, "ip", "link", "set", f"port{host}", "up" if up else "down")

    # --- How they are made ---

    @property
    def _state(self):
        return pathlib.Path(self._folder.name).resolve()

    def _write_files(self):
        state = self._state
        for key in ("user_key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", state / key], check=True)
        (state / "sshd_config").write_text(
            f"HostKey {state}/host_key\nAuthorizedKeysFile {state}/user_key.pub\nStrictModes no\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "UsePAM no\nLogLevel ERROR\n")
        (state / "ssh").write_text(
            f'#!/bin/sh\nexec ssh -F /dev/null -i {state}/user_key -o IdentitiesOnly=yes -o BatchMode=yes '
            '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@"\n')
        (state / "ssh").chmod(0o755)
        names = [f"node{i}" for i in range(self.count)]
        (state / "hosts").write_text("127.0.0.1 localhost\n" + "".join(
            f"{SUBNET}.{i + 1} {name}\n" for i, name in enumerate(names)))

    def _start(self):
        self._switch = self._first_process(["unshare", "--net", "sleep", "infinity"])
        self._wait_for(lambda: self._own_network(self._switch.pid), self._switch, "the switch")
        self._in_network_of(self._switch.pid, "ip", "link", "add", "switch", "type", "bridge")
        self._in_network_of(self._switch.pid, "ip", "link", "set", "switch", "up")
        for i in range(self.count):
            self._start_host(i)

    def _start_host(self, i):
        process = self._first_process(
            ["unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", INIT, "init", f"node{i}", str(self._state), *self._shared])
        self._processes.append(process)
        self._wait_for((self._state / f"node{i}.pid").exists, process, f"sshd of node{i}")
        self._ip("link", "add", f"port{i}", "netns", self._switch.pid, "type", "veth",
                 "peer", "name", "eth0", "netns", process.pid)
        self._in_network_of(self._switch.pid, "ip", "link", "set", f"port{i}", "master", "switch", "up")
        self.run(i, "ip", "address", "add", f"{SUBNET}.{i + 1}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            self.run(i, "ip", "link", "set", device, "up")

    def _first_process(self, command):
        """That ends with this one, and all that it starts with it."""
        environment = {**os.environ, "PATH": PATH, "SSHD": shutil.which("sshd", path=PATH) or ""}
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], env=environment,
                                stdin=subprocess.DEVNULL, start_new_session=True)

    @staticmethod
    def _own_network(pid):
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")

    @staticmethod
    def _wait_for(ready, process, what):
        deadline = time.monotonic() + 20
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not start")
            time.sleep(0.02)

    def _inside(self, host, command):
        pid = self._processes[host].pid
        return ["nsenter", "-t", str(pid), "--net", "--uts", "--ipc", "--mount",
                f"--pid=/proc/{pid}/ns/pid_for_children", "env", f"PATH={PATH}", *map(str, command)]

    def _in_network_of(self, pid, *command):
        subprocess.run(["nsenter", "-t", str(pid), "--net", "env", f"PATH={PATH}", *command], check=True)

    @staticmethod
    def _ip(*arguments):
        subprocess.run(["ip", *map(str, arguments)], check=True, env={**os.environ, "PATH": PATH})
