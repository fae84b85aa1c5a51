"""Connections cut anywhere: each byte of a job arrives once, or a gap reports it."""

from __future__ import annotations

import asyncio
import random
from hashlib import sha256
from itertools import permutations
from typing import TYPE_CHECKING, Literal, get_args

import pytest

from tests.faults.follow import Follower, Ledger
from tests.faults.proxy import Ending, Proxy
from tests.live import PATIENCE
from tests.server.test_attach import attached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.live import Daemon

CUTS = 25
SIZE = 1_200_000

# In the handshake, in the first messages, and anywhere.
REACHES = (300, 3_000, 100_000, 1_000_000)


@pytest.fixture
async def proxy(daemon: Daemon) -> AsyncIterator[Proxy]:
    """Yield a proxy in front of the shared daemon."""
    async with Proxy(daemon.url) as proxy:
        yield proxy


def _content(path: Path, rng: random.Random) -> bytes:
    """Write a file of characters of all lengths, broken ones and random bytes; return its bytes."""
    letters = "".join(rng.choices("ab\n é€😀", k=SIZE // 4)).encode()
    content = letters + rng.randbytes(SIZE - len(letters))
    path.write_bytes(content)
    return content


def expected(content: bytes, ledger: Ledger) -> str:
    """Return the hash of what a job that wrote ``content`` must deliver: all but the gaps."""
    left = bytearray(content)
    for begin, end in reversed(ledger.holes):
        del left[begin:end]
    return sha256(left).hexdigest()


async def _cut_everywhere(proxy: Proxy, follower: Follower, rng: random.Random) -> None:
    """Follow all jobs to their end; the first connections end at random points in random ways."""
    for _ in range(CUTS):
        proxy.cut_after(rng.randrange(rng.choice(REACHES)), rng.choice(get_args(Ending)))
    async with asyncio.timeout(PATIENCE):
        await follower.follow()
    # If gaps skip much output, few of the planned cuts are reached.
    assert follower.connections > 2


@pytest.mark.parametrize("seed", range(6))
async def test_no_loss_within_the_buffer(
    daemon: Daemon, proxy: Proxy, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    content = _content(tmp_path / "content", rng)
    follower = Follower(lambda: proxy.url, daemon.token, f"cut-{seed}", proxy=proxy)
    read = f"cat {tmp_path}/content"
    ledgers = [
        follower.add("whole", read),
        follower.add("window", read, window=50_000),
        follower.add(
            "slow",
            f"for at in {{0..9}}; do tail -c +$((at * {SIZE // 10} + 1)) "
            f"{tmp_path}/content | head -c {SIZE // 10}; sleep 0.02; done",
        ),
    ]
    both = follower.add("both", f"{read} & {read} >&2; wait")
    await _cut_everywhere(proxy, follower, rng)
    for ledger in (*ledgers, both):
        assert ledger.holes == []
        assert ledger.digest() == sha256(content).hexdigest()
        assert ledger.last is not None
        assert (ledger.last["reason"], ledger.last["exit_code"]) == ("exited", 0)
    assert both.digest("stderr") == sha256(content).hexdigest()


@pytest.mark.parametrize("seed", range(3))
async def test_gaps_are_exact(own_daemon: Callable[..., Daemon], tmp_path: Path, seed: int) -> None:
    daemon = own_daemon("--buffer", "65536")
    rng = random.Random(seed)
    content = _content(tmp_path / "content", rng)
    async with Proxy(daemon.url) as proxy:
        follower = Follower(lambda: proxy.url, daemon.token, "cut", proxy=proxy)
        read = f"cat {tmp_path}/content"
        ledgers = [
            follower.add("whole", read),
            follower.add("window", read, window=50_000),
            follower.add("again", f"{read}; {read}"),
        ]
        await _cut_everywhere(proxy, follower, rng)
    for ledger, times in zip(ledgers, (1, 1, 2), strict=True):
        assert ledger.digest() == expected(content * times, ledger)
        assert ledger.seen == times * SIZE
    assert any(ledger.holes for ledger in ledgers)


Step = Literal["new", "attach", "old ends", "writes"]


ORDERS = [
    order for order in permutations(get_args(Step)) if order.index("new") < order.index("attach")
]


@pytest.mark.parametrize("ending", get_args(Ending))
@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
async def test_old_and_new_sockets_in_every_order(
    daemon: Daemon, proxy: Proxy, tmp_path: Path, ending: Ending, order: tuple[Step, ...]
) -> None:
    content = random.Random(0).randbytes(SIZE)
    (tmp_path / "content").write_bytes(content)
    half, gate = SIZE // 2, tmp_path / "gate"
    old = await daemon.client(f"in order {order} {ending}", url=proxy.url)
    await old.start(
        f"cd {tmp_path}; head -c {half} content; while [ ! -e gate ]; do sleep 0.005; done;"
        f" tail -c +{half + 1} content",
        id="job",
        encoding="base64",
    )
    ledger = Ledger({"id": "job"})
    while ledger.seen < half:
        ledger.take((await old.until("output", id="job"))[-1])
    for step in order:
        if step == "new":
            new = await daemon.client(old.id)
        elif step == "attach":
            await attached(new, "job", after=half, encoding="base64")
        elif step == "old ends":
            proxy.cut(ending)
        else:
            gate.touch()
    for message in (await new.finish("job")).messages:
        ledger.take(message)
    assert ledger.holes == []
    assert ledger.digest() == sha256(content).hexdigest()
    assert (await new.ask({"type": "ping"}))["type"] == "pong"
    old.ws.transport.abort()
    await new.close()
