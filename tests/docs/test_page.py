"""The example page for a browser, tested in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import json
import re
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from tests.components import find
from tests.docs.document import ROOT
from tests.faults.proxy import Proxy
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

    from tests.live import Daemon

_LISTENING = re.compile(r"listening on (ws://\S+)")


class Page:
    """An open page of a browser, controlled through the DevTools protocol."""

    def __init__(self, ws: ClientConnection) -> None:
        self._ws = ws
        self._number = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method; return its result."""
        self._number += 1
        number = self._number
        await self._ws.send(json.dumps({"id": number, "method": method, "params": parameters}))
        async with asyncio.timeout(PATIENCE):
            while True:
                answer: dict[str, Any] = json.loads(await self._ws.recv())
                if answer.get("id") == number:
                    assert "result" in answer, answer
                    return dict(answer["result"])

    async def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE):
            while json.loads(await self._ws.recv()).get("method") != "Page.loadEventFired":
                pass

    async def until(self, condition: str) -> None:
        """Wait until a JavaScript condition is true."""
        await self.do(f"new Promise((r) => setInterval(() => ({condition}) && r(true), 10))")

    async def do(self, script: str) -> Any:
        """Run JavaScript; return its awaited value."""
        done = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def fill(self, **values: str) -> None:
        """Fill in form fields."""
        for name, value in values.items():
            await self.do(f"document.getElementById({name!r}).value = {json.dumps(value)}")

    async def submit(self, form: str) -> None:
        """Submit a form, as Enter does."""
        await self.do(f"document.getElementById({form!r}).requestSubmit()")

    async def shows(self, text: str) -> None:
        """Wait until ``text`` is on the screen."""
        screen = "document.getElementById('screen').textContent"
        await self.until(f"{screen}.includes({json.dumps(text)})")


@pytest.fixture
def site() -> Iterator[str]:
    """Serve the examples; yield their URL."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Handler, directory=str(ROOT / "examples"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[str]:
    """Start a browser; yield the URL of its DevTools protocol."""
    with subprocess.Popen(
        [
            find("chromium") or "chromium",
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--remote-debugging-port=0", f"--user-data-dir={tmp_path}", "about:blank"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            found = next(filter(None, map(_LISTENING.search, process.stderr)), None)
            assert found, "the browser did not start"
            yield found[1]
        finally:
            process.terminate()
            process.communicate()


@contextlib.asynccontextmanager
async def opened(browser: str, url: str) -> AsyncIterator[Page]:
    """Open ``url`` in the browser; yield the page."""
    async with connect(browser, max_size=None, proxy=None, open_timeout=PATIENCE) as ws:
        targets = (await Page(ws).call("Target.getTargets"))["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
    base = browser.rpartition("/devtools/")[0]
    async with connect(
        f"{base}/devtools/page/{target}", max_size=None, proxy=None, open_timeout=PATIENCE
    ) as ws:
        page = Page(ws)
        await page.open(url)
        yield page


@pytest.mark.long
@pytest.mark.needs("chromium")
async def test_the_page(own_daemon: Callable[..., Daemon], site: str, browser: str) -> None:
    daemon = own_daemon("--grace", "0", "--allow-origin", site)
    async with Proxy(daemon.url) as proxy, opened(browser, f"{site}/page.html") as page:
        await page.fill(url=proxy.url, token="wrong")
        await page.submit("login")
        await page.shows("[INVALID_TOKEN: the token is missing or wrong]")
        await page.shows("[closed with 4005]")
        await page.fill(token=daemon.token)
        await page.submit("login")
        await page.until("!text.disabled")
        await page.fill(text="echo $((40 + 2)); read; echo back $((40 + 3))")
        await page.submit("line")
        await page.shows("\n42\n")
        # After a broken connection the page reconnects to its shell.
        await page.do("window.old = ws")
        proxy.cut("rst")
        await page.until("ws !== old && !text.disabled")
        await page.submit("line")
        await page.shows("\nback 43\n")
        await page.fill(text="exit 5")
        await page.submit("line")
        await page.shows("[ended: exited 5]")
