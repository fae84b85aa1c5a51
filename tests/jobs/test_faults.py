"""A fault in any step of a job's ending: the job still ends, and reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, becomes, below
from tests.live import Daemon
from tests.server.conftest import patched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.live import Client

_FAULTY = """
import os, pathlib
from shellwire.jobs.engine import Engine
from shellwire.jobs.output import Output
from shellwire.jobs.pump import Pump
from shellwire.jobs.run import Run
from shellwire.process import kill
from shellwire.process.pty import Terminal
from shellwire.process.orphans import OrphanTracker
from shellwire.daemon.journal import HomeJournal
from shellwire.shell.context import Context

def faulty(owner, name):
    whole = getattr(owner, name)

    def instead(*args, **named):
        if fault.exists() and fault.read_text() == f"{owner.__name__}.{name}":
            raise RuntimeError("as the test wants it")
        return whole(*args, **named)

    setattr(owner, name, instead)

fault = pathlib.Path(os.environ["FAULT"])
"""
FAULTS = [
    "Pump.drain",
    "Pump.waiting",
    "Context.commit",
    "Run.take_report",
    "Run.close_input",
    "Output.collected",
    "Engine.prewarm",
    "HomeJournal.ended",
    "OrphanTracker.unclaimed",
    "Terminal.release",
    "kill.end",
]


class Faulty:
    """A daemon with one slot, in which one function can be made to fail."""

    def __init__(self, root: Path) -> None:
        self._fault = root / "fault"
        names = (each.split(".") for each in FAULTS)
        code = _FAULTY + "".join(f"faulty({owner}, {name!r})\n" for owner, name in names)
        env = {**patched(root / "patch", code), "FAULT": str(self._fault)}
        self.daemon = Daemon(root / "home", "--max-processes", "1", "--spares", "0", env=env)

    def fail(self, name: str) -> None:
        self._fault.write_text(name.replace("kill.", "shellwire.process.kill."))

    def work(self) -> None:
        self._fault.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    faulty = Faulty(tmp_path_factory.mktemp("faulty"))
    yield faulty
    faulty.daemon.stop()


@pytest.fixture
async def victim(faulty: Faulty) -> AsyncIterator[Client]:
    client = await faulty.daemon.client()
    yield client
    faulty.work()
    await client.close()


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("fields", [{}, {"is_pty": True}, {"collect": True}], ids=str)
async def test_a_fault_when_the_job_exits(
    faulty: Faulty, victim: Client, name: str, fields: dict[str, object]
) -> None:
    faulty.fail(name)
    job = await victim.start("exit 7", timeout=0, **fields)
    # It waits for the slot of the first one.
    then = await victim.start("exit 8")
    assert (await victim.finish(job)).code == 7
    assert (await victim.finish(then)).code == 8


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_when_the_job_is_ended(faulty: Faulty, victim: Client, name: str) -> None:
    job = await victim.start(f"echo up; exec {FOREVER}", is_pty=True)
    await victim.output_until(job, "up")
    faulty.fail(name)
    await victim.send({"type": "cancel_command", "id": job})
    assert (await victim.finish(job)).last["reason"] == "cancelled"
    faulty.work()
    await becomes(lambda: below(faulty.daemon) == [])
    assert (await victim.run("exit 8")).code == 8
