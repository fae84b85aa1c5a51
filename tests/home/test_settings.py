"""The defaults are those that README and WIRE promise."""

from __future__ import annotations

from shellwire.home.settings import Settings


def test_defaults() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 7842)
    assert (settings.max_processes, settings.max_queue, settings.max_clients) == (4, 16, 1)
    assert (settings.max_output, settings.buffer) == (67_108_864, 4_194_304)
    assert (settings.grace, settings.ping_interval) == (5.0, 20.0)
    assert (settings.retain, settings.detach_ttl) == (86_400, 604_800)
    assert settings.idle_timeout is None
    assert not settings.insecure_plaintext
    assert settings.rewrite
    assert settings.login_env == "auto"
