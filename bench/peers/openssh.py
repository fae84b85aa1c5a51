"""OpenSSH: commands over one multiplexed connection (ControlMaster in ssh_config(5))."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from bench import proc
from bench.measure import at_once
from bench.peers.environment import Missing
from bench.peers.peer import ANSWER_SECONDS, Batch, Peer, Unsupported, require_bytes

_CHUNK = 1 << 18

# SHLVL: Debian's bash takes a shell of level 1 under sshd for a login and reads startup files,
# which no other peer's shell does.
_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
MaxSessions 64
SetEnv SHLVL=1
"""

_CLIENT = """\
Host bench
HostName 127.0.0.1
Port {port}
User {user}
IdentityFile {directory}/key
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
GlobalKnownHostsFile /dev/null
ControlPath {directory}/control
BatchMode yes
LogLevel ERROR
"""


def _find(name: str) -> str:
    # sshd is in a directory that only root's PATH contains.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if not found:
        raise Missing(f"no {name} here")
    return found


class OpenSSH(Peer):
    """An own sshd on a loopback port, as the current user, with keys made for this run."""

    name = "OpenSSH"
    notes: ClassVar = {"paced": "starts ssh", "fast": "starts ssh", "four": "starts ssh"}

    def __init__(self) -> None:
        self._ssh, self._sshd, keygen = _find("ssh"), _find("sshd"), _find("ssh-keygen")
        self._temporary = tempfile.TemporaryDirectory(prefix="shellwire-bench-")
        self._directory = Path(self._temporary.name)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._separation: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._port = proc.free_port()
        try:
            for name in ("host", "key"):
                file = str(self._directory / name)
                subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
            values = {"port": self._port, "directory": self._directory, "user": _user()}
            (self._directory / "sshd_config").write_text(_SERVER.format(**values))
            (self._directory / "ssh_config").write_text(_CLIENT.format(**values))
            self._test()
        except BaseException:
            self.close()
            raise

    def _server_command(self, *options: str) -> list[str]:
        return [self._sshd, *options, "-f", str(self._directory / "sshd_config")]

    def _test(self) -> None:
        """Have sshd check its configuration. As root it needs a privilege separation directory."""
        for _ in range(2):
            done = subprocess.run(
                self._server_command("-t"), capture_output=True, text=True, check=False
            )
            if not done.returncode:
                return
            said = done.stderr.strip().splitlines()[-1]
            if "privilege separation directory: " not in said:
                break
            self._separation = Path(said.rpartition(": ")[2])
            self._separation.mkdir(0o755)
        raise Missing(f"sshd refuses: {said}")

    def start(self) -> None:
        self._server = subprocess.Popen(
            self._server_command("-D"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        proc.await_port(self._port, self._server)
        self._begin("-M", "-N", "bench")
        until = time.monotonic() + ANSWER_SECONDS
        while not (self._directory / "control").exists():
            if time.monotonic() > until:
                raise RuntimeError("ssh does not connect")
            time.sleep(0.002)
        self.one(":")

    def _command(self, *arguments: str) -> list[str]:
        return [self._ssh, "-F", str(self._directory / "ssh_config"), *arguments]

    def _begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self._processes):
            proc.end(process)
            for pipe in (process.stdin, process.stdout):
                assert pipe
                pipe.close()
        self._processes.clear()
        if self._server:
            proc.end(self._server)
            self._server = None
        if self._separation:
            self._separation.rmdir()
            self._separation = None
        self._temporary.cleanup()

    def version(self) -> str:
        said = subprocess.run([self._ssh, "-V"], capture_output=True, text=True, check=True).stderr
        return said.split()[0].removeprefix("OpenSSH_").rstrip(",")

    def pids(self) -> list[int]:
        assert self._server
        below = proc.descendants(self._server.pid)
        # Compare executable files, not process names: sshd rewrites its name. Newer releases
        # consist of several programs.
        programs = {pid: Path(os.readlink(f"/proc/{pid}/exe")).name for pid in below}
        return [
            self._server.pid,
            *(pid for pid, program in programs.items() if program.startswith("sshd")),
        ]

    def one(self, command: str) -> None:
        """Run a command; its time includes starting the ssh program."""
        pid = os.posix_spawn(self._ssh, self._command("bench", command), os.environ)
        leader = os.pidfd_open(pid)
        if not select.select([leader], [], [], ANSWER_SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)
        os.close(leader)
        if status := os.waitpid(pid, 0)[1]:
            raise RuntimeError(f"ssh exited with {os.waitstatus_to_exitcode(status)}")

    def run(self, batch: Batch) -> list[float]:
        if batch.keep_state:
            raise Unsupported("no state")
        return batch.run(self.one)

    def at_once(self, lanes: int, times: int) -> float:
        return at_once([lambda: self.one(":")] * lanes, times)

    def _read(self, size: int, *arguments: str) -> float:
        begun = time.perf_counter()
        process = self._begin(*arguments)
        assert process.stdout
        received = 0
        while chunk := _take(process.stdout.fileno()):
            received += len(chunk)
        process.wait(ANSWER_SECONDS)
        took = time.perf_counter() - begun
        require_bytes(received, size)
        return took

    def output(self, command: str, size: int) -> float:
        return self._read(size, "bench", command)

    def terminal(self, command: str, size: int) -> float:
        # A multiplexing client without its own terminal requests one with all modes off.
        return self._read(size, "-tt", "bench", f"stty opost onlcr; {command}")

    def keys(self) -> _Keys:
        return _Keys(self._begin("-tt", "bench", "stty raw -echo; echo ready; exec cat"))

    def flood(self) -> None:
        for _ in range(2):
            self._begin("bench", "yes")


class _Keys:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._out = process.stdin.fileno(), process.stdout.fileno()
        said = b""
        while b"ready" not in said or not said.endswith(b"\n"):
            said += self._next()

    def _next(self) -> bytes:
        some = _take(self._out)
        if not some:
            raise ConnectionError("ssh has ended")
        return some

    def press(self) -> None:
        os.write(self._in, b"x")
        self._next()


def _take(descriptor: int) -> bytes:
    if not select.select([descriptor], [], [], ANSWER_SECONDS)[0]:
        raise TimeoutError("ssh does not answer")
    return os.read(descriptor, _CHUNK)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
