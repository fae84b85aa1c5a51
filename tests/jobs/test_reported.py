"""A command ends with its shell's report if nothing can follow, otherwise with the exit.

Each test stops the shell between the two (``held.hold``): what the client has got by then, it got
by the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.held import hold
from tests.jobs.observe import FOREVER, is_alive
from tests.jobs.reported import runs_still
from tests.server.observe import job_info, wait_state
from tests.server.principals import mint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon


@pytest.mark.parametrize("fields", [{}, {"is_pty": True}, {"collect": True}], ids=str)
async def test_the_result_comes_before_the_exit(
    patient: Daemon, waiter: Client, fields: dict[str, Any]
) -> None:
    """For a shell that is stopped before its exit: all output, the code, the state; pids."""
    held = await hold(waiter, "cd /usr; A=1; seq 20000; (exit 4)", **fields)
    ran = await waiter.finish(held.job)
    assert (ran.last["reason"], ran.code, ran.last["signal"]) == ("exited", 4, None)
    assert (ran.last["committed"], ran.last["cwd"]) == (True, "/usr")
    out = ran.last["stdout"] if "collect" in fields else ran.out
    assert out.split()[-1] == "20000"
    info = await job_info(waiter, held.job)
    assert (info["state"], info["pids"], info["exit_code"]) == ("ended", [held.pid], 4)
    held.go()
    await held.gone(patient)
    info = await job_info(waiter, held.job)
    assert (info["state"], info["pids"], info["exit_code"]) == ("ended", [], 4)
    assert (await waiter.run("echo $PWD $A")).out == "/usr 1\n"


@pytest.mark.parametrize("trap", ["trap 'echo bye' EXIT", "trap '' EXIT", "trap - EXIT"])
async def test_an_exit_trap_of_the_users(patient: Daemon, waiter: Client, trap: str) -> None:
    held = await hold(waiter, trap)
    assert await runs_still(waiter, held)
    held.go()
    ran = await waiter.finish(held.job)
    assert ran.out == ("bye\n" if "bye" in trap else "")
    assert (ran.code, ran.last["committed"]) == (0, True)


async def test_the_daemons_own_trap_set_again(patient: Daemon, waiter: Client) -> None:
    command = "old=$(trap -p EXIT); trap 'echo no' EXIT; eval \"$old\"; unset old"
    held = await hold(waiter, command)
    assert (await waiter.finish(held.job)).out == ""
    held.go()
    await held.gone(patient)


@pytest.mark.parametrize(
    "command",
    [
        f"{FOREVER} &",
        f"({FOREVER}; true) &",
        f"coproc {FOREVER}",
        f"exec 3> >({FOREVER})",
        f"{FOREVER} & disown -a",
        f"setsid {FOREVER} &",
    ],
)
@pytest.mark.parametrize("is_pty", [False, True])
async def test_children_of_the_shell(
    patient: Daemon, waiter: Client, command: str, is_pty: bool
) -> None:
    held = await hold(waiter, command, is_pty=is_pty)
    assert await runs_still(waiter, held)
    held.go()
    await waiter.finish(held.job)
    await waiter.send({"type": "kill_session", "id": held.job})
    await wait_state(waiter, held.job, "ended")


async def test_orphans_are_in_the_background_only_after_the_exit(
    patient: Daemon, waiter: Client
) -> None:
    held = await hold(waiter, f"({FOREVER} & echo $!)")
    orphan = int((await waiter.finish(held.job)).out)
    info = await job_info(waiter, held.job)
    assert (info["state"], held.pid in info["pids"]) == ("ended", True)
    held.go()
    info = await wait_state(waiter, held.job, "background")
    assert info["pids"] == [orphan]
    assert (await waiter.ask({"type": "kill_session", "id": held.job}))["type"] == "ack"
    await wait_state(waiter, held.job, "ended")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("set -e; false; echo no", 1),
        ("set -u; : $nosuch; echo no", 127),
        ("exec true", 0),
        ("exec nosuchprogram", 127),
        ("echo one; if", 2),
        ("kill -9 $$", -9),
        ("kill -TERM $$; sleep 9", -15),
        ("exec 210>&- 213>&-; (exit 3)", 2),
        ("exec 213>&-; (exit 3)", 3),
        ('for fd in {3..255}; do eval "exec $fd>&-"; done; (exit 3)', 2),
        ("enable -n printf builtin trap exit; (exit 3)", None),
        ("printf() { :; }; exit() { :; }; trap() { :; }; (command exit 3)", 3),
        ('builtin() { command builtin "$@"; }; (command exit 3)', 3),
        ("set -o posix; (exit 3)", 3),
        ("ulimit -f 0; (exit 3)", 3),
        ("__shellwire_s=1; declare -i __shellwire_s; (exit 3)", 3),
    ],
)
async def test_other_ends(client: Client, command: str, code: int | None) -> None:
    """As without the report: the exit code of the shell, and one result."""
    ran = await client.run(command)
    assert ran.last["reason"] == "exited"
    assert code is None or ran.code == code
    assert len(ran.of_type("result")) == 1


async def test_the_end_of_the_pipe_says_nothing(client: Client) -> None:
    job = await client.start("exec 213>&-; echo closed; read -r x; echo $x", open_stdin=True)
    await client.output_until(job, "closed\n")
    await client.ask({"type": "ping"})
    assert (await job_info(client, job))["state"] == "running"
    await client.send({"type": "send_input", "id": job, "data": "later\n"})
    ran = await client.finish(job)
    assert (ran.out, ran.code) == ("later\n", 0)


# Our own token, from the text of our trap: a command can find it.
_TOKEN = (
    "t=$(trap -p EXIT); t=${t##*'\\0%s\" '}; t=${t%%;*}; t=${t//[^0-9a-f]}; "
    "[[ $t =~ ^[0-9a-f]{16}$ ]] || exit 9; "
)


@pytest.mark.parametrize(
    "forged",
    [
        "echo junk >&213",
        "echo 0123456789abcdef 0 >&213",
        "printf %0100d 7 >&213",
        f"{_TOKEN} echo $t >&213",
        f"{_TOKEN} echo $t 256 >&213",
        f"{_TOKEN} echo $t 07 >&213",
        f"{_TOKEN} echo $t -1 >&213",
        f"{_TOKEN} printf '%s 0\\n%s 0\\n' $t $t >&213",
        f"{_TOKEN} printf '%s 0' $t >&213",
        f"{_TOKEN} printf ' %s 0\\n' $t >&213",
        # The line is right, but there is no report.
        f"{_TOKEN} echo $t 0 >&213",
        # More than a pipe holds.
        "for i in {1..300}; do printf %01000d 0 >&213; done",
    ],
)
async def test_a_forged_line(client: Client, forged: str) -> None:
    """The line is ignored, and so is the real one after it: the exit decides."""
    job = await client.start(f"{forged}; echo said; read -r _; A=1; (exit 5)", open_stdin=True)
    await client.output_until(job, "said\n")
    await client.ask({"type": "ping"})
    assert (await job_info(client, job))["state"] == "running"
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    ran = await client.finish(job)
    assert (ran.code, ran.last["reason"], ran.last["committed"]) == (5, "exited", True)
    assert (await client.run("echo $A")).out == "1\n"


_REPORT = (
    "{ trap -p EXIT; printf '%s\\0' $t; pwd; printf '\\0\\0\\0\\0\\0%s' $t; } >&210; "
    "echo $t 0 >&213; "
)


@pytest.mark.long
async def test_a_forged_report_ends_the_shell_after_two_seconds(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    client = await daemon.client()
    ran = await client.run(f"echo $$; {_TOKEN} {_REPORT} while :; do :; done")
    assert (ran.code, ran.last["reason"]) == (0, "exited")
    assert is_alive(pid := int(ran.out))
    assert (await client.run("echo next")).out == "next\n"
    assert not is_alive(pid)
    log = (daemon.home / "daemon.log").read_text()
    assert f"process {pid} has not exited 2 s after its report" in log
    await client.close()


async def test_a_principal_with_a_quota_has_one_such_shell(patient: Daemon) -> None:
    """Its second shell ends by its exit; the owner's does not wait for that."""
    token = await mint(patient, "ann")
    first, second = [await patient.client(name, token=token) for name in ("a", "b")]
    held = await hold(first, ":")
    await first.finish(held.job)
    also = await hold(second, "(exit 5)")
    assert await runs_still(second, also)
    owner = await patient.client()
    assert (await owner.run("echo owner")).out == "owner\n"
    also.go()
    assert (await second.finish(also.job)).code == 5
    held.go()
    await held.gone(patient)
    for client in (first, second, owner):
        await client.close()
