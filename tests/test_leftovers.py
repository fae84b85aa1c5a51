"""The check for leftovers finds what a test leaves behind, by a mark that is inherited."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests import leftovers

pytestmark = pytest.mark.needs("/proc")


@pytest.mark.parametrize("where", ["environment", "arguments"])
def test_a_marked_process_is_found_while_it_lives(where: str) -> None:
    mark = f"mark-of-{os.getpid()}-{where}"
    script = "echo up; read -r x" if where == "environment" else f"echo up; read -r x # {mark}"
    environment = {**os.environ, "MARK": mark if where == "environment" else ""}
    with subprocess.Popen(["sh", "-c", script], env=environment, stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        (found,) = leftovers.find([mark.encode()])
        assert found.pid == process.pid
        test = os.environ["PYTEST_CURRENT_TEST"].removesuffix(" (call)")
        assert str(found).startswith(f"{test}: pid {process.pid}: sh -c")
        process.communicate(b"\n")
    assert leftovers.find([mark.encode()]) == []
