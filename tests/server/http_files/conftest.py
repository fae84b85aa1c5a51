"""An HTTP client of the shared daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.http_files.web import Web

if TYPE_CHECKING:
    from tests.live import Daemon


@pytest.fixture
def web(daemon: Daemon) -> Web:
    return Web(daemon)
