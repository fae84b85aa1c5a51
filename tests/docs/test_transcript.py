"""The players of transcripts and examples detect every kind of difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.docs import curl, pattern, transcript
from tests.docs.handshake import Raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "<int>"}', {"a": -3}),
        ('{"a": "<float>", …}', {"a": 1.5, "b": None}),
        ('{"a": "<float>"}', {"a": 2}),
        ('"pid <int> of <string>"', "pid 17 of a, b"),
        ('["x", …]', ["x", 1, 2]),
        ('["x", …, "z"]', ["x", "z"]),
        ("[…]", []),
        ('{"a": "… }, …]"}', {"a": "… }, …]"}),
    ],
)
def test_it_fits(text: str, value: Any) -> None:
    assert pattern.mismatch(pattern.parse(text), value) is None


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        ('{"a": 1}', {"a": 1, "b": 2}, "it has ['b'] too"),
        ('{"a": 1, …}', {"b": 2}, "it lacks ['a']"),
        ('{"a": {"b": [1]}}', {"a": {"b": [2]}}, "a.b[0] is 2, not 1"),
        ('{"a": "<int>"}', {"a": True}, "a is True, not '<int>'"),
        ('{"a": 1}', {"a": True}, "a is True, not 1"),
        ('{"a": "<string>"}', {"a": None}, "a is None, not '<string>'"),
        ('"a <int>"', "a b", "it is 'a b', not 'a <int>'"),
        ('"a.c"', "abc", "it is 'abc', not 'a.c'"),
        ('["x", …, "z"]', ["x"], "it has only 1 elements"),
        ("[]", [1], "it has 1 elements, not 0"),
    ],
)
def test_it_does_not_fit(text: str, value: Any, problem: str) -> None:
    assert pattern.mismatch(pattern.parse(text), value) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('> {"type": "ping"}\n< {"type": "pong", "id": "x"}', "lacks"),
        ('> {"type": "ping"}', "more came"),
        ('> {"type": "ping"}\n< close 1000', "pong"),
        (
            '> {"type": "execute", "id": "1", "command": "echo a"}\n'
            '< {"type": "output", "id": "1", "data": "b\\n", …}',
            "data is",
        ),
        ('> {"type": "auth", "client_id": ""}\n< {"type": "status", …}', "MISSING_CLIENT_ID"),
        ("$ shellwire token show please", "extra argument"),
    ],
)
async def test_a_wrong_transcript_fails(daemon: Daemon, text: str, problem: str) -> None:
    with pytest.raises(transcript.Mismatch, match=problem):
        await transcript.Player(daemon, transcript.parse(text)).play()


@pytest.mark.parametrize(
    "text",
    [
        "> GET /ws HTTP/1.1\n> Host: localhost\n>\n< HTTP/1.1 200 OK",
        "> GET /ws HTTP/1.1\n> Host: localhost\n>\n< HTTP/1.1 426 Upgrade Required\n< Upgrade: h2",
        "> GET /ws HTTP/1.1\n> Host: localhost\n>\n< HTTP/1.1 426 Upgrade Required\n<\n< other",
    ],
)
def test_wrong_bytes_fail(daemon: Daemon, text: str) -> None:
    with pytest.raises(AssertionError):
        Raw(daemon, text).play()


@pytest.mark.parametrize("text", ["$ echo a\nb", "$ echo a", "$ echo a; echo b\na\nb…c", "$ :\n…a"])
def test_a_wrong_example_with_curl_fails(daemon: Daemon, tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError):
        curl.play(daemon, text, tmp_path)


def test_a_right_example_with_curl(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    # Other tests may have made the shared daemon delay or refuse wrong tokens.
    right = '$ echo ab; echo c\na…\n…\n$ curl -sS $FILES/ | head -c 7\n{"code"'
    curl.play(own_daemon(), right, tmp_path)


def test_lines_continue() -> None:
    steps = transcript.parse('# words\n> {"a":\n  1}\nlaptop< {"b": 2}\n')
    assert steps == [
        transcript.Step("", ">", '{"a":\n  1}'),
        transcript.Step("laptop", "<", '{"b": 2}'),
    ]
