"""The WebSocket protocol of a client, without I/O: the library's settings, and how it ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import CloseCode
from websockets.uri import parse_uri

from shellwire.errors import InvalidAnswer
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE

if TYPE_CHECKING:
    from websockets.uri import WebSocketURI

    from shellwire.client.http_head import Head

_LOGGER = logging.getLogger(__name__)
_LOGGER.setLevel(logging.INFO)  # for DEBUG the library writes frames: the token would be in the log


class SocketClosed(Exception):
    """The connection has ended, with this close code and reason; 1006 without a close frame."""

    def __init__(self, code: int = CloseCode.ABNORMAL_CLOSURE, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = int(code)
        self.reason = reason


class HandshakeRefused(Exception):
    """The server has answered the handshake with another status than 101, or an invalid 101."""

    def __init__(self, head: Head) -> None:
        super().__init__(head.status)
        self.status = head.status
        self.headers = head.headers


def websocket_uri(url: str) -> WebSocketURI:
    """Parse a ``ws`` or ``wss`` URL. Characters that a request line can't have are quoted."""
    uri = parse_uri(url)
    uri.path = quote(uri.path, safe="%/:@!$&'()*+,;=-._~")
    uri.query = quote(uri.query, safe="%/?:@!$&'()*+,;=-._~[]{}\"")
    return uri


def client_protocol(uri: WebSocketURI) -> ClientProtocol:
    """Return the protocol of one connection; it limits messages, while it inflates them too."""
    deflate = ClientPerMessageDeflateFactory(
        client_max_window_bits=True, compress_settings={"level": 1}
    )
    return ClientProtocol(uri, extensions=[deflate], max_size=MAX_DAEMON_MESSAGE, logger=_LOGGER)


def end_of(protocol: ClientProtocol) -> InvalidAnswer | SocketClosed | None:
    """Return how the peer has ended a connection: by a broken frame, or by a close frame."""
    error, close = protocol.parser_exc, protocol.close_rcvd
    if isinstance(error, PayloadTooBig):
        return InvalidAnswer(f"a message of more than {MAX_DAEMON_MESSAGE} bytes")
    if error is not None:
        return InvalidAnswer(f"a broken frame: {error}")
    return None if close is None else SocketClosed(close.code, close.reason)
