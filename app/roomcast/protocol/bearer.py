"""Where in a request a token may be, and the subprotocol that is one.

A program puts it into ``Authorization``. A page in a browser cannot set headers of
a WebSocket, but can offer subprotocols: ``["roomcast.raw", "bearer.<token>"]``. A
browser hangs up when it offers some and none is answered, and the token must not
be (answers are logged by proxies), so it has to offer another one, which is.

A cookie, and the parameter ``token`` of the query, are looked at where the
configuration says so. A token in two places is one, if it is the same; of two
different ones none is chosen: whoever sits in front of us may have judged by the
other one. Errors never quote a token.

Source: RFC 6750 for the header, RFC 6265 for cookies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.request import Request

PREFIX = "bearer."
"""How a subprotocol begins that is a token: in lower case, as one is compared (RFC 6455, 4.1)."""

# RFC 6455 parts subprotocols by commas, hixie-76 by spaces. No token holds either.
_BETWEEN_SUBPROTOCOLS = re.compile(r"[, \t]+")
_BEARER = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TokenPlaces:
    """Where a token is looked for, beside ``Authorization`` and the subprotocols.

    Attributes:
        cookie: The name of a cookie; empty: in none.
        is_query_read: Whether ``?token=`` is one.
    """

    cookie: str = ""
    is_query_read: bool = False


def find_token(request: Request, places: TokenPlaces) -> str | None:
    """Return the token of a request, None if it has none.

    Raises:
        HandshakeError: With status 400, if it has two different ones, or an empty one, or a subprotocol
            that is one but for its case.
    """
    found = {
        *_in_authorization(request),
        *_in_subprotocols(request),
        *(_in_cookies(request, places.cookie) if places.cookie else ()),
        *(_in_query(request) if places.is_query_read else ()),
    }
    if len(found) > 1:
        raise HandshakeError(f"the request has {len(found)} different tokens, not one")
    if "" in found:
        raise HandshakeError("the request has a place for a token, and nothing in it")
    return found.pop() if found else None


def credentials(authorization: str) -> str | None:
    """Return what a header ``Authorization`` shows by the scheme Bearer, maybe nothing; None of another scheme."""
    shown = _BEARER.fullmatch(authorization)
    return shown and (shown[1] or "")


def answered(offered: Sequence[str]) -> str | None:
    """Return the subprotocol to answer with: the first that is no token; None, where none is offered.

    Raises:
        HandshakeError: With status 400, if only tokens are offered, or one that is one but for its case.
    """
    others = [name for name in offered if not _is_token(name)]
    if others:
        return others[0]
    if offered:
        raise HandshakeError(
            'the only subprotocol that is offered is bearer.…, which is never answered: offer "roomcast.raw", too'
        )
    return None


def _in_authorization(request: Request) -> Iterator[str]:
    # Other schemes are for whoever sits in front of us.
    for value in request.all("authorization"):
        if (token := credentials(value)) is not None:
            yield token


def _in_subprotocols(request: Request) -> Iterator[str]:
    for line in request.all("sec-websocket-protocol"):
        for name in _BETWEEN_SUBPROTOCOLS.split(line):
            if _is_token(name):
                yield name.removeprefix(PREFIX)


def _is_token(name: str) -> bool:
    if name.startswith(PREFIX):
        return True
    # Whoever writes "Bearer.", as in Authorization, means a token, which no answer may repeat.
    if name.lower().startswith(PREFIX):
        raise HandshakeError("a subprotocol that is a token begins with bearer. in lower case")
    return False


def _in_cookies(request: Request, name: str) -> Iterator[str]:
    for line in request.all("cookie"):
        for pair in line.split(";"):
            key, equals, value = pair.strip(" \t").partition("=")
            if equals and key == name:
                yield value.strip('"')


def _in_query(request: Request) -> Iterator[str]:
    for pair in request.target.partition("?")[2].split("&"):
        key, _, value = pair.partition("=")
        if key == "token":
            yield unquote(value)
