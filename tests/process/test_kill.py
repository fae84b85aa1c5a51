"""Finding the processes of a job, and signalling exactly these."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shellwire.process import children, kill, proc
from shellwire.process.send_signal import send
from shellwire.process.spawn import spawn
from tests.jobs.observe import reap

# A prefix that no other run of these tests has.
_TAG = b"test-%d." % os.getpid()


def _start(script: str, tag: bytes) -> tuple[int, int]:
    """Start a shell; return its pid and the descriptor of its output."""
    reading, writing = os.pipe()
    pid = spawn(
        [b"/bin/sh", b"-c", script.encode()],
        {**os.environb, kill.TAG_NAME: tag},
        {0: 0, 1: writing, 2: 2},
    )
    os.close(writing)
    return pid, reading


def _pids(reading: int) -> list[int]:
    text = b""
    while not text.endswith(b".\n"):
        text += os.read(reading, 4096)
    os.close(reading)
    return [int(word) for word in text.split()[:-1]]


async def test_members_by_session_descent_and_tag() -> None:
    script = "sleep 98765 >&2 & echo $!; setsid sleep 98765 >&2 & echo $!; sleep 0.05; echo .; wait"
    leader, reading = _start(script, _TAG + b"1")
    stranger, silent = _start("sleep 98765 & echo $!; echo .; wait", _TAG + b"11")
    pids = _pids(reading)
    strangers = _pids(silent)
    for subreaper in (True, False):
        tree = kill.Tree(leader, _TAG + b"1", subreaper=subreaper)
        assert sorted(each.pid for each in await tree.members()) == sorted([leader, *pids])
    assert await kill.end(kill.Tree(leader, _TAG + b"1"))
    reap(leader)
    # A longer tag with the same beginning is another job's.
    assert proc.inspect(stranger) is not None
    everything = kill.AllJobProcesses(_TAG, subreaper=False)
    assert {each.pid for each in await everything.members()} == {stranger, *strangers}
    assert await kill.end(everything)
    reap(stranger)


async def test_a_reused_pid_is_not_signalled() -> None:
    pid, reading = _start("echo .; exec sleep 98765", _TAG + b"2")
    assert _pids(reading) == []
    seen = proc.inspect(pid)
    assert seen is not None
    # As if the pid had been reused meanwhile.
    await send(signal.SIGKILL, [replace(seen, started=seen.started - 1)])
    await send(signal.SIGTERM, [seen])
    assert reap(pid) == -signal.SIGTERM
    await send(signal.SIGKILL, [seen])


async def test_children_forked_meanwhile_are_signalled_too() -> None:
    into, out = os.pipe()
    reading, writing = os.pipe()
    script = b"read line; sleep 98765 & echo $!; echo .; wait"
    environ = {**os.environb, kill.TAG_NAME: _TAG + b"3"}
    pid = spawn([b"/bin/sh", b"-c", script], environ, {0: into, 1: writing, 2: 2})
    os.close(writing)
    seen = proc.inspect(pid)
    assert seen is not None
    os.write(out, b"\n")
    (child,) = _pids(reading)
    assert [each.pid for each in await send(signal.SIGTERM, [seen], [seen])] == [pid, child]
    assert reap(pid) == -signal.SIGTERM
    # The child is an orphan by now: wait until it has ended.
    while (left := proc.inspect(child)) is not None and not left.zombie:
        await kill.wait_gone([left], 20)
    os.close(into)
    os.close(out)


_FORGETS = """
import os, signal
become = lambda *_: os.execvp("sleep", ["sleep", "98765"])
signal.signal(signal.SIGTERM, lambda *_: None)
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, become)
    print(".", flush=True)
    while True:
        signal.pause()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), ".", flush=True)
