"""What a peer can get wrong, each fault carrying the answer it deserves.

A fault before the 101 is answered with an HTTP status, one after it with a
close code. Both travel on the error, so that nobody at the edge has to turn
types into numbers; and where the rule is a setting, its name does, so that
whoever counts need not read messages. A message names the value and the rule it
broke; it may reach a log and the peer, so it never quotes a payload.
"""

from __future__ import annotations

from enum import Enum

from roomcast.protocol.frames import CloseCode


class ProtocolError(Exception):
    """The peer broke a rule of its dialect."""


class HandshakeFault(Enum):
    """The six ways in which a handshake fails, as the library of 2010 told them apart.

    Callers of the 2010 API match on these; new causes are sorted into the six.
    """

    IO_ERROR = "I/O error"
    INVALID_GET_REQUEST = "invalid GET request"
    INVALID_HEADER_LINE = "invalid header line"
    MISSING_HEADER_KEYS = "missing header keys"
    BAD_FIRST_SECURITY_KEY = "bad first security key"
    BAD_SECOND_SECURITY_KEY = "bad second security key"


class HandshakeError(ProtocolError):
    """The request cannot become a WebSocket; ``status`` and ``headers`` are the answer to send.

    ``limit`` is the setting that it exceeds, None where it breaks another rule.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        fault: HandshakeFault = HandshakeFault.INVALID_HEADER_LINE,
        headers: tuple[tuple[str, str], ...] = (),
        limit: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.fault = fault
        self.headers = headers
        self.limit = limit


class FrameError(ProtocolError):
    """The bytes after the handshake cannot be read on; ``close_code`` is the answer to send.

    ``limit`` is the setting that they exceed, None where they break another rule.
    """

    def __init__(self, message: str, close_code: CloseCode, *, limit: str | None = None) -> None:
        super().__init__(message)
        self.close_code = close_code
        self.limit = limit


def broken_rule(message: str) -> FrameError:
    """Return the fault of a peer that does not speak its dialect: 1002, the commonest."""
    return FrameError(message, CloseCode.PROTOCOL_ERROR)


def over_limit(message: str, limit: str) -> FrameError:
    """Return the fault of a message that is "too big … to process" (RFC 6455, 7.4.1): 1009, for its fragments too.

    1008 is what a client hears that sends too often.
    """
    return FrameError(message, CloseCode.TOO_BIG, limit=limit)
