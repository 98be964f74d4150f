"""The 101 of RFC 6455: the proof that its key was read, and what was chosen of what was offered.

Source: RFC 6455; the numbers in comments are its sections.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from roomcast.protocol import bearer
from roomcast.protocol.deflate import Agreement
from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.http import is_token
from roomcast.protocol.request import Request

# "258EAFA5-…": any server that did not mean to speak WebSocket would not know
# this string, so it cannot be tricked into a 101 (1.3).
_ACCEPT_SALT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_token(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key``."""
    digest = hashlib.sha1(key.encode("latin-1") + _ACCEPT_SALT, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def accept(request: Request, agreement: Agreement | None = None) -> bytes:
    """Return the head of the 101 that turns the connection into a WebSocket.

    Of subprotocols the first that is offered is taken, and no token (see
    ``bearer.py``): a room carries whatever its members speak, and a browser that
    offered some gives up when it is told of none.

    Args:
        request: A request that has passed the checks of the handshake.
        agreement: What was negotiated about compression.
    """
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_token(request.get('sec-websocket-key') or '')}",
    ]
    if (answered := bearer.answered(subprotocols(request))) is not None:
        lines.append(f"Sec-WebSocket-Protocol: {answered}")
    if agreement is not None:
        lines.append(f"Sec-WebSocket-Extensions: {agreement.header}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def subprotocols(request: Request) -> list[str]:
    """Return the subprotocols that are offered, in their order.

    Raises:
        HandshakeError: With status 400, if there is the header and it names none,
            one twice, or one that is no token (4.1): the first goes into our answer.
    """
    lines = request.all("sec-websocket-protocol")
    if not lines:
        return []
    # Not request.tokens(): a subprotocol's case counts, and is compared.
    names = [stripped for name in ",".join(lines).split(",") if (stripped := name.strip(" \t"))]
    if not names or not all(map(is_token, names)) or len(set(names)) < len(names):
        raise HandshakeError("Sec-WebSocket-Protocol is not a list of different tokens")
    return names
