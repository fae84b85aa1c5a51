"""The log is private, has one line per record, and never blocks the daemon."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import aiohttp.http
import pytest

from shellwire.daemon import logs
from shellwire.home.paths import Home
from shellwire.home.settings import Settings
from tests.home.helpers import mode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("shellwire.test")

WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Restore pytest's handlers."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level, logging.raiseExceptions = before
    logging.captureWarnings(False)


def set_up(home: Home, level: str = "INFO") -> None:
    logs.set_up(home, Settings(log_level=level), foreground=False)


def test_a_record_is_one_line_with_its_time(home: Home) -> None:
    set_up(home)
    log.info("started %s", "é…")
    log.debug("too small")
    assert re.fullmatch(
        rf"{WHEN} INFO     shellwire\.test: started é…\n", home.log_file.read_text()
    )
    assert mode(home.log_file) == 0o600


def test_a_client_cannot_forge_a_record_or_command_the_terminal(home: Home) -> None:
    set_up(home)
    log.warning("client %s", "a\n2026-01-01 INFO forged\r\x1b[2J\u009b2J\ud800\u2028")
    (line,) = home.log_file.read_text().splitlines()
    assert line.endswith(r"client a\n2026-01-01 INFO forged\r\x1b[2J\u009b2J\ud800\u2028")


def test_text_of_aiohttp_records_is_not_logged(home: Home) -> None:
    set_up(home)
    for name in ("aiohttp.server", "aiohttp.web", "aiohttp.websocket"):
        for _ in range(50):
            try:
                raise ValueError("the token")
            except ValueError:
                logging.getLogger(name).exception("Error handling %s", "the token")
    lines = home.log_file.read_text().splitlines()
    assert not any("the token" in line for line in lines)
    assert len(lines) < 10
    assert "aiohttp.server, test_logs line" in lines[0]
    assert "ValueError in tests.daemon.test_logs" in lines[0]


def test_asyncio_records_are_rate_limited(home: Home) -> None:
    set_up(home)
    theirs: Exception = aiohttp.http.HttpProcessingError(message="the token")
    for error in [theirs] * 20 + [KeyError("a defect")] * 20:
        logging.getLogger("asyncio").error("a callback failed", exc_info=error)
    text = home.log_file.read_text()
    assert "the token" not in text
    assert 1 <= text.count("HttpProcessingError") < 5
    assert 1 <= text.count("KeyError: 'a defect'") < 5


def test_a_traceback_follows_indented(home: Home) -> None:
    set_up(home)
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        log.exception("failed")
    first, *rest = home.log_file.read_text().splitlines()
    assert first.endswith("failed")
    assert rest[-2:] == ["    ValueError: one", "    two"]
    assert all(line.startswith("    ") for line in rest)


def test_it_rotates_and_stays_private(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 500)
    home.log_file.touch(mode=0o644)
    set_up(home)
    for number in range(100):
        log.info("record %d", number)
    files = sorted(home.root.iterdir())
    assert [file.name for file in files] == [
        "daemon.log",
        *(f"daemon.log.{number}" for number in range(1, logs.BACKUPS + 1)),
    ]
    assert {mode(file) for file in files} == {0o600}
    assert all(file.stat().st_size <= 500 for file in files)


@pytest.mark.parametrize("target", ["/dev/full", "/no/such/directory/log"])
def test_a_record_that_cannot_be_written_is_dropped(
    home: Home, target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    home.log_file.symlink_to(target)
    set_up(home)
    for _ in range(3):
        log.error("x" * 100_000)
    logging.shutdown()
    home.log_file.unlink()
    assert capfd.readouterr() == ("", "")


def test_logging_continues_when_writing_works_again(home: Home) -> None:
    home.log_file.mkdir()
    set_up(home)
    log.error("lost")
    home.log_file.rmdir()
    log.error("kept")
    assert "kept" in home.log_file.read_text()


def test_in_the_foreground_stderr_gets_it_too(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(home, Settings(), foreground=True)
    log.info("started")
    for handler in logging.getLogger().handlers:
        handler.close()  # writes the queued records first
    assert capfd.readouterr().err == home.log_file.read_text()


def test_setting_up_again_replaces(home: Home) -> None:
    set_up(home)
    set_up(home, "DEBUG")
    log.debug("once")
    assert home.log_file.read_text().count("once") == 1
