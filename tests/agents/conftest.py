"""An agent on the shared daemon, for all tests that need no server of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agents.agent import Agent, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live import Daemon


@pytest.fixture(scope="session")
def agent(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Yield an agent on the shared daemon; check that its server wrote nothing to stderr."""
    directory = tmp_path_factory.mktemp("agent")
    stderr = directory / "stderr"
    with Agent(parameters(daemon.home, directory), stderr) as agent:
        yield agent
    assert stderr.read_text() == ""
