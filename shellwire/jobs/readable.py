"""What of a job can be read: its output, its notices and its outcome, by any number of readers."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage
from shellwire.jobs.model import Notice
from shellwire.jobs.output import Output
from shellwire.jobs.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.model import JobKey, Outcome, Request, State


class Readable:
    """The reader's side of a job. ``exceeded()`` is called when it has written too much."""

    def __init__(
        self, key: JobKey, request: Request, capacity: int, exceeded: Callable[[], None]
    ) -> None:
        self.key = key
        self.request = request
        self.state: State = "queued"
        self.size = request.size
        """(cols, rows) of its terminal, None without one."""
        self.outcome: Outcome | None = None
        self.notices: list[Notice] = []
        self.noticed = 0
        """How many notices there were."""
        self.output_ended = False
        """Whether no output can come any more."""
        self.touched_at = time.monotonic()
        """When somebody asked for it last."""
        self._output = Output(request, capacity, exceeded)
        self.buffer = self._output.buffer

    def view(
        self,
        wake: Callable[[], None],
        *,
        after: int = 0,
        window: int | None = None,
        text: bool = False,
        silent: bool = False,
    ) -> Viewer:
        """Let somebody read this job from ``after`` on; ``wake()`` says that there may be more.

        With ``window`` it is told by ``Viewer.credit`` what its reader has consumed.
        """
        viewer = Viewer(
            self,
            wake,
            after,
            self._output.window(window),
            credited=window is not None,
            text=text,
            silent=silent,
            notices=max((each.number for each in self.notices if each.at < after), default=0),
        )
        self._output.join(viewer)
        return viewer

    def offset(self, given: int, name: str, *, text: bool) -> int:
        """Return ``given``; for ``text`` the start of the character that it lies in.

        Raises InvalidMessage, about the field ``name``, for what has not been written yet.
        """
        if given > self.buffer.end:
            raise InvalidMessage(
                f"{name}: expected at most {self.buffer.end}, the end of the job's output,"
                f" got {given}"
            )
        return self.buffer.align(given) if text else given

    def leave(self, viewer: Viewer) -> None:
        """Stop a viewer's reading. The job goes on."""
        self._output.leave(viewer)
        self.touch()

    def advanced(self) -> None:
        """A viewer has taken something."""
        self._output.advanced()

    def touch(self) -> None:
        """Note that somebody has asked for this job now."""
        self.touched_at = time.monotonic()

    @property
    def is_read(self) -> bool:
        """Whether somebody reads it."""
        return bool(self._output.viewers)

    @property
    def kept_bytes(self) -> int:
        """How much of its output is kept."""
        collected = self.outcome.collected if self.outcome is not None else None
        texts = (collected.stdout, collected.stderr) if collected is not None else ()
        return len(self.buffer) + sum(map(len, texts))

    def recent_output(self) -> list[str]:
        """Return its last 10 lines, of the last 4,096 bytes."""
        text = self.buffer.tail(4096).decode("utf-8", "replace")
        return list(io.StringIO(text, newline="\n"))[-10:]

    def forget(self) -> None:
        """Keep nothing of it for anybody who does not read it already."""
        self._output.forget()

    def _notify(self, code: str, message: str) -> None:
        self.noticed += 1
        notice = Notice(code, message, self.noticed, self.buffer.end)
        # A newer one makes an older one of its kind void, so there are never many.
        self.notices = [*(each for each in self.notices if each.code != code), notice]
        self._output.wake()
