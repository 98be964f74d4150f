"""Which dialect a request speaks, and the 101 that accepts it.

The two dialects share a path and a port, and nothing but their keys tells them
apart: RFC 6455 has one, ``Sec-WebSocket-Key``, and a version; hixie-76 has two,
``-Key1`` and ``-Key2``, and hides eight bytes behind the head.

A request of both is refused, not resolved: whoever sits in front of us may
have resolved it the other way.

Source: RFC 6455, section 4.2, and draft-hixie-thewebsocketprotocol-76.
"""

from __future__ import annotations

import binascii
from enum import StrEnum

from roomcast.protocol import bearer, hixie76, upgrade
from roomcast.protocol.deflate import Agreement
from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.request import Request

_VERSION = "13"
_KEY_SIZE = 16

# Whoever asks in another version learns which one to ask in. "A server that
# sends a 426 response MUST send an Upgrade header field" (RFC 9110, 15.5.22).
_ASK_IN_VERSION_13 = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", _VERSION))


class Dialect(StrEnum):
    """One of the two protocols spoken after the 101."""

    RFC6455 = "rfc6455"
    HIXIE76 = "hixie76"


def recognise(request: Request) -> Dialect | None:
    """Tell which dialect the request asks for; None if it asks for no WebSocket.

    Raises:
        HandshakeError: If it asks, but not as its dialect demands: with status
            426 for a version other than 13, and 400 for all else.
    """
    # Other upgrades (curl offers h2c) may be ignored (RFC 9110, 7.8), and then
    # this is a plain GET.
    if "websocket" not in request.tokens("upgrade"):
        return None
    if "upgrade" not in request.tokens("connection"):
        # The usual cause is a proxy that passes Upgrade on and not Connection.
        raise _missing("Connection does not say Upgrade, as it must beside Upgrade: websocket")
    has_keys = request.get("sec-websocket-key1") is not None or request.get("sec-websocket-key2") is not None
    if not has_keys:
        _check_rfc6455(request)
        return Dialect.RFC6455
    if request.get("sec-websocket-key") is not None:
        raise HandshakeError("the request has Sec-WebSocket-Key and -Key1 or -Key2: it speaks two dialects")
    hixie76.check(request)
    return Dialect.HIXIE76


def accept(request: Request, dialect: Dialect, *, is_secure: bool = False, agreement: Agreement | None = None) -> bytes:
    """Return the head of the 101 for a request that was recognised.

    For hixie-76 it is not the whole answer: ``hixie76.challenge_response`` has
    to follow, as soon as the eight bytes are there.

    Args:
        request: The request.
        dialect: What ``recognise`` returned for it.
        is_secure: Whether the client spoke TLS, to us or to a trusted proxy.
        agreement: What ``deflate.negotiate`` returned for it. hixie-76 knows no extensions.
    """
    if dialect is Dialect.HIXIE76:
        return hixie76.accept(request, is_secure=is_secure)
    return upgrade.accept(request, agreement)


def subprotocol(request: Request, dialect: Dialect) -> str | None:
    """Return the subprotocol that ``accept`` answers with; None where none was offered."""
    offered = hixie76.subprotocols if dialect is Dialect.HIXIE76 else upgrade.subprotocols
    return bearer.answered(offered(request))


def _check_rfc6455(request: Request) -> None:
    """Refuse a wrong version before a wrong key: what a key is depends on the version."""
    version = request.get("sec-websocket-version")
    key = request.get("sec-websocket-key")
    if version is None and key is None:
        raise _missing("Sec-WebSocket-Key is missing, and so are -Key1 and -Key2")
    if version != _VERSION:
        fault = HandshakeFault.MISSING_HEADER_KEYS if version is None else HandshakeFault.INVALID_HEADER_LINE
        raise HandshakeError(
            f"Sec-WebSocket-Version is not {_VERSION}", status=426, fault=fault, headers=_ASK_IN_VERSION_13
        )
    if key is None:
        raise _missing("Sec-WebSocket-Key is missing")
    if not _is_key(key):
        raise HandshakeError(
            f"Sec-WebSocket-Key is not {_KEY_SIZE} bytes in base64", fault=HandshakeFault.BAD_FIRST_SECURITY_KEY
        )
    bearer.answered(upgrade.subprotocols(request))


def _is_key(key: str) -> bool:
    """Tell whether this is "a base64-encoded value that, when decoded, is 16 bytes in length" (4.2.1)."""
    try:
        decoded = binascii.a2b_base64(key, strict_mode=True)
    except ValueError:
        # Of which binascii.Error is one; a character beyond ASCII is another.
        return False
    # 16 bytes leave four bits of the last letter over, which "MUST be set to zero by
    # conforming encoders" (RFC 4648, 3.5). Or one key would have sixteen spellings.
    return len(decoded) == _KEY_SIZE and binascii.b2a_base64(decoded, newline=False).decode() == key


def _missing(message: str) -> HandshakeError:
    return HandshakeError(message, fault=HandshakeFault.MISSING_HEADER_KEYS)
