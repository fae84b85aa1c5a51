"""A thousand signals at once give one call, print nothing, and hide no other signal."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from shellwire.process.signal_listener import SignalListener
from tests.live import PATIENCE

_BURST = """
import asyncio, os, signal
from shellwire.process.signal_listener import SignalListener

async def main():
    calls, stop = [], asyncio.Event()
    signals = SignalListener()
    signals.listen(signal.SIGCHLD, lambda: calls.append(1))
    signals.listen(signal.SIGTERM, stop.set)
    for _ in range(5000):
        os.kill(os.getpid(), signal.SIGCHLD)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(stop.wait(), 120)
    signals.close()
    print(len(calls), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)

asyncio.run(main())
"""


def test_a_burst_of_signals() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _BURST], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("1 True\n", "")


async def test_a_signal_wakes_the_loop() -> None:
    signals = SignalListener()
    old = signal.getsignal(signal.SIGUSR1)
    try:
        for _ in range(3):
            came = asyncio.Event()
            signals.listen(signal.SIGUSR1, came.set)
            # Sent from outside, while the loop waits in the kernel.
            killing = await asyncio.create_subprocess_exec("kill", "-USR1", str(os.getpid()))
            await asyncio.wait_for(came.wait(), PATIENCE)
            await killing.wait()
    finally:
        signals.close()
    assert signal.getsignal(signal.SIGUSR1) == old
