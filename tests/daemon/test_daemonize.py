"""The pipe between a daemon and its starter. The whole start: tests/cli/test_start.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shellwire.daemon.daemonize import _await_report
from shellwire.daemon.report import Reporter, Started
from shellwire.errors import StartError
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Home(Path("/h"))


@pytest.fixture
def pipe() -> Iterator[tuple[int, Reporter]]:
    """Return the starter's end and the daemon's end."""
    reader, writer = os.pipe()
    reporter = Reporter(writer)
    yield reader, reporter
    reporter.failed("the test is over")
    os.close(reader)


def test_the_first_report_counts(pipe: tuple[int, Reporter]) -> None:
    reader, reporter = pipe
    reporter.ready("::1", 7842)
    reporter.failed("later")
    assert _await_report(reader, HOME) == Started(os.getpid(), "::1", 7842)


def test_the_reason_is_one_line(pipe: tuple[int, Reporter]) -> None:
    reader, reporter = pipe
    reporter.failed("no\n  room")
    with pytest.raises(StartError, match=r"^no room$"):
        _await_report(reader, HOME)


def test_a_daemon_that_died_is_reported() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(StartError, match=r"ended before it was ready; see /h/daemon\.log"):
        _await_report(reader, HOME)
    os.close(reader)


def test_a_daemon_without_a_starter_ends() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(StartError, match="did not wait"):
        Reporter(writer).ready("::1", 7842)
