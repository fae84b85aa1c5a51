"""A job's bytes in a message, as text and as base64."""

from __future__ import annotations

import pytest

from shellwire.errors import (
    InvalidMessage,
)
from shellwire.protocol.data import decode_data, encode_data


def test_bytes_as_text_and_as_base64() -> None:
    assert encode_data(b"caf\xc3\xa9 \xff", "utf-8") == "café \ufffd"
    assert encode_data(b"\0\xff", "base64") == "AP8="
    assert decode_data("é\0", "utf-8", "data") == b"\xc3\xa9\0"
    assert decode_data("AP8=", "base64", "data") == b"\0\xff"
    assert decode_data("", "base64", "data") == b""


@pytest.mark.parametrize("text", ["A", "AA=", "AA==\n", "A-_A", "é", "\0"])
def test_what_is_not_base64(text: str) -> None:
    with pytest.raises(InvalidMessage, match=r"^stdin_data: expected base64$"):
        decode_data(text, "base64", "stdin_data")
