"""The tools, called through the official SDK's client, which also validates result schemas."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError

from shellwire.agents.guide import GUIDE
from tests.agents.agent import SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agents.agent import Agent

NAMES = {
    *("run_command", "start_process", "send_input", "read_output"),
    *("list_processes", "kill_process", "get_context", "set_context"),
    *("read_file", "write_file", "edit_file", "search_files"),
}


def test_instructions_and_descriptions(agent: Agent) -> None:
    tools = agent.begin(agent.client.list_tools()).result(SECONDS).tools
    assert {tool.name for tool in tools} == NAMES
    assert agent.client.instructions == GUIDE
    for tool in tools:
        assert len(tool.description or "") > 60
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        for name, argument in tool.input_schema["properties"].items():
            assert argument["description"], (tool.name, name)
            assert "anyOf" not in argument
    reading = {tool.name for tool in tools if tool.annotations and tool.annotations.read_only_hint}
    assert reading == {
        *("read_output", "list_processes", "get_context", "read_file", "search_files")
    }
    for word in ("State persists", "until", "ready", "leave a process running", *NAMES):
        if not word.endswith("_context"):
            assert word in GUIDE


def test_state_persists_between_commands(agent: Agent, tmp_path: Path) -> None:
    first = agent.call("run_command", command=f"cd {tmp_path}; X=5; f() {{ echo $X; }}")
    assert (first["exit_code"], first["reason"], first["committed"]) == (0, "exited", True)
    assert first["cwd"] == str(tmp_path)
    second = agent.call("run_command", command="f; pwd; cat; echo oops >&2; exit 3", stdin="in")
    assert second["stdout"] == f"5\n{tmp_path}\nin"
    assert (second["stderr"], second["exit_code"]) == ("oops\n", 3)
    here = agent.call("run_command", command="echo $PWD $V", cwd="/usr", env={"V": "v"})
    assert here["stdout"] == "/usr v\n"
    assert agent.call("run_command", command="echo $PWD.$V")["stdout"] == f"{tmp_path}.\n"


def test_the_text_is_the_structured_result(agent: Agent) -> None:
    done = agent.begin_call("run_command", command="printf 'äöü €'").result(SECONDS)
    (content,) = done.content
    assert content.type == "text"
    assert json.loads(content.text) == done.structured_content
    assert "äöü €" in content.text


def test_head_and_tail_are_kept(agent: Agent) -> None:
    long = agent.call("run_command", command="seq 100000; printf '€%.0s' {1..50} >&2", max_chars=40)
    assert long["truncated"] is True
    assert long["stdout"].startswith("1\n2\n3\n")
    assert long["stdout"].endswith("\n99999\n100000\n")
    assert "588855 characters left out" in long["stdout"]
    assert long["stderr"].count("€") == 40
    assert "\ufffd" not in long["stderr"]
    assert agent.call("run_command", command="echo all", max_chars=4)["truncated"] is False


def test_a_timeout_and_escape_sequences(agent: Agent) -> None:
    late = agent.call("run_command", command=r"printf '\033[31mred\033[0m'; sleep 60", timeout=0.2)
    assert (late["reason"], late["signal"], late["stdout"]) == ("timed_out", "SIGTERM", "red")


def test_progress_is_reported(agent: Agent, tmp_path: Path) -> None:
    seen: list[tuple[float, str | None]] = []
    enough = tmp_path / "enough"

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))
        if len(seen) == 2:
            enough.touch()

    command = f"echo first; echo second; until [ -e {enough} ]; do sleep 0.05; done"
    call = agent.client.call_tool("run_command", {"command": command}, progress_callback=report)
    assert agent.begin(call).result(SECONDS).structured_content["exit_code"] == 0
    assert [message for _, message in seen] == ["13 bytes of output; second"] * len(seen)
    assert [progress for progress, _ in seen] == sorted({progress for progress, _ in seen})


def ended(agent: Agent, command: str) -> dict[str, Any]:
    """Return a command's entry in the list once it has ended."""
    for process in agent.call("list_processes")["processes"]:
        if process["command"] == command:
            agent.call("read_output", id=process["id"], until="never", wait=SECONDS)
    (found,) = [p for p in agent.call("list_processes")["processes"] if p["command"] == command]
    assert found["exit_code"] is not None
    return dict(found)


