"""Handshakes of RFC 6455 that ask, but not as the dialect demands.

What a proxy let pass because it did not look like a WebSocket must not become
one here, and a key or a version that nobody could have meant is not repaired.

Rules: RFC 6455, sections 4.1 and 4.2.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import ROOM, Case
from tests.hostile.outcomes import Accepted, Refused
from tests.wire import KEY1, KEY2, RFC6455_ACCEPT, RFC6455_KEY, get, rfc6455_head

MALFORMED: Final = Refused(400, "malformed")
VERSION: Final = Refused(426, "version")
PLAIN: Final = Refused(426, "not_upgrade")
"""It asks for no WebSocket, so it is told that this is a place for one."""

_UPGRADE: Final = "Upgrade: websocket"
_CONNECTION: Final = "Connection: Upgrade"
_KEY: Final = f"Sec-WebSocket-Key: {RFC6455_KEY}"
_VERSION: Final = "Sec-WebSocket-Version: 13"
_ORIGIN: Final = "Origin: http://relay.example"
_KEY1: Final = f"Sec-WebSocket-Key1: {KEY1}"
_KEY2: Final = f"Sec-WebSocket-Key2: {KEY2}"

# Each is the value of an Upgrade.
_NO_UPGRADES: Final = {
    "h2c": "h2c",
    "with a version": "websocket/13",
    "one letter more": "websockets",
    "one letter less": "websocke",
    "with a blank inside": "web socket",
    "quoted": '"websocket"',
    "with a byte beyond ASCII": "websocket\xff",
    "with a dotless i": "web\xc4\xb1socket",
    "empty": "",
    "a comma": ",",
    "with a semicolon": "websocket;q=1",
}

_NO_CONNECTIONS: Final = {
    "keep-alive": "keep-alive",
    "close": "close",
    "empty": "",
    "one letter more": "Upgrades",
    "quoted": '"Upgrade"',
    "with a semicolon": "Upgrade;q=1",
    "the name of the protocol": "websocket",
}

_KEYS: Final = {
    "empty": "",
    "blank": "   ",
    "of 15 bytes": "AAAAAAAAAAAAAAAAAAAA",
    "of 17 bytes": "AAAAAAAAAAAAAAAAAAAAAAA=",
    "of 16 bytes and a bit": "dGhlIHNhbXBsZSBub25jZR==",
    "of 16 bytes, without its padding": "dGhlIHNhbXBsZSBub25jZQ",
    "of 16 bytes, with half its padding": "dGhlIHNhbXBsZSBub25jZQ=",
    "of 16 bytes, padded once too often": "dGhlIHNhbXBsZSBub25jZQ===",
    "with padding in front": "==dGhlIHNhbXBsZSBub25jZQ",
    "with padding inside": "dGhlIHNhbXBs==ZSBub25jZQ",
    "with a blank inside": "dGhlIHNhbXBs ZSBub25jZQ==",
    "with a tab inside": "dGhlIHNhbXBs\tZSBub25jZQ==",
    "with more behind": "dGhlIHNhbXBsZSBub25jZQ==x",
    "with a comma": "dGhlIHNhbXBsZSBub25jZQ==,",
    "twice in one line": f"{RFC6455_KEY}, {RFC6455_KEY}",
    "for URLs": "____________________-_==",
    "in hexadecimal": "00" * 16,
    "quoted": f'"{RFC6455_KEY}"',
    "beyond ASCII": "dGhlIHNhbXBsZSBub25j\xe9Q==",
    "of eight thousand letters": "A" * 8000,
}

_VERSIONS: Final = {
    "0": "0",
    "8, as in 2011": "8",
    "12": "12",
    "14": "14",
    "013": "013",
    "+13": "+13",
    "13.0": "13.0",
    "0x0d": "0x0d",
    "-13": "-13",
    "a list": "13, 8",
    "a list of one twice": "13, 13",
    "empty": "",
    "quoted": '"13"',
    "256 digits": "13" + "0" * 254,
    "in Arabic digits": "\xd9\xa1\xd9\xa3",
}

_SUBPROTOCOLS: Final = {
    "empty": "",
    "commas alone": ", ,",
    "with a blank inside": "chat room",
    "quoted": '"chat"',
    "with a slash": "chat/1",
    "with a byte beyond ASCII": "ch\xe4t",
    "with a tab inside": "chat\troom",
    "twice the same": "chat, chat",
}

# Whole sets of lines behind the request line and Host.
_SETS: Final = {
    "no key": (_UPGRADE, _CONNECTION, _VERSION),
    "neither key nor version": (_UPGRADE, _CONNECTION),
    "no Connection": (_UPGRADE, _KEY, _VERSION),
    "two Upgrades": (_UPGRADE, _UPGRADE, _CONNECTION, _KEY, _VERSION),
    "two Upgrades, one of another protocol": ("Upgrade: h2c", _UPGRADE, _CONNECTION, _KEY, _VERSION),
    "two equal keys": (_UPGRADE, _CONNECTION, _KEY, _KEY, _VERSION),
    "two equal versions": (_UPGRADE, _CONNECTION, _KEY, _VERSION, _VERSION),
    "two different versions": (_UPGRADE, _CONNECTION, _KEY, _VERSION, "Sec-WebSocket-Version: 8"),
    "keys of both dialects": (_UPGRADE, _CONNECTION, _KEY, _VERSION, _ORIGIN, _KEY1, _KEY2),
    "a key, and one of the other dialect": (_UPGRADE, _CONNECTION, _KEY, _VERSION, _ORIGIN, _KEY1),
    "a version, and the keys of the other dialect with none of ours": (_UPGRADE, _CONNECTION, _VERSION, _KEY2),
}

_HARMLESS: Final = {
    "names and words in other cases": ("uPGRADE: WebSocket", "cONNECTION: uPGRADE", _KEY, _VERSION),
    "Upgrade in a list": ("Upgrade: h2c, websocket", _CONNECTION, _KEY, _VERSION),
    "Connection in a list": (_UPGRADE, "Connection: keep-alive,, Upgrade", _KEY, _VERSION),
    "Connection in two lines": (_UPGRADE, "Connection: keep-alive", _CONNECTION, _KEY, _VERSION),
    "key among blanks": (_UPGRADE, _CONNECTION, f"Sec-WebSocket-Key: \t{RFC6455_KEY} \t", _VERSION),
    "an extension that nobody has": (_UPGRADE, _CONNECTION, _KEY, _VERSION, "Sec-WebSocket-Extensions: x-own; a=1"),
    "an answer's header in the request": (
        _UPGRADE,
        _CONNECTION,
        _KEY,
        _VERSION,
        f"Sec-WebSocket-Accept: {RFC6455_ACCEPT}",
    ),
}


def _cases() -> list[Case]:
    rule = "RFC 6455, 4.2.1"
    return [
        *(
            _case(f"Upgrade {name}", PLAIN, f"Upgrade: {value}", _CONNECTION, _KEY, _VERSION)
            for name, value in _NO_UPGRADES.items()
        ),
        *(
            _case(f"Connection {name}", MALFORMED, _UPGRADE, f"Connection: {value}", _KEY, _VERSION)
            for name, value in _NO_CONNECTIONS.items()
        ),
        *(
            _case(f"key {name}", MALFORMED, _UPGRADE, _CONNECTION, f"Sec-WebSocket-Key: {value}", _VERSION)
            for name, value in _KEYS.items()
        ),
        *(
            _case(f"version {name}", VERSION, _UPGRADE, _CONNECTION, _KEY, f"Sec-WebSocket-Version: {value}")
            for name, value in _VERSIONS.items()
        ),
        *(
            Case(
                f"subprotocol {name}",
                (rfc6455_head(ROOM, f"Sec-WebSocket-Protocol: {value}"),),
                MALFORMED,
                "RFC 6455, 4.1, item 10",
            )
            for name, value in _SUBPROTOCOLS.items()
        ),
        *(_case(name, MALFORMED, *lines) for name, lines in _SETS.items()),
        *(_case(name, Accepted(), *lines) for name, lines in _HARMLESS.items()),
        _case("no version", VERSION, _UPGRADE, _CONNECTION, _KEY),
        _case("no Upgrade", PLAIN, _CONNECTION, _KEY, _VERSION),
        _case("no header of a handshake", PLAIN),
        Case(
            "two subprotocols, in two lines",
            (rfc6455_head(ROOM, "Sec-WebSocket-Protocol: one", "Sec-WebSocket-Protocol: , two"),),
            Accepted(lines=("Sec-WebSocket-Protocol: one",)),
            "RFC 6455, 4.1, item 10",
        ),
        Case("handshake for the page", (rfc6455_head("/"),), Refused(404, "not_found", "rfc6455"), rule),
    ]


def _case(name: str, outcome: Refused | Accepted, *lines: str) -> Case:
    return Case(name, (get(ROOM, *lines),), outcome, "RFC 6455, 4.2.1")


CASES: Final = _cases()
