"""What is written in front of a request, or into it, to be taken for somebody else.

Some attackers stand behind a trusted proxy, which passes on what they write and
adds the truth at the right; some are the proxy, and send headers that are none;
some are nobody, and only say that they are. Who is believed to be whom shows in
the limits per address: three connections of one address, here, and no fourth.

Rules: HAProxy's proxy-protocol.txt, section 2; RFC 7239, section 8; [server] trusted_proxies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.hostile.cases import IMPATIENT, ROOM, Attacker, Case, Outcome, Step
from tests.hostile.outcomes import Accepted, Counted, Refused, end, gone_before_101, handshake, hit
from tests.hostile.steps import drip, shut
from tests.proxied import HEALTH_CHECK, LOCAL, PROXY, SIGNATURE, binary, line
from tests.wire import hixie76_head, rfc6455_head

MALFORMED: Final = Refused(400, "malformed")
LATE: Final = Refused(408, "timeout", limit="handshake_timeout_s")

_PROXY: Final = "127.0.0.2"
"""Where the trusted proxy is. Honest members come from 127.0.0.1, as strangers."""
_TRUSTED: Final = (f"server.trusted_proxies={_PROXY}", "limits.connections_per_address=3")
_WITH_PROXY_HEADERS: Final = (*_TRUSTED, "server.proxy_protocol=true")
_FEW_HANDSHAKES: Final = (_TRUSTED[0], "server.proxy_protocol=true", "limits.handshakes_per_address=5")

_HEAD: Final = rfc6455_head(ROOM)
_CLIENT: Final = "203.0.113.7"
_LINE: Final = line(_CLIENT)
_PLACES: Final = 3
_HANDSHAKES: Final = 5


def _version_2(command: int = PROXY, family: int = 0x11, body: bytes = bytes(12), *, size: int | None = None) -> bytes:
    """Return a header of version 2, with its length as it is or as it is not."""
    return SIGNATURE + bytes((command, family)) + (len(body) if size is None else size).to_bytes(2, "big") + body


_BAD_HEADERS: Final = {
    "none": b"",
    "version 1 in small letters": _LINE.lower(),
    "version 1 with two blanks": _LINE.replace(b" ", b"  ", 1),
    "version 1 with a tab": _LINE.replace(b" ", b"\t", 1),
    "version 1 that ends with LF": _LINE.replace(b"\r\n", b"\n"),
    "version 1 with a blank behind": _LINE.replace(b"\r\n", b" \r\n"),
    "version 1 with a NUL": _LINE.replace(b"203", b"203\0"),
    "version 1 of TCP5": _LINE.replace(b"TCP4", b"TCP5"),
    "version 1 of UDP4": _LINE.replace(b"TCP4", b"UDP4"),
    "version 1 of TCP6 with IPv4": _LINE.replace(b"TCP4", b"TCP6"),
    "version 1 with a name": _LINE.replace(b"203.0.113.7", b"relay.example"),
    "version 1 with a number of 256": _LINE.replace(b"203", b"256"),
    "version 1 with three numbers": _LINE.replace(b"203.0.113.7", b"203.0.113"),
    "version 1 with a number in octal": _LINE.replace(b"203.0.113.7", b"0313.0.113.7"),
    "version 1 with an address in hexadecimal": _LINE.replace(b"203.0.113.7", b"0xcb007107"),
    "version 1 with a zone": b"PROXY TCP6 fe80::1%eth0 2001:db8::1 55555 443\r\n",
    "version 1 with port 65536": _LINE.replace(b"55555", b"65536"),
    "version 1 with port 007": _LINE.replace(b"55555", b"007"),
    "version 1 with port -1": _LINE.replace(b"55555", b"-1"),
    "version 1 without ports": b"PROXY TCP4 203.0.113.7 192.0.2.1\r\n",
    "version 1 with three ports": _LINE.replace(b"443", b"443 443"),
    "version 1 that does not end": b"PROXY TCP4 " + b"1" * 200,
    "version 1, unknown, with a control character": b"PROXY UNKNOWN \x01\r\n",
    "version 1, unknown, and more without a blank": b"PROXY UNKNOWNS\r\n",
    "version 1 twice": _LINE * 2,
    "version 1, then version 2": _LINE + binary(_CLIENT),
    "version 2, then version 1": binary(_CLIENT) + _LINE,
    "version 2 twice": binary(_CLIENT) * 2,
    "version 2 that says 3": _version_2(0x31),
    "version 2 that says 1": _version_2(0x11),
    "version 2 with command 2": _version_2(0x22),
    "version 2 with family 4": _version_2(family=0x41),
    "version 2 with protocol 3": _version_2(family=0x13),
    "version 2 with eleven bytes of addresses": _version_2(body=bytes(11)),
    "version 2 with no address": _version_2(body=b""),
    "version 2 with IPv6 in twelve bytes": _version_2(family=0x21),
    "version 2 of 65,535 bytes": _version_2(size=65_535),
    "version 2 of 4,097 bytes": _version_2(body=bytes(4097 - 16)),
    "version 2 with half a value": _version_2(body=bytes(12) + b"\x20"),
    "version 2 with a value that ends behind it": _version_2(body=bytes(12) + b"\x01\x00\x05ab"),
    "version 2 with a PP2_TYPE_SSL of one byte": _version_2(body=bytes(12) + b"\x20\x00\x01\x01"),
    "signature with another end": SIGNATURE[:-1] + b"X" + _version_2()[12:],
    "TLS": bytes.fromhex("16030100c8010000c40303"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

_GOOD_HEADERS: Final = {
    "version 1": _LINE,
    "version 1 of IPv6": line("2001:db8::7"),
    "version 1, unknown": b"PROXY UNKNOWN\r\n",
    "version 1, unknown, with anything": b"PROXY UNKNOWN ffff:f...f 65535 x\r\n",
    "version 2": binary(_CLIENT),
    "version 2 of IPv6": binary("2001:db8::7"),
    "version 2 of the proxy itself": HEALTH_CHECK,
    "version 2 of the proxy itself, with bytes to skip": _version_2(LOCAL, 0xFF, bytes(100)),
    "version 2 of a socket's path": _version_2(family=0x31, body=bytes(216)),
    "version 2 of 4,096 bytes": _version_2(LOCAL, 0, bytes(4096 - 16)),
}

_SPOOFED: Final = {
    "to the left of the truth": "198.51.100.{n}, 203.0.113.7",
    "as the proxy itself, to the left": "127.0.0.2, 198.51.100.{n}, 203.0.113.7",
    "in a thousand entries to the left": "198.51.100.{n}, " * 700 + "203.0.113.7",
    "with a quote that swallows": 'for="198.51.100.{n}, 203.0.113.7',
    "with an empty entry": "198.51.100.{n},,203.0.113.7",
    "with a port": "198.51.100.{n}, 203.0.113.7:80",
    "as IPv4 within IPv6": "198.51.100.{n}, ::ffff:203.0.113.7",
}


def _each_with_a_place(attacker: Attacker, head_of: Callable[[int], bytes]) -> None:
    """Have one connection more than there are places: the last is told that its address has too many."""
    for number in range(_PLACES):
        wire = attacker.connect()
        wire.send(head_of(number))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    late = attacker.connect()
    late.send(head_of(_PLACES))
    answer = late.read_answer()
    assert answer.status == 429, answer
    assert "retry-after" in answer.headers


def _four_times(head_of: Callable[[int], bytes]) -> Step:
    return lambda attacker: _each_with_a_place(attacker, head_of)


def _forwarded(value: str) -> Step:
    return _four_times(lambda number: rfc6455_head(ROOM, f"X-Forwarded-For: {value.format(n=number)}"))


def hold_all_handshakes(attacker: Attacker) -> None:
    """Have as many handshakes in flight as one client may, and one more; another client is not kept out by it."""
    late = hixie76_head(ROOM)
    for _ in range(_HANDSHAKES):
        # Without its last eight bytes such a handshake goes on, and shows that it has begun.
        wire = attacker.connect()
        wire.send(_LINE + late)
        wire.read_until(b"\r\n\r\n")
    sixth = attacker.connect()
    sixth.send(_LINE + late)
    answer = sixth.read_answer()
    assert answer.status == 429, answer
    other = attacker.connect()
    other.send(line("198.51.100.1") + _HEAD)
    assert other.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def claim_another_address(attacker: Attacker) -> None:
    """Say, as a stranger, that all come from one address: nobody believes it, so nobody is one too many."""
    for _ in range(_PLACES + 1):
        wire = attacker.connect()
        wire.send(rfc6455_head(ROOM, f"X-Forwarded-For: {_CLIENT}", f"Forwarded: for={_CLIENT}"))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def _one_too_many() -> Counted:
    refused = {handshake("address_limit"): 1, hit("connections_per_address", "refused"): 1}
    return Counted({handshake("accepted", "rfc6455"): _PLACES, end("gone"): _PLACES} | refused)


def _cases() -> list[Case]:
    return [*_proxy_headers(), *_one_client_as_many(), *_strangers()]


def _proxy_headers() -> list[Case]:
    book, impatient = "proxy-protocol.txt, 2", (*_WITH_PROXY_HEADERS, *IMPATIENT)
    each_byte = drip(binary(_CLIENT) + _HEAD)
    return [
        *(_behind(f"PROXY header: {name}", MALFORMED, book, bad + _HEAD) for name, bad in _BAD_HEADERS.items()),
        *(_behind(f"PROXY header: {name}", Accepted(), book, good + _HEAD) for name, good in _GOOD_HEADERS.items()),
        _behind("PROXY header: one byte at a time", Accepted(), book, each_byte),
        _behind("PROXY header: half, then the end", gone_before_101(), book, SIGNATURE, shut),
        _behind("PROXY header: half, then silence", LATE, book, SIGNATURE, settings=impatient),
    ]


def _one_client_as_many() -> list[Case]:
    """Places and handshakes that one client takes behind the proxy, under more than one name if it can."""
    one_too_many, held = _one_too_many(), Counted(_held_handshakes())
    book, forwarded, handshakes = "proxy-protocol.txt, 2", "[server] trusted_proxies", "[limits] handshakes_per_address"
    by_version_1, by_version_2 = _four_times(lambda _: _LINE + _HEAD), _four_times(lambda _: binary(_CLIENT) + _HEAD)
    return [
        _behind("four of one client, by version 1", one_too_many, book, by_version_1),
        _behind("four of one client, by version 2", one_too_many, book, by_version_2),
        *(
            _behind(f"another address for each, {name}", one_too_many, forwarded, _forwarded(value), settings=_TRUSTED)
            for name, value in _SPOOFED.items()
        ),
        _behind(
            "all handshakes that one client may have", held, handshakes, hold_all_handshakes, settings=_FEW_HANDSHAKES
        ),
    ]


def _strangers() -> list[Case]:
    """What is said by somebody who is no proxy."""
    rule = "[server] trusted_proxies"
    all_four = Counted({handshake("accepted", "rfc6455"): _PLACES + 1, end("gone"): _PLACES + 1})
    return [
        Case("PROXY header: by a stranger", (_LINE + _HEAD,), MALFORMED, rule, _WITH_PROXY_HEADERS),
        Case("PROXY header: none, of a stranger", (_HEAD,), Accepted(), rule, _WITH_PROXY_HEADERS),
        Case("one address for all, by a stranger", (claim_another_address,), all_four, rule, _TRUSTED),
    ]


def _held_handshakes() -> dict[str, int]:
    refused = {handshake("address_limit"): 1, hit("handshakes_per_address", "refused"): 1}
    held = {handshake("gone", "hixie76"): _HANDSHAKES}
    return held | refused | {handshake("accepted", "rfc6455"): 1, end("gone"): 1}


def _behind(
    name: str, outcome: Outcome, rule: str, *steps: Step, settings: tuple[str, ...] = _WITH_PROXY_HEADERS
) -> Case:
    return Case(name, steps, outcome, rule, settings, source=_PROXY)


CASES: Final = _cases()
