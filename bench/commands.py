"""What a command costs, against starting a shell."""

from __future__ import annotations

import os
import threading
import time
from itertools import count

from bench.measure import Row, back_to_back, median, paced, spawn_bash
from bench.wire import Client, Daemon

_numbers = count()


def _job() -> str:
    return f"j{next(_numbers)}"


def roundtrips() -> list[Row]:
    """One client, ``:``, paced and back to back, with state that changes and that does not."""
    with Daemon() as daemon:
        client = Client(daemon)
        for _ in range(50):
            client.run(_job(), ":")
            spawn_bash()
        # In turns, so that the machine's speed drifts under both alike.
        ours: list[float] = []
        bare: list[float] = []
        for _ in range(10):
            ours += paced(lambda: client.run(_job(), ":"), 40)
            bare += paced(spawn_bash, 40)
        rate = back_to_back(lambda: client.run(_job(), ":"), 500) / back_to_back(spawn_bash, 500)
        changing = back_to_back(
            lambda: client.run(_job(), f"export N={next(_numbers)}"), 500
        ) / back_to_back(spawn_bash, 500)
        ratio = median(ours) / median(bare)
        detail = f"p50 {median(ours) * 1e3:.2f} ms; bare bash {median(bare) * 1e3:.2f} ms"
        return [
            Row("round trip of `:`, 4 ms apart", f"{ratio:.2f}", "≤ 0.5", ratio <= 0.5, detail),
            Row("the same back to back", f"{rate:.2f}", "≤ 1.2", rate <= 1.2),
            Row("back to back, `export N=$k`", f"{changing:.2f}", "≤ 1.2", changing <= 1.2),
        ]


def parallel() -> list[Row]:
    """Four clients at once, against bare spawns from two threads."""
    times = 250

    def bare() -> float:
        threads = [
            threading.Thread(target=back_to_back, args=(spawn_bash, times))
            for _ in range(os.cpu_count() or 1)
        ]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(threads) * times / (time.perf_counter() - begun)

    with Daemon() as daemon:
        clients = [Client(daemon, f"c{number}") for number in range(4)]

        def ours() -> float:
            threads = [
                threading.Thread(target=back_to_back, args=(lambda c=c: c.run(_job(), ":"), times))
                for c in clients
            ]
            begun = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return len(clients) * times / (time.perf_counter() - begun)

        ours()
        ratio = median([ours() / bare() for _ in range(3)])
    return [Row("four clients at once", f"{ratio:.2f}", "≥ 0.8", ratio >= 0.8, "rate, 2 cores")]