"""


async def test_a_signal_lost_by_exec_is_sent_again() -> None:
    # Like a shell's child that gets the signal between fork and exec.
    reading, writing = os.pipe()
    argv = [os.fsencode(sys.executable), b"-c", _FORGETS.encode()]
    pid = spawn(argv, {**os.environb, kill.TAG_NAME: _TAG + b"3"}, {0: 0, 1: writing, 2: 2})
    os.close(writing)
    said = b""
    while said != b".\n":
        said += os.read(reading, 2)
    assert await kill.end(kill.Tree(pid, _TAG + b"3"))
    assert _pids(reading) == [-signal.SIGTERM]
    reap(pid)


async def test_wait_gone_returns_on_exit_or_timeout() -> None:
    pid, reading = _start("echo .; read x", _TAG + b"4")
    _pids(reading)
    seen = proc.inspect(pid)
    assert seen is not None
    before = len(os.listdir("/proc/self/fd"))
    await kill.wait_gone([seen], 0.01)
    os.kill(pid, signal.SIGKILL)
    await kill.wait_gone([seen], 3600)
    assert len(os.listdir("/proc/self/fd")) == before
    reap(pid)
    await kill.wait_gone([seen], 3600)


@pytest.mark.parametrize("lacks", ["nothing", "CONFIG_PROC_CHILDREN", "/proc"])
async def test_descendants_come_after_their_parents(
    monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    if lacks != "nothing":
        monkeypatch.setattr(children, "has_children_files", lambda: False)
    if lacks == "/proc":
        monkeypatch.setattr(proc, "has_proc", lambda: False)
    pid, reading = _start("sh -c 'sleep 98765 >&2 & echo $! .; wait' & wait", _TAG + b"5")
    _pids(reading)
    found = [each async for each in children.descendants(os.getpid())]
    seen = {os.getpid()}
    for each in found:
        assert each.ppid in seen
        seen.add(each.pid)
    assert len(found) == len({each.pid for each in found})
    assert {each.pid for each in found} >= {each.pid async for each in children.descendants(pid)}
    all_processes = [each.pid async for each in proc.all_processes()]
    assert {*seen} <= {*all_processes}
    await kill.end(kill.Tree(pid, _TAG + b"5"))
    reap(pid)


@pytest.mark.parametrize("has_proc", [True, False])
def test_no_such_process(monkeypatch: pytest.MonkeyPatch, has_proc: bool) -> None:
    monkeypatch.setattr(proc, "has_proc", lambda: has_proc)
    monkeypatch.setattr(children, "has_children_files", lambda: has_proc)
    assert proc.inspect(2**22 + 1) is None
    assert children.children(2**22 + 1) == []
    assert not proc.environ_has(2**22 + 1, b"PATH", b"", prefix=True)


def test_psutil_and_proc_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    name, value = next(iter(os.environb.items()))
    by_proc, has = proc.inspect(os.getpid()), proc.environ_has(os.getpid(), name, value)
    monkeypatch.setattr(proc, "has_proc", lambda: False)
    by_psutil = proc.inspect(os.getpid())
    assert by_proc is not None
    assert by_psutil is not None
    # Ticks since boot against seconds since 1970; and psutil has no image.
    assert by_psutil == replace(by_proc, started=by_psutil.started, image=0, reaped=0)
    assert has
    assert proc.environ_has(os.getpid(), name, value)
    assert proc.environ_has(os.getpid(), name, value[:1], prefix=True)
    assert not proc.environ_has(os.getpid(), name, value + b"x")


@given(st.binary(min_size=1, max_size=15).filter(lambda name: b"\0" not in name))
def test_any_process_name_is_parsed(name: bytes) -> None:
    # comm may contain parentheses, blanks and line breaks (proc(5)).
    with open("/proc/self/comm", "rb+", buffering=0) as file:
        old = file.read()
        file.write(name)
    try:
        me = proc.inspect(os.getpid())
    finally:
        with open("/proc/self/comm", "wb", buffering=0) as file:
            file.write(old.rstrip(b"\n"))
    assert me is not None
    assert (me.ppid, me.session, me.zombie) == (os.getppid(), os.getsid(0), False)


async def test_the_session_id_is_ignored_once_it_may_be_reused() -> None:
    leader, reading = _start("echo .; exec sleep 98765", _TAG + b"6")
    _pids(reading)
    seen = proc.inspect(leader)
    assert seen is not None
    stranger = replace(seen, pid=1, ppid=0)
    tree = kill.Tree(leader, b"no tag of its")
    assert tree.knows(stranger)
    assert [each.pid for each in await tree.members()] == [leader]
    # As if the pid had been reused after the leader was reaped.
    tree = kill.Tree(leader, b"no tag of its")
    tree.is_leaderless = True
    assert await tree.members() == []
    assert not tree.knows(stranger)
    # Once no member is found any more, the session id proves nothing.
    tree = kill.Tree(leader, b"no tag of its")
    os.kill(leader, signal.SIGKILL)
    reap(leader)
    tree.is_leaderless = True
    assert tree.knows(stranger)
    assert await tree.members() == []
    assert not tree.knows(stranger)
