"""Tokens that open nothing: forged, ended, elsewhere, twice, in the wrong place; and members that do what they may not.

Rules: RFC 6750 for where they are, RFC 7515 and 7519 for what they are, RFC 8725 for what
others got wrong; "access" for the room itself.
"""

from __future__ import annotations

import base64
import json
from typing import Final

from tests.event_source import stream_head
from tests.hostile.cases import Case, Outcome, Step
from tests.hostile.outcomes import Accepted, Closed, Refused, Streamed
from tests.hostile.steps import read_until
from tests.tokens import SECRET, hs256, signer
from tests.wire import BINARY, KEY3, TEXT, frame, get, hixie76_head, rfc6455_head

CLOSED: Final = "/closed/hostile"
_SETTINGS: Final = (
    f"tokens.secret={SECRET}",
    'rooms=[{"name": "rooms", "path": "/rooms/{room}"},'
    ' {"name": "closed", "path": "/closed/{room}", "access": "token", "presence": true}]',
)
_AND_OTHERS: Final = (*_SETTINGS, "tokens.cookie=session", "tokens.query=true")

_US: Final = hs256(SECRET.encode())
_GOOD: Final[dict[str, object]] = {"exp": 2**33, "rooms": [CLOSED], "actions": ["subscribe", "publish"]}
_TOKEN: Final = _US.token(_GOOD)
_HEARER: Final = _US.token(_GOOD | {"actions": ["subscribe"]})

UNAUTHORIZED: Final = Refused(401, "token", "rfc6455")
FORBIDDEN: Final = Refused(403, "forbidden", "rfc6455")
TWO: Final = Refused(400, "malformed", "rfc6455")
# What is wrong with subprotocols is known before anybody knows which dialect it is.
MALFORMED: Final = Refused(400, "malformed")
MAY_NOT: Final = Closed(4403, "forbidden action=publish")


def _part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(header: bytes, payload: bytes) -> str:
    signed = f"{_part(header)}.{_part(payload)}"
    return f"{signed}.{_part(_US.sign(signed.encode()))}"


