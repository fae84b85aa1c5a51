"""The job registry and its buffers under random operations, compared with plain lists of bytes.

Real shells write through real pipes; readers attach, credit, read and are cut in any order. There
are no timed waits: each step runs until everything is idle.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
)

from shellwire.errors import DuplicateId, InvalidMessage, NotFound
from shellwire.jobs.contexts import Contexts
from shellwire.jobs.ended import Retention
from shellwire.jobs.engine import Engine
from shellwire.jobs.model import ClientKey, JobKey, Request
from shellwire.jobs.registry import Registry
from shellwire.principals import OWNER
from shellwire.process.reap import Reaper
from shellwire.shell.bash import Bash
from shellwire.shell.context import initial_state
from tests.faults.viewers import CAPACITY, Reader, Writer
from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


KEPT = Retention(jobs=2, total_bytes=100)
AT_ONCE = 3


def _text(length: int, chance: random.Random) -> bytes:
    return "".join(chance.choices("aé€😀\n", k=length)).encode()


def _bytes(length: int, chance: random.Random) -> bytes:
    return chance.randbytes(length)


# Hypothesis prefers small data, but here it takes much data to reach a limit.
_CHANCE = st.integers(0, 9).map(random.Random)
_TEXTS = st.builds(_text, st.integers(1, 100), _CHANCE)
_BYTES = st.builds(_bytes, st.integers(1, 150), _CHANCE)


class Machine(RuleBasedStateMachine):
    """The state machine: steps are rules, and invariants are asserted where they are seen."""

    writers = Bundle("writers")
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.alive: list[Writer] = []
        self.ended: list[tuple[Writer, int]] = []
        self.everybody: list[Reader] = []
        self.count = 0

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(coroutine)

    def _until(self, condition: Callable[[], bool]) -> None:
        self._run(becomes(condition))

    @initialize()
    def begin(self) -> None:
        async def make() -> None:
            self.reaper = Reaper()
            engine = Engine(Bash(shutil.which("bash") or "bash"), self.reaper, CAPACITY)
            contexts = Contexts(initial_state(os.environb, "/"))
            self.registry = Registry(
                engine, contexts, max_processes=AT_ONCE, retention=KEPT, detach_ttl=0
            )

        self._run(make())

    # Writers -------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.alive) < AT_ONCE)
    @rule(target=writers)
    def start(self) -> Writer:
        async def submit() -> Writer:
            key = JobKey(ClientKey(OWNER, "client"), f"{self.count}")
            job, _ = self.registry.submit(key, Request("session", b"exec cat"), once=True)
            job.start()
            return Writer(job)

        writer = self.loop.run_until_complete(submit())
        self.count += 1
        self.alive.append(writer)
        return writer

    @rule(writer=writers, data=_TEXTS)
    def write_text(self, writer: Writer, data: bytes) -> None:
        if writer in self.alive:
            self._write(writer, data)

    @rule(writer=writers, data=_BYTES)
    def write_anything(self, writer: Writer, data: bytes) -> None:
        if writer in self.alive:
            writer.is_text = False
            self._write(writer, data)

    def _write(self, writer: Writer, data: bytes) -> None:
        before = writer.received

        async def send() -> None:
            writer.job.send_input(data, close=False)

        self._run(send())
        writer.written += data
        self._rest(writer)
        assert writer.received <= max(before, self._most(writer))

    @rule(writer=writers)
    def finish(self, writer: Writer) -> None:
        if writer not in self.alive:
            return

        async def close() -> None:
            writer.job.send_input(b"", close=True)

        self._run(close())
        self._until(lambda: writer.job.state == "ended")
        assert writer.job.outcome is not None
        assert (writer.job.outcome.reason, writer.job.outcome.exit_code) == ("exited", 0)
        assert writer.job.buffer.end == writer.job.outcome.at == len(writer.written)
        self.alive.remove(writer)
        self._end(writer)

    def _end(self, writer: Writer) -> None:
        self.ended.append((writer, writer.job.readers.kept_bytes))
        while len(self.ended) > KEPT.jobs or (
            len(self.ended) > 1 and sum(size for _, size in self.ended) > KEPT.total_bytes
        ):
            del self.ended[0]
        kept = [each.job for each, _ in self.ended]
        assert sorted(map(id, self.registry.jobs())) == sorted(
            map(id, [*kept, *(each.job for each in self.alive)])
        )

    @rule(writer=writers)
    def use_its_id_again(self, writer: Writer) -> None:
        async def submit() -> None:
            with pytest.raises(DuplicateId):
                self.registry.submit(writer.job.key, Request("session", b"cat"), once=True)

        self._run(submit())

    # Readers -------------------------------------------------------------------------------------

    def _most(self, writer: Writer) -> int:
        """Return the most that may have been received: one window past the fastest reader."""
        readers = [each for each in self.everybody if each.writer is writer]
        return max((each.most for each in readers), default=len(writer.written))

    @rule(
        target=readers,
        writer=writers,
        back=st.integers(0, 200),
        window=st.one_of(st.none(), st.integers(1, 100)),
        is_text=st.booleans(),
    )
    def attach(self, writer: Writer, back: int, window: int | None, is_text: bool) -> Any:
        if writer not in self.alive and writer not in [each for each, _ in self.ended]:
            with pytest.raises(NotFound):
                self.registry.find(writer.job.key.client, writer.job.key.id, everywhere=True)
            return multiple()
        job = self.registry.find(ClientKey(OWNER, "another"), writer.job.key.id, everywhere=False)
        with pytest.raises(InvalidMessage):
            job.readers.offset(job.buffer.end + 1, "after", text=is_text)
        wanted = max(0, job.buffer.end - back)
        after = job.readers.offset(wanted, "after", text=is_text)
        assert wanted - 3 * is_text <= after <= wanted
        viewer = job.readers.view(lambda: None, after=after, window=window, text=is_text)
        assert viewer.window <= CAPACITY
        credited = None if window is None else after
        reader = Reader(writer, viewer, after, after, credited, is_text)
        self.everybody.append(reader)
        self._rest(writer)
        return reader

    @rule(reader=readers, limit=st.integers(1, 100), times=st.integers(1, 5))
    def take(self, reader: Reader, limit: int, times: int) -> None:
        for _ in range(times):
            if reader in self.everybody and reader.take(limit):
                self._rest(reader.writer)

    @rule(reader=readers, share=st.floats(0, 1))
    def credit(self, reader: Reader, share: float) -> None:
        if reader not in self.everybody or reader.credited is None:
            return
        end = reader.credited + round(max(0, reader.seen - reader.credited) * share)
        reader.viewer.credit(end)
        reader.credited = end
        self._rest(reader.writer)

    @rule(reader=consumes(readers))
    def cut(self, reader: Reader) -> None:
        if reader in self.everybody:
            self._leave(reader)
            self._rest(reader.writer)

    def _leave(self, reader: Reader) -> None:
        self.everybody.remove(reader)
        reader.check()
        reader.writer.job.readers.leave(reader.viewer)

    def _rest(self, writer: Writer) -> None:
        if writer in self.alive:
            most = min(self._most(writer), len(writer.written))
            self._until(lambda: writer.received >= most)
            assert len(writer.job.buffer) <= CAPACITY

    def teardown(self) -> None:
        for writer in list(self.alive):
            self.finish(writer)
        for reader in list(self.everybody):
            while reader.take(1000) or self._may_have_more(reader):
                pass
            assert reader.outcome is not None
            self._leave(reader)

        async def stop() -> None:
            await self.registry.stop(0)
            self.registry.close()
            self.reaper.stop()

        if hasattr(self, "registry"):
            self._run(stop())
        self.loop.close()

    def _may_have_more(self, reader: Reader) -> bool:
        if reader.credited is None or reader.credited == reader.seen:
            return False
        reader.viewer.credit(reader.seen)
        reader.credited = reader.seen
        return True


Machine.TestCase.settings = settings(
    max_examples=int(os.environ.get("STATE_EXAMPLES", "25")),
    stateful_step_count=40,
    deadline=None,
    # A failing step waits for its timeout, so shrinking an example would take too long.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
TestStates = Machine.TestCase
