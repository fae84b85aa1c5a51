"""The started process of a job: input, terminal, signals, exit and background processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from shellwire.errors import InputFull, SessionError
from shellwire.jobs.best_effort import best_effort
from shellwire.jobs.pump import Pump
from shellwire.process import children, kill, proc
from shellwire.process.reap import Exit
from shellwire.process.send_signal import KILL, send_to_group
from shellwire.process.terminal_eof import TerminalEof

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import JobKey, Kind
    from shellwire.shell.shell import Shell

log = logging.getLogger(__name__)

MAX_INPUT = 4 * 1024 * 1024
"""The most bytes of input that may wait for one job."""

# The tag of a process can't be read during execve(2). Orphans without a tag are scanned again, at
# most _MAX_SCANS times, every _SCAN_INTERVAL seconds.
_MAX_SCANS = 5
_SCAN_INTERVAL = 0.01


class Run:
    """A running shell. Calls ``exited()`` once, and ``changed()`` when a process or pipe has ended.

    ``reported()`` is called before that, each time ``reported_exit`` may return an exit.

    ``began`` is the time before the shell got its command, by proc.now(). ``exit`` is the leader's
    exit, None until then. Processes that the leader leaves become the daemon's children, where the
    system allows it, and are watched until they end too.
    """

    def __init__(
        self,
        shell: Shell,
        engine: Engine,
        *,
        began: float,
        budget: Callable[[], int],
        received: Callable[[int, bytes], None],
        reported: Callable[[], None],
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
        self._tree = engine.tree(shell.pid, shell.tag, began)
        self._orphans: set[int] = set()
        self.left: tuple[int, ...] = ()
        """Pids of unclaimed orphans that may have been the job's. Set by ``end``."""
        self._is_scanning = False
        self._scans = 0
        self._last_input = b""
        self._eof: TerminalEof | None = None
        # Before anything is awaited: an unwatched child would count as an orphan.
        engine.reaper.watch(shell.pid, self._on_exit)
        shell.listen(reported)
        self.pump = Pump(
            shell.outputs,
            budget=budget,
            received=self._on_output,
            closed=self._on_closed,
        )
        engine.orphans.job_started(self._tree, self._take_orphan)

    @property
    def is_alive(self) -> bool:
        """Whether a known process of the job lives, or some process still holds its output."""
        return self.exit is None or self.pump.is_open or self._is_scanning or bool(self._orphans)

    @property
    def is_scanning(self) -> bool:
        """Whether a scan is due that may find more processes of the job."""
        return self._is_scanning

    @property
    def pids(self) -> tuple[int, ...]:
        """The leader while it runs, and the processes that it left."""
        return (*((self.pid,) if self.exit is None else ()), *sorted(self._orphans))

    # Input ---------------------------------------------------------------------------------------

    def send_input(self, data: bytes) -> None:
        """Send input.

        Raises SessionError if the job takes no input, InputFull if MAX_INPUT bytes wait already.
        """
        stdin = self._shell.stdin
        if stdin is None or not stdin.accepts or self.exit is not None:
            raise SessionError("the job takes no input")
        if stdin.pending + len(data) > MAX_INPUT:
            raise InputFull(f"{stdin.pending} bytes of input wait already, {MAX_INPUT} may")
        self.write_input(data)

    def write_input(self, data: bytes) -> None:
        """Send input without checking MAX_INPUT: a request's own input is limited by the frame."""
        if self._shell.stdin is not None and data:
            if self._eof is not None:
                self._eof.stop()
            self._shell.stdin.write(data)
            self._last_input = data[-1:]

    def finish_input(self) -> None:
        """Let the process read end-of-file after the input sent so far."""
        stdin, terminal = self._shell.stdin, self._shell.terminal
        if stdin is None or stdin.closed:
            return
        if terminal is None:
            stdin.finish()
        else:
            if self._eof is None:
                self._eof = TerminalEof(terminal, stdin)
            self._eof.send(self._last_input)
            self._last_input = b""

    def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size. Raises SessionError if the job has no terminal."""
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
        # A terminal still names a group that has no members left; its number may be reused.
        try:
            return group if proc.session(group) == self.pid else None
        except ProcessLookupError:
            return group  # its leader has ended; the number is not reused while a member lives

    async def end(self) -> None:
        """End the leader and all that it started: TERM (on a terminal also HUP), then KILL."""
        try:
            await kill.end(self._tree, hangup=self._shell.terminal is not None)
        except Exception:
            log.exception("the tree of process %d can't be ended in order", self.pid)
            if self.exit is None:
                with contextlib.suppress(OSError):
                    send_to_group(KILL, self.pid)
        # Reap now what has ended, so that no zombie outlives the job.
        self._engine.reaper.reap_ended()
        for _ in range(_MAX_SCANS):
            if not self._engine.orphans.scan():
                break
            await asyncio.sleep(_SCAN_INTERVAL)
        self.left = tuple(self._engine.orphans.unclaimed(self._tree))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_exited.wait(), kill.GRACE)

    def _on_output(self, stream: int, data: bytes) -> None:
        self._received(stream, data)
        if self._eof is not None and data:
            self._eof.on_activity()

    def _on_exit(self, ended: Exit) -> None:
        self.exit = ended
        self._tree.is_leaderless = True
        self._has_exited.set()
        # Orphans are scanned for after the exit has been reported.
        self._is_scanning = True
        if self._shell.terminal is not None:
            best_effort("a terminal's slave can't be closed", self._shell.terminal.release)
        best_effort("a step after a leader's exit failed", self._exited)
        self._engine.loop.call_soon(self._scan)

    def _take_orphan(self, pid: int) -> None:
        self._orphans.add(pid)
        self._engine.reaper.adopt(pid, partial(self._on_orphan_exit, pid))

    def _adopt(self) -> None:
        if self._engine.orphans.scan() and self._scans < _MAX_SCANS:
            self._scans += 1
            self._is_scanning = True
            self._engine.loop.call_later(_SCAN_INTERVAL, self._scan)

    def _on_orphan_exit(self, pid: int, _ended: Exit) -> None:
        self._orphans.discard(pid)
        if not self._is_scanning:
            # One scan for all orphans that end together.
            self._is_scanning = True
            self._scans = 0
            self._engine.loop.call_soon(self._scan)

    def _scan(self) -> None:
        self._is_scanning = False
        try:
            self._adopt()
        finally:
            self._changed()

    def _on_closed(self) -> None:
        if self._eof is not None:
            self._eof.stop()
        if self._shell.terminal is not None and self._shell.stdin is not None:
            self._shell.stdin.close()
        self._changed()

    def stop_tracking(self) -> None:
        """Stop attributing orphans to the job; all its processes have ended."""
        self._engine.orphans.job_ended(self._tree)

    def reported_exit(self) -> Exit | None:
        """Return the exit that the leader has reported as its last act; None if it has not.

        Also None while it has children: only without them the exit itself adds nothing.
        """
        status = self._shell.reported_status() if self.exit is None else None
        return None if status is None or not children.is_childless(self.pid) else Exit(status, None)

    def record_start(self, key: JobKey, kind: Kind) -> None:
        """Record in the journal that the job ``key`` has started."""
        if self._engine.journal is not None:
            self._engine.journal.began(key, kind, self.tag)

    def record_end(self) -> None:
        """Record in the journal that the job has its outcome, and the leader is reaped."""
        if self._engine.journal is not None:
            self._engine.journal.ended(self.tag)

    def take_report(self) -> tuple[bytes, bytes, bytes]:
        """Return the shell's report, and the token and the tag in it. Once only."""
        return self._shell.take_report(), self._shell.token, self._shell.tag

    def close_input(self) -> None:
        """Drop input that the process has not read."""
        if self._eof is not None:
            self._eof.stop()
        self._shell.close_input()