def test_list_has_live_jobs_and_the_last_ten_ended(agent: Agent) -> None:
    job = agent.call("start_process", command="cat")["id"]
    commands = [f"true {number}" for number in range(12)]
    for command in commands:
        agent.call("run_command", command=command)
    found = agent.call("list_processes")["processes"]
    assert job in [each["id"] for each in found if each["state"] == "running"]
    assert [each["command"] for each in found if each["state"] == "ended"] == commands[2:]
    # A process left out of the list can still be read.
    agent.call("kill_process", id=job)


def test_cancelling_a_request_ends_its_command(agent: Agent, tmp_path: Path) -> None:
    command = f"echo begun; : {tmp_path}; trap '' INT; sleep 600"
    call = agent.begin_call("run_command", command=command)
    job = ""
    while not job:
        running = agent.call("list_processes")["processes"]
        job = next((p["id"] for p in running if p["command"] == command), "")
    assert agent.call("read_output", id=job, until="begun", wait=SECONDS)["matched"] is True
    call.cancel()
    found = ended(agent, command)
    assert (found["reason"], found["is_yours"]) == ("killed", True)


def test_cancelling_a_wait_leaves_the_process(agent: Agent) -> None:
    job = agent.call("start_process", command="cat")["id"]
    waiting = threading.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        waiting.set()

    arguments = {"id": job, "until": "never", "wait": 600}
    call = agent.begin(agent.client.call_tool("read_output", arguments, progress_callback=report))
    assert waiting.wait(SECONDS)
    call.cancel()
    agent.call("send_input", id=job, text="still here\n", close_stdin=True)
    page = agent.call("read_output", id=job, until="never", wait=SECONDS)
    assert (page["output"], page["exit_code"]) == ("still here\n", 0)


def test_a_server_that_becomes_ready(agent: Agent, tmp_path: Path) -> None:
    agent.call("set_context", cwd=str(tmp_path), env={"NAME": "x"})
    command = "sleep 0.1; echo listening in $PWD as $NAME; while read line; do echo got $line; done"
    started = agent.call("start_process", command=command)
    job = started["id"]
    page = agent.call("read_output", id=job, until="listening", wait=SECONDS)
    assert (page["output"], page["matched"], page["state"]) == ("listening", True, "running")
    agent.call("send_input", id=job, text="one\ntwo\n")
    rest = agent.call("read_output", id=job, cursor=page["cursor"], until="two\n", wait=SECONDS)
    assert rest["output"] == f" in {tmp_path} as x\ngot one\ngot two\n"
    assert agent.call("read_output", id=job, cursor=-5)["output"] == " two\n"
    assert agent.call("read_output", id=job, cursor=-100_000)["output"].startswith("listening")
    assert agent.call("read_output", id=job, cursor=rest["cursor"])["output"] == ""
    (listed,) = [p for p in agent.call("list_processes")["processes"] if p["id"] == job]
    assert (listed["state"], listed["kind"], listed["is_yours"]) == ("running", "session", True)
    assert (listed["pid"], listed["cursor"]) == (started["pid"], rest["cursor"])
    killed = agent.call("kill_process", id=job)
    assert killed == {"id": job, "state": "ended", "exit_code": -15}
    assert agent.refused("kill_process", id=job).startswith("SESSION_NOT_FOUND: ")


def test_a_server_that_fails(agent: Agent) -> None:
    job = agent.call("start_process", command="echo no such port; exit 9")["id"]
    page = agent.call("read_output", id=job, until="ready", wait=SECONDS)
    assert (page["output"], page["matched"], page["exit_code"]) == ("no such port\n", False, 9)


def test_until_matches_terminal_line_ends(agent: Agent) -> None:
    job = agent.call("start_process", command="read; seq 3; cat", terminal=True)["id"]
    agent.call("send_input", id=job, text="\n")
    page = agent.call("read_output", id=job, until="1\n2\n", wait=SECONDS)
    assert (page["matched"], page["output"].endswith("1\r\n2\r\n")) == (True, True)
    # Text with CRLF already, and output in raw mode.
    page = agent.call("read_output", id=job, until="2\r\n", wait=SECONDS)
    assert page["matched"] is True
    raw = agent.call("start_process", command="stty raw; printf '2\n'; cat", terminal=True)["id"]
    assert agent.call("read_output", id=raw, until="2\n", wait=SECONDS)["matched"] is True
    # Without a terminal the text is searched literally.
    piped = agent.call("start_process", command="printf '1\r\n2\n'; cat")["id"]
    page = agent.call("read_output", id=piped, until="1\n", wait=1)
    assert page["matched"] is False
    for each in (job, raw, piped):
        agent.call("kill_process", id=each)