_HEADER, _PAYLOAD, _SIGNATURE = _TOKEN.split(".")
_REFUSED: Final = {
    "of no algorithm": f"{_part({'alg': 'none'})}.{_PAYLOAD}.",
    "of no algorithm, in capitals": f"{_part({'alg': 'NONE'})}.{_PAYLOAD}.{_SIGNATURE}",
    "of an algorithm that is a list": f"{_part({'alg': ['HS256']})}.{_PAYLOAD}.{_SIGNATURE}",
    "of another algorithm": _US.token(_GOOD, alg="HS512"),
    "of another secret": hs256(SECRET[::-1].encode()).token(_GOOD),
    "of no secret": hs256(b"").token(_GOOD),
    "of a key of its own": signer("EdDSA").token(_GOOD, jwk=signer("EdDSA").jwk),
    "of a key at a URL of its own": signer("RS256").token(_GOOD, jku="http://127.0.0.1:1/"),
    "of a key that is a file": _US.token(_GOOD, kid="../../../../dev/null", alg="RS256"),
    "without a signature": f"{_HEADER}.{_PAYLOAD}.",
    "with claims of its own": f"{_HEADER}.{_part(_GOOD | {'sub': 'admin'})}.{_SIGNATURE}",
    "with an extension": _US.token(_GOOD, crit=["exp"]),
    "whose payload is elsewhere": _US.token(_GOOD, b64=False, crit=["b64"]),
    "in two parts": f"{_HEADER}.{_PAYLOAD}",
    "in five parts": f"{_HEADER}.{_PAYLOAD}.{_SIGNATURE}.a.b",
    "of nothing but dots": "..",
    "of 10,000 letters": "a" * 10_000,
    "of 5,000 brackets": _signed(b'{"alg":"HS256"}', b"[" * 5000),
    "that ends in 5,000 digits": _signed(b'{"alg":"HS256"}', b'{"exp":' + b"9" * 5000 + b"}"),
    "that ends never": _US.token({"rooms": [CLOSED]}),
    "that has ended": _US.token(_GOOD | {"exp": 1}),
    "that ends at no number": _US.token(_GOOD | {"exp": float("nan")}),
    "that ends at true": _US.token(_GOOD | {"exp": True}),
    "for tomorrow": _US.token(_GOOD | {"nbf": 2**33}),
    "issued tomorrow": _US.token(_GOOD | {"iat": 2**33}),
    "for a room that cannot be": _US.token(_GOOD | {"rooms": ["/closed/../hostile"]}),
    "for 101 rooms": _US.token(_GOOD | {"rooms": [CLOSED] * 101}),
    "for rooms that are a text": _US.token(_GOOD | {"rooms": CLOSED}),
    "to do what nobody can": _US.token(_GOOD | {"actions": ["publish", "admin"]}),
    "of somebody with a line of his own": _US.token(_GOOD | {"sub": "alice\r\nX: y"}),
}
_ELSEWHERE: Final[dict[str, dict[str, object]]] = {
    "for another room": {"rooms": ["/closed/other"]},
    "for rooms that begin alike": {"rooms": [f"{CLOSED}/{{rest...}}"]},
    "for the same room in another spelling": {"rooms": ["/closed/HOSTILE"]},
    "for no room": {"rooms": []},
    "to do nothing": {"actions": []},
}
_PLACES: Final[dict[str, tuple[bytes, Outcome]]] = {
    "two in one header": (rfc6455_head(CLOSED, f"Authorization: Bearer {_TOKEN}, Bearer {_TOKEN}"), UNAUTHORIZED),
    "two headers that agree": (rfc6455_head(CLOSED, *[f"Authorization: Bearer {_TOKEN}"] * 2), Accepted()),
    "two headers that do not": (
        rfc6455_head(CLOSED, f"Authorization: Bearer {_TOKEN}", f"Authorization: Bearer {_HEARER}"),
        TWO,
    ),
    "a header and a subprotocol that do not agree": (
        rfc6455_head(CLOSED, f"Authorization: Bearer {_TOKEN}", f"Sec-WebSocket-Protocol: a, bearer.{_HEARER}"),
        TWO,
    ),
    "a bad one behind a good one": (
        rfc6455_head(CLOSED, f"Sec-WebSocket-Protocol: a, bearer.{_TOKEN}, bearer.x"),
        TWO,
    ),
    "the same subprotocol twice": (
        rfc6455_head(CLOSED, f"Sec-WebSocket-Protocol: bearer.{_TOKEN}, a, bearer.{_TOKEN}"),
        MALFORMED,
    ),
    "nothing but a token": (rfc6455_head(CLOSED, f"Sec-WebSocket-Protocol: bearer.{_TOKEN}"), MALFORMED),
    "nothing but tokens": (rfc6455_head(CLOSED, f"Sec-WebSocket-Protocol: bearer.{_TOKEN}, bearer.x"), MALFORMED),
    "nothing but a token, to hixie-76": (
        hixie76_head(CLOSED, f"Sec-WebSocket-Protocol: bearer.{_TOKEN}") + KEY3,
        MALFORMED,
    ),
    "a subprotocol in capitals": (rfc6455_head(CLOSED, f"Sec-WebSocket-Protocol: BEARER.{_TOKEN}"), MALFORMED),
    "a place with nothing in it": (rfc6455_head(CLOSED, "Authorization: Bearer"), TWO),
    "another scheme": (rfc6455_head(CLOSED, f"Authorization: Basic {_TOKEN}"), UNAUTHORIZED),
    "a cookie": (rfc6455_head(CLOSED, f"Cookie: session={_TOKEN}"), UNAUTHORIZED),
    "the query": (rfc6455_head(f"{CLOSED}?token={_TOKEN}"), UNAUTHORIZED),
    "none": (rfc6455_head(CLOSED), UNAUTHORIZED),
    "none, to hixie-76": (hixie76_head(CLOSED) + KEY3, Refused(401, "token", "hixie76")),
    "none, by a plain GET": (get(CLOSED), Refused(401, "token")),
    "none, for an event stream": (stream_head(CLOSED), Refused(401, "token", "sse")),
    "one that may not hear, for an event stream": (
        stream_head(CLOSED, f"Authorization: Bearer {_US.token(_GOOD | {'actions': ['publish']})}"),
        Refused(403, "forbidden", "sse"),
    ),
    "one that may, for an event stream": (stream_head(CLOSED, f"Authorization: Bearer {_HEARER}"), Streamed("gone")),
    "a good one, by a strange page": (
        rfc6455_head(CLOSED, f"Authorization: Bearer {_TOKEN}", "Origin: https://evil.example"),
        Refused(403, "origin", "rfc6455"),
    ),
}
_TOSSED: Final = {
    "two cookies of one name": rfc6455_head(CLOSED, f"Cookie: session={_TOKEN}; session=x"),
    "two lines of cookies": rfc6455_head(CLOSED, f"Cookie: session={_TOKEN}", "Cookie: session=x"),
    "two in the query": rfc6455_head(f"{CLOSED}?token={_TOKEN}&token=x"),
    "a cookie and the query that do not agree": rfc6455_head(f"{CLOSED}?token=x", f"Cookie: session={_TOKEN}"),
}


def _enter(token: str, *lines: str) -> tuple[Step, ...]:
    return rfc6455_head(CLOSED, f"Authorization: Bearer {token}", *lines), read_until(b"\r\n\r\n")


_FORBIDDEN: Final = {
    "a text": frame(TEXT, b"not for you to say"),
    "bytes": frame(BINARY, bytes(1000)),
    "a message in two": frame(TEXT, b"not", is_final=False) + frame(0, b"for you"),
    "a thousand messages": frame(TEXT, b"a") * 1000,
}

CASES: Final = [
    *(
        Case(name, (rfc6455_head(CLOSED, f"Authorization: Bearer {token}"),), UNAUTHORIZED, "RFC 8725", _SETTINGS)
        for name, token in _REFUSED.items()
    ),
    *(
        Case(
            f"{name}, in an open room",
            (rfc6455_head("/rooms/other", f"Authorization: Bearer {token}"),),
            UNAUTHORIZED,
            "RFC 8725",
            _SETTINGS,
        )
        for name, token in list(_REFUSED.items())[::5]
    ),
    *(
        Case(
            name,
            (rfc6455_head(CLOSED, f"Authorization: Bearer {_US.token(_GOOD | claims)}"),),
            FORBIDDEN,
            "access",
            _SETTINGS,
        )
        for name, claims in _ELSEWHERE.items()
    ),
    *(Case(name, (sent,), outcome, "RFC 6750, 2", _SETTINGS) for name, (sent, outcome) in _PLACES.items()),
    *(Case(name, (sent,), TWO, "RFC 6750, 2", _AND_OTHERS) for name, sent in _TOSSED.items()),
    *(
        Case(f"says {name}, and may not", (*_enter(_HEARER), sent), MAY_NOT, "actions", _SETTINGS)
        for name, sent in _FORBIDDEN.items()
    ),
]
