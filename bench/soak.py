"""Soak test: many commands and connections, with every kind of ending; measures leaks."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import proc
from bench.measure import Row
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from bench.measure import Effort
    from bench.wire import Message

_HALF = 20_000
_EXPECTED = "".join(f"{number}\n" for number in range(1, 2 * _HALF + 1)).encode()
_FOLLOWED = f"seq 1 {_HALF}; sleep 0.0{{}}; seq {_HALF + 1} {2 * _HALF}"

# Each command with its expected output, reason and exit code.
_COMMANDS: tuple[tuple[dict[str, object], str, str, int], ...] = (
    ({"command": "echo hello"}, "hello\n", "exited", 0),
    ({"command": "export SOAK=$((SOAK + 1)); cd /; exit 3"}, "", "exited", 3),
    ({"command": "cat", "stdin_data": "input"}, "input", "exited", 0),
    ({"command": "echo there; (sleep 0.05; :) & :"}, "there\n", "exited", 0),
    ({"command": "echo last; kill -KILL $$"}, "last\n", "exited", -9),
    ({"command": "exec sleep 60", "timeout": 0.01}, "", "timed_out", -15),
    ({"command": "tty >/dev/null && printf pty", "is_pty": True}, "pty", "exited", 0),
)
# Most commands are plain ones.
_WEIGHTS = (20, 5, 2, 1, 1, 1, 1)


@dataclass(slots=True)
class _Account:
    """Checks that each byte of one job's output arrives exactly once, and counts errors."""

    seen: int = 0
    lost: int = 0
    doubled: int = 0
    ended: bool = False

    def record(self, message: Message) -> None:
        """Count a message of the job."""
        if message["type"] == "output":
            data, end = message["data"].encode(), message["end"]
            begin = end - len(data)
            self.lost += max(0, begin - self.seen)
            self.doubled += max(0, self.seen - begin)
            if data != _EXPECTED[begin:end]:
                self.lost += len(data)
            self.seen = end
        elif message["type"] == "gap":
            self.lost += message["to"] - message["from"]
            self.seen = message["to"]
        elif message["type"] in ("result", "error"):
            self.lost += len(_EXPECTED) - self.seen
            self.ended = True


class _Soak:
    """One daemon, and a client that reconnects to it again and again."""

    def __init__(self, daemon: Daemon) -> None:
        self.lost = 0
        self.doubled = 0
        self.wrong = 0
        self._daemon = daemon
        self._chance = random.Random(0)
        self._client = Client(daemon, "soak")
        self._silent: list[Client] = []
        self._numbers = 0

    def _id(self) -> str:
        self._numbers += 1
        return f"{self._numbers}"

    def turn(self, commands: int) -> None:
        """Start a job, reconnect in its middle, run ``commands``, then attach to the job's end."""
        job, account = self._id(), _Account()
        command = _FOLLOWED.format(self._chance.randrange(1, 10))
        self._client.send({"type": "execute", "id": job, "command": command})
        leave_at = self._chance.randrange(1, len(_EXPECTED))
        while account.seen < leave_at and not account.ended:
            self._enter(job, account)
        self._leave()
        for _ in range(commands):
            self._command()
        if not account.ended:
            self._client.send({"type": "attach", "id": job, "after": account.seen})
        while not account.ended:
            self._enter(job, account)
        self.lost += account.lost
        self.doubled += account.doubled

    def _enter(self, job: str, account: _Account) -> None:
        message = self._client.receive()
        if message.get("id") == job:
            account.record(message)

    def _leave(self) -> None:
        """Close, reset or abandon the connection at random, and open a new one."""
        ending = self._chance.choice(("fin", "rst", "silence"))
        if ending == "silence":
            self._silent.append(self._client)
        elif ending == "rst":
            self._client.reset()
        else:
            self._client.close()
        self._client = Client(self._daemon, "soak")
        while len(self._silent) > 1:
            self._silent.pop(0).close()

    def _command(self) -> None:
        (fields, out, reason, code) = self._chance.choices(_COMMANDS, _WEIGHTS)[0]
        job, text = self._id(), ""
        self._client.send({"type": "execute", "id": job, **fields})
        while True:
            message = self._client.receive()
            if message.get("id") != job:
                continue
            if message["type"] == "output":
                text += message["data"]
            elif message["type"] in ("result", "error"):
                break
        found = (text, message.get("reason"), message.get("exit_code"))
        self.wrong += found != (out, reason, code)

    def rest(self) -> None:
        """Wait until the background processes of the commands have ended."""
        self._client.run("rest", "sleep 0.5")

    def close(self) -> None:
        """Close all connections."""
        for client in (self._client, *self._silent):
            client.close()


def soak(effort: Effort) -> list[Row]:
    """Run 10,000 commands and 200 reconnects; measure leaks and lost output."""
    commands, reconnects = effort.times(10_000, least=40), effort.times(200, least=4)
    first = max(1, reconnects // 5)
    with Daemon() as daemon:
        soak = _Soak(daemon)
        try:
            for number in range(reconnects):
                if number == first:
                    rss, descriptors = proc.rss([daemon.pid]), proc.descriptors(daemon.pid)
                soak.turn(commands // reconnects)
            soak.rest()
            grown = (proc.rss([daemon.pid]) - rss) / 2**20
            more = proc.descriptors(daemon.pid) - descriptors
            zombies = proc.zombies(daemon.pid)
        finally:
            soak.close()
    what = f"{commands:,} commands, {reconnects} reconnects"
    after = f"after the first {first} reconnects"
    return [
        Row(f"{what}: RSS", f"{grown:+.2f} MiB", "≤ +4 MiB", grown <= 4, after),
        # The count may include a silent connection and the pipes of a spare shell, or not.
        Row(f"{what}: descriptors", f"{more:+d}", "≤ +8", more <= 8, after),
        Row(f"{what}: zombies", f"{zombies}", "0", zombies == 0),
        Row(f"{what}: bytes lost", f"{soak.lost}", "0", soak.lost == 0),
        Row(f"{what}: bytes doubled", f"{soak.doubled}", "0", soak.doubled == 0),
        Row(f"{what}: wrong results", f"{soak.wrong}", "0", soak.wrong == 0),
    ]