def test_a_page_that_ends_inside_a_character(agent: Agent) -> None:
    command = r"printf 'a\342'; read; printf '\202\254.'; cat"
    job = agent.call("start_process", command=command)["id"]
    page = agent.call("read_output", id=job, until="never", wait=1)
    assert (page["output"], page["cursor"]) == ("a", 2)
    agent.call("send_input", id=job, text="\n")
    page = agent.call("read_output", id=job, cursor=2, until="€.", wait=SECONDS)
    assert (page["output"], page["matched"]) == ("€.", True)
    agent.call("kill_process", id=job)


def test_a_terminal(agent: Agent) -> None:
    job = agent.call("start_process", command="test -t 0 && cat", terminal=True)["id"]
    agent.call("send_input", id=job, text="typed\n")
    page = agent.call("read_output", id=job, until="typed\r\ntyped\r\n", wait=SECONDS)
    assert page["matched"] is True
    agent.call("send_input", id=job, text="\x03")
    page = agent.call("read_output", id=job, until="never", wait=SECONDS)
    assert page["exit_code"] == -2


def test_named_contexts(agent: Agent, tmp_path: Path) -> None:
    name = tmp_path.name
    agent.call("run_command", command="cd /usr; export KIND=named", context=name)
    there = agent.call("get_context", context=name)
    assert (there["context"], there["cwd"], there["env"]["KIND"]) == (name, "/usr", "named")
    assert "KIND" not in agent.call("get_context")["env"]
    changed = agent.call("set_context", context=name, cwd="/", env={"A": "1"}, unset=["KIND"])
    assert (changed["cwd"], changed["env"]["A"]) == ("/", "1")
    said = agent.call("run_command", command="echo $PWD $A.$KIND", context=name)["stdout"]
    assert said == "/ 1.\n"


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        ("run_command", {}, "INVALID_MESSAGE: command: expected a value, found none"),
        ("run_command", {"command": 5}, "INVALID_MESSAGE: command: expected a string, got an i"),
        ("run_command", {"command": ":", "timeout": "5"}, "INVALID_MESSAGE: timeout: expected a n"),
        ("run_command", {"command": ":", "timeout": 1e300}, "INVALID_MESSAGE: timeout: expected a"),
        ("run_command", {"command": ":", "shell": 1}, "INVALID_MESSAGE: shell: no such argument; "),
        ("run_command", {"command": ":", "env": {"A=": "b"}}, "INVALID_MESSAGE: env.A=: expected "),
        ("run_command", {"command": "a\0b"}, "INVALID_MESSAGE: command: expected a string without"),
        ("run_command", {"command": ":", "cwd": "/none"}, "spawn_failed: cwd /none: there is no "),
        ("start_process", {"command": ":", "cwd": "/none"}, "spawn_failed: cwd /none: there is no"),
        (
            "list_processes",
            {"x\ny": 1},
            r"INVALID_MESSAGE: x\ny: no such argument; the arguments are: n",
        ),
        ("read_output", {"id": "none"}, "NOT_FOUND: "),
        ("read_output", {"id": "none", "cursor": -1}, "NOT_FOUND: "),
        ("read_output", {"id": ""}, "INVALID_MESSAGE: id: expected a string of length >= 1"),
        ("send_input", {"id": "none", "text": "x"}, "SESSION_ERROR: "),
        ("kill_process", {"id": "none"}, "SESSION_NOT_FOUND: "),
        ("set_context", {"cwd": "/none"}, "INVALID_MESSAGE: cwd: "),
        ("set_context", {"unset": ["A="]}, "INVALID_MESSAGE: unset[0]: expected a name"),
    ],
)
def test_errors_are_one_line(agent: Agent, tool: str, arguments: dict[str, Any], line: str) -> None:
    assert agent.refused(tool, **arguments).startswith(line)


def test_null_is_absent_and_an_unknown_tool_is_an_error_of_mcp(agent: Agent) -> None:
    assert agent.call("run_command", command="true", cwd=None, stdin=None)["exit_code"] == 0
    with pytest.raises(MCPError, match="Unknown tool: rm"):
        agent.call("rm")
