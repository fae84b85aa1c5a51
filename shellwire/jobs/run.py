"""One started process of a job: its input, terminal and signals, its end and what it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from shellwire.errors import InputFull, SessionError
from shellwire.jobs.attempt import attempt
from shellwire.jobs.pump import Pump
from shellwire.process import kill, proc
from shellwire.process.send_signal import KILL, send_to_group
from shellwire.process.terminal_eof import TerminalEof

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from shellwire.jobs.engine import Engine
    from shellwire.jobs.pump import Room
    from shellwire.process.reap import Exit
    from shellwire.shell.shell import Shell

log = logging.getLogger(__name__)

MAX_INPUT = 4 * 1024 * 1024
"""Bytes of input that may wait for one job."""

# How often, and seconds apart, it is looked again for a process that is just being executed.
_LOOKS = 5
_LOOK_AGAIN = 0.01


class Run:
    """A running shell. Calls ``exited()`` once, and ``changed()`` when less of it is left.

    ``exit`` is how the leader ended, None until then. Processes that it leaves become the daemon's
    children (where that can be) and are watched until they end too.
    """

    def __init__(
        self,
        shell: Shell,
        engine: Engine,
        *,
        room: Room,
        received: Callable[[int, bytes], None],
        exited: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self.pid = shell.pid
        self.exit: Exit | None = None
        self._shell = shell
        self._engine = engine
        self.tag = shell.tag
        self._received = received
        self._exited = exited
        self._changed = changed
        self._has_exited = asyncio.Event()
        self._tree = engine.tree(shell.pid, shell.tag)
        self._strays: set[int] = set()
        self.left: tuple[int, ...] = ()
        """The processes that it has perhaps left; they are no known job's. Set by ``end``."""
        self._looking = False
        self._looks = 0
        self._last_input = b""
        self._end: TerminalEof | None = None
        # Before anything is awaited: until then the child would pass for a stray.
        engine.reaper.watch(shell.pid, self._on_exit)
        self.pump = Pump(
            shell.outputs,
            room=room,
            received=self._on_output,
            closed=self._on_closed,
        )
        engine.orphans.job_started(self._tree, self._take_stray)

    @property
    def is_left(self) -> bool:
        """Whether a process of it lives, as far as we see, or still holds its output."""
        return self.exit is None or self.pump.is_open or self._looking or bool(self._strays)

    @property
    def is_looking(self) -> bool:
        """Whether it is not yet known if a process of it lives."""
        return self._looking

    @property
    def pids(self) -> tuple[int, ...]:
        """The leader while it runs, and the processes it left."""
        return (*((self.pid,) if self.exit is None else ()), *sorted(self._strays))

    # Input ---------------------------------------------------------------------------------------

    def send_input(self, data: bytes) -> None:
        """Send input. Raises SessionError when it takes none, InputFull when too much waits."""
        feeder = self._shell.stdin
        if feeder is None or not feeder.accepts or self.exit is not None:
            raise SessionError("the job takes no input")
        if feeder.pending + len(data) > MAX_INPUT:
            raise InputFull(f"{feeder.pending} bytes of input wait already, {MAX_INPUT} may")
        self.give(data)

    def give(self, data: bytes) -> None:
        """Send the input that came with the request: it is bounded by the frame that brought it."""
        if self._shell.stdin is not None and data:
            if self._end is not None:
                self._end.stop()
            self._shell.stdin.write(data)
            self._last_input = data[-1:]

    def finish_input(self) -> None:
        """Let the process read end-of-file after what was sent."""
        feeder, terminal = self._shell.stdin, self._shell.terminal
        if feeder is None or feeder.closed:
            return
        if terminal is None:
            feeder.finish()
        else:
            if self._end is None:
                self._end = TerminalEof(terminal, feeder)
            self._end.send(self._last_input)
            self._last_input = b""

    def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size. Raises SessionError when it has none."""
        if self._shell.terminal is None or not self.pump.is_open:
            raise SessionError("the job has no terminal")
        try:
            self._shell.terminal.resize(cols, rows)
        except OSError as error:
            raise SessionError(f"the terminal can't be resized: {error.strerror}") from error

    # Ending --------------------------------------------------------------------------------------

    def signal(self, number: signal.Signals) -> None:
        """Signal the process group; on a terminal its foreground group. Raises SessionError."""
        if self.exit is not None:
            raise SessionError("the job has ended")
        group = self._foreground_group() or self.pid
        try:
            send_to_group(number, group)
        except OSError as error:
            raise SessionError(f"the job can't be signalled: {error.strerror}") from error

    def _foreground_group(self) -> int | None:
        terminal = self._shell.terminal
        group = None if terminal is None else terminal.foreground_group()
        if group is None:
            return None
        # A terminal names a group that has no member any more, and the number may be another's.
        try:
            return group if proc.session(group) == self.pid else None
        except ProcessLookupError:
            return group  # without its leader; while a member lives nobody gets the number

    async def end(self) -> None:
        """End the leader and all that it started: TERM, on a terminal HUP, KILL."""
        try:
            await kill.end(self._tree, hangup=self._shell.terminal is not None)
        except Exception:
            log.exception("the tree of process %d can't be ended in order", self.pid)
            if self.exit is None:
                with contextlib.suppress(OSError):
                    send_to_group(KILL, self.pid)
        # The kernel knows of the ends already; let no zombie outlive the ending.
        self._engine.reaper.reap_ended()
        for _ in range(_LOOKS):
            if not self._engine.orphans.scan():
                break
            await asyncio.sleep(_LOOK_AGAIN)
        self.left = tuple(self._engine.orphans.unclaimed(self._tree))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_exited.wait(), kill.GRACE)

    def _on_output(self, stream: int, data: bytes) -> None:
        self._received(stream, data)
        if self._end is not None and data:
            self._end.on_activity()

    def _on_exit(self, ended: Exit) -> None:
        self.exit = ended
        self._tree.is_leaderless = True
        self._has_exited.set()
        # What it left is looked for when its end has been told.
        self._looking = True
        if self._shell.terminal is not None:
            attempt("a terminal's slave can't be closed", self._shell.terminal.release)
        attempt("what was to follow a leader's end failed", self._exited)
        asyncio.get_running_loop().call_soon(self._look)

    def _take_stray(self, pid: int) -> None:
        self._strays.add(pid)
        self._engine.reaper.adopt(pid, partial(self._on_stray_exit, pid))

    def _adopt(self) -> None:
        self._tree.verify()
        if self._engine.orphans.scan() and self._looks < _LOOKS:
            self._looks += 1
            self._looking = True
            asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._look)

    def _on_stray_exit(self, pid: int, _ended: Exit) -> None:
        self._strays.discard(pid)
        if not self._looking:
            # Once for all that end together.
            self._looking = True
            self._looks = 0
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        try:
            self._adopt()
        finally:
            self._changed()

    def _on_closed(self) -> None:
        if self._end is not None:
            self._end.stop()
        if self._shell.terminal is not None and self._shell.stdin is not None:
            self._shell.stdin.close()
        self._changed()

    def let_go(self) -> None:
        """Nothing of it is left."""
        self._engine.orphans.job_ended(self._tree)

    def take_report(self) -> tuple[bytes, bytes, bytes]:
        """Return what the shell reported, and the token and the tag in it. Once only."""
        return self._shell.take_report(), self._shell.token, self._shell.tag

    def close_input(self) -> None:
        """Drop what has not been read."""
        if self._end is not None:
            self._end.stop()
        self._shell.close_input()
