"""Host and Origin, case by case: DNS rebinding, foreign pages."""

from __future__ import annotations

import pytest

from shellwire.server.origin import OriginCheck, canonical_host, canonical_origin

OURS = [
    "localhost",
    "localhost:7842",
    "localhost:1",
    "localhost:",
    "LocalHost:7842",
    "localhost.",
    "app.localhost",
    "127.0.0.1",
    "127.0.0.1:7842",
    "127.8.9.10",
    "[::1]",
    "[::1]:7842",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
]
NOT_OURS = [
    "",
    "evil.example",
    "evil.example:7842",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil-localhost",
    "127.0.0.1@evil.example",
    "evil.example@127.0.0.1",
    "localhost/../evil.example",
    "localhost evil.example",
    "localhost,evil.example",
    "localhost:7842:7842",
    "localhost:port",
    "localhost:123456",
    "::1",
    "[::1",
    "[::2]",
    "[localhost]",
    "0.0.0.0",
    "0.0.0.0:7842",
    "127.1",
    "2130706433",
    "192.0.2.1",
    "lócalhost",
]


@pytest.mark.parametrize("host", OURS)
def test_allowed_hosts(host: str) -> None:
    assert OriginCheck("127.0.0.1").refusal([host], [], "127.0.0.1") is None


@pytest.mark.parametrize("host", NOT_OURS)
def test_refused_hosts(host: str) -> None:
    assert "Host" in (OriginCheck("127.0.0.1").refusal([host], [], "127.0.0.1") or "")


@pytest.mark.parametrize(
    ("bound", "local_address", "host"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1:7842"),
        ("0.0.0.0", "192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", "192.0.2.1", "0.0.0.0"),
        ("::", "2001:db8::1", "[2001:0DB8:0::1]:7842"),
        ("2001:DB8::1", None, "[2001:db8::1]"),
        ("Box.example", "192.0.2.1", "box.EXAMPLE:7842"),
    ],
)
def test_the_bound_address_is_allowed(bound: str, local_address: str | None, host: str) -> None:
    assert OriginCheck(bound).refusal([host], [], local_address) is None


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("box.example", "box.example:1"),
        ("box.example:7842", "box.example"),
        ("BOX.example.", "box.example"),
        ("[2001:db8::1]:7842", "[2001:db8::1]"),
        ("2001:db8::1", "[2001:db8::1]:7842"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("bücher.example:1", "xn--bcher-kva.example"),
        ("é:1", "xn--9ca"),
    ],
)
def test_allow_host(allowed: str, host: str) -> None:
    origin = OriginCheck("127.0.0.1", hosts=[allowed])
    assert origin.refusal([host], [], "127.0.0.1") is None
    assert origin.refusal(["other.example"], [], "127.0.0.1") is not None
    assert origin.refusal(["2001"], [], "127.0.0.1") is not None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:7842", "http://localhost:7842"),
        ("localhost:7842", "HTTP://LOCALHOST:7842"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "http://localhost:80"),
        ("localhost:443", "https://localhost"),
        ("[::1]:7842", "http://[::1]:7842"),
        ("localhost:7842", "https://page.example"),
        ("localhost:7842", "https://page.example:8443"),
        ("localhost:7842", "app://shellwire"),
        ("localhost:7842", "https://PAGE.example"),
        ("localhost:7842", "https://page.example:443"),
        ("localhost:7842", "https://other.example"),
        ("localhost:7842", "https://xn--bcher-kva.example:8443"),
        ("localhost:7842", "http://[2001:db8::80]"),
    ],
)
def test_allowed_origins(host: str, origin: str) -> None:
    allowed = ["https://page.example/", "https://page.example:8443", "app://shellwire"]
    allowed += ["https://Other.example:443", "https://bücher.example:8443"]
    allowed += ["http://[2001:db8::80]:80"]
    assert OriginCheck("127.0.0.1", origins=allowed).refusal([host], [origin], None) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:7842", "null"),
        ("localhost:7842", ""),
        ("localhost:7842", "http://evil.example"),
        ("localhost:7842", "http://evil.example:7842"),
        ("localhost:7842", "http://localhost"),
        ("localhost:7842", "http://localhost:3000"),
        ("localhost:7842", "http://127.0.0.1:7842"),
        ("localhost:7842", "https://localhost"),
        ("localhost:443", "http://localhost:80"),
        ("localhost:99999", "http://evil.example:99999"),
        ("localhost:7842", "http://localhost:7842/page"),
        ("localhost:7842", "http://localhost:7842@evil.example"),
        ("localhost:7842", "localhost:7842"),
        ("localhost:7842", "file://"),
        ("localhost:7842", "extension://localhost:7842"),
        ("localhost:7842", "https://page.example.evil.example"),
        ("localhost:7842", "http://page.example"),
    ],
)
def test_refused_origins(host: str, origin: str) -> None:
    check = OriginCheck("127.0.0.1", origins=["https://page.example"])
    assert "Origin" in (check.refusal([host], [origin], None) or "")


@pytest.mark.parametrize(
    "host",
    ["*", "*.example", "a:b:c", "a b", ".", "", "a:port", "[::1", "https://a.example", "a/b"],
)
def test_a_host_that_no_header_can_match(host: str) -> None:
    with pytest.raises(ValueError, match="no Host header can match it"):
        canonical_host(host)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "a.example",
        "https://",
        "https://*",
        "https://*.example",
        "https://u@a.example",
        "https://a.example:",
        "https://a.example:123456",
        "https://a.example/path",
        "https://a,b",
    ],
)
def test_an_origin_that_no_header_can_match(origin: str) -> None:
    with pytest.raises(ValueError, match="no Origin header can match it"):
        canonical_origin(origin)


def test_each_of_several_headers_counts() -> None:
    origin = OriginCheck("127.0.0.1")
    assert origin.refusal([], [], None) is not None
    assert origin.refusal(["localhost", "evil.example"], [], None) is not None
    ours = "http://localhost"
    assert origin.refusal(["localhost"], [ours, ours], None) is None
    assert origin.refusal(["localhost"], [ours, "http://evil.example"], None) is not None
