"""Host and Origin: what names this relay, and what names the page that connects.

Two readers of two Host lines may each believe another one. An Origin is judged by
comparing it, so no spelling of one that is not allowed may come out as one that
is: by default only the relay's own host and port are.

Rules: RFC 9112, section 3.2; RFC 9110, section 7.2; RFC 6454, section 7.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import ROOM, Case
from tests.hostile.outcomes import Accepted, Refused
from tests.wire import RFC6455_KEY, hixie76_head, rfc6455_head

MALFORMED: Final = Refused(400, "malformed")
FOREIGN: Final = Refused(403, "origin", "rfc6455")

_HOSTS: Final = {
    "empty": "",
    "blank": " ",
    "port alone": ":80",
    "empty port": "relay.example:",
    "port 0": "relay.example:0",
    "port 65536": "relay.example:65536",
    "port in words": "relay.example:http",
    "negative port": "relay.example:-1",
    "port with a plus": "relay.example:+80",
    "hexadecimal port": "relay.example:0x50",
    "port of seven digits": "relay.example:0000080",
    "two ports": "relay.example:80:80",
    "port with a blank": "relay.example: 80",
    "userinfo": "user@relay.example",
    "userinfo with a password": "user:secret@relay.example",
    "userinfo, empty": "@relay.example",
    "two names": "relay.example, other.example",
    "two names without a comma": "relay.example other.example",
    "path": "relay.example/rooms",
    "query": "relay.example?x",
    "fragment": "relay.example#x",
    "scheme": "http://relay.example",
    "percent": "relay%2eexample",
    "backslash": "relay.example\\",
    "quoted": '"relay.example"',
    "beyond ASCII": "r\xe9lay.example",
    "empty label": "relay..example",
    "dot alone": ".",
    "label of 64 bytes": "a" * 64 + ".example",
    "256 bytes": ".".join(["a" * 50] * 5) + ".a",
    "IPv6 without brackets": "::1",
    "IPv6 with a zone": "[fe80::1%25eth0]",
    "IPv6 with a raw zone": "[fe80::1%eth0]",
    "IPv6 that is none": "[::1::2]",
    "IPv6 not closed": "[::1",
    "IPv6 with a name behind": "[::1]relay.example",
    "IPv4 in brackets": "[127.0.0.1]",
    "IPvFuture": "[v1.a]",
    "control character": "relay.example\x01",
    "NUL": "relay.example\0.other.example",
}

_GOOD_HOSTS: Final = {
    "with a port": "relay.example:8080",
    "with port 65535": "relay.example:65535",
    "with a dot behind": "relay.example.",
    "in capitals": "RELAY.EXAMPLE",
    "IPv4": "127.0.0.1:80",
    "IPv6": "[::1]:80",
    "label of 63 bytes": "a" * 63 + ".example",
}

# Each is the Origin of a page that is not the relay's own.
_ORIGINS: Final = {
    "of another page": "http://evil.example",
    "null": "null",
    "empty": "",
    "in two": "http://relay.example http://evil.example",
    "in two, with a comma": "http://relay.example, http://evil.example",
    "of a host that ends alike": "http://evilrelay.example",
    "of a host that begins alike": "http://relay.example.evil.example",
    "of a host below": "http://evil.relay.example",
    "with userinfo of ours": "http://relay.example@evil.example",
    "with our host as a path": "http://evil.example/relay.example",
    "with our host as a fragment": "http://evil.example#relay.example",
    "with a backslash": "http://evil.example\\relay.example",
    "with our host behind a tab": "http://evil.example\t.relay.example",
    "with a path": "http://relay.example/",
    "with another port": "http://relay.example:81",
    "with no scheme": "relay.example",
    "with no slashes": "http:relay.example",
    "with one slash": "http:/relay.example",
    "with three slashes": "http:///relay.example",
    "of a file": "file://",
    "of data": "data:text/html,x",
    "with a scheme that is none": "1://relay.example",
    "with a percent": "http://relay%2eexample",
    "with a wildcard": "http://*.example",
    "of a wildcard": "*",
    "with a blank inside": "http://relay .example",
    "with a letter that looks like ours": "http://r\xd0\xb5lay.example",
    "of eight thousand bytes": "http://" + "a" * 8000,
}

# Each is another spelling of our own, and the same origin.
_OWN: Final = {
    "as it is": "http://relay.example",
    "in capitals": "HTTP://RELAY.EXAMPLE",
    "with the default port": "http://relay.example:80",
    "with a soft hyphen, which IDNA leaves out": "http://re\xc2\xadlay.example",
    "with an ideographic dot, which IDNA takes for one": "http://relay\xe3\x80\x82example",
}

_HOST_LINE: Final = b"Host: relay.example\r\n"


def _cases() -> list[Case]:
    good = rfc6455_head(ROOM)
    return [
        Case("no Host", (good.replace(_HOST_LINE, b""),), MALFORMED, "RFC 9112, 3.2"),
        Case("two Hosts", (rfc6455_head(ROOM, "Host: other.example"),), MALFORMED, "RFC 9112, 3.2"),
        Case("two equal Hosts", (rfc6455_head(ROOM, "Host: relay.example"),), MALFORMED, "RFC 9112, 3.2"),
        Case("two Hosts in two cases", (rfc6455_head(ROOM, "hOsT: relay.example"),), MALFORMED, "RFC 9112, 3.2"),
        Case("Host in a folded line", (rfc6455_head(ROOM, " Host: other.example"),), MALFORMED, "RFC 9112, 5.2"),
        Case("Host in the target, and none beside", (_absolute(),), MALFORMED, "RFC 9112, 3.2.2"),
        *(
            Case(f"Host {name}", (rfc6455_head(ROOM, host=host),), MALFORMED, "RFC 9110, 7.2")
            for name, host in _HOSTS.items()
        ),
        *(
            Case(f"Host {name}", (rfc6455_head(ROOM, host=host),), Accepted(), "RFC 9110, 7.2")
            for name, host in _GOOD_HOSTS.items()
        ),
        *(_foreign(name, origin) for name, origin in _ORIGINS.items()),
        Case("two Origins", (rfc6455_head(ROOM, *["Origin: http://relay.example"] * 2),), MALFORMED, "RFC 6454, 7.3"),
        Case(
            "two Origins, the second foreign",
            (rfc6455_head(ROOM, "Origin: http://relay.example", "origin: http://evil.example"),),
            MALFORMED,
            "RFC 6454, 7.3",
        ),
        Case(
            "Origin of another page, hixie-76",
            (hixie76_head(ROOM, origin="http://evil.example"),),
            Refused(403, "origin", "hixie76"),
            "[origins]",
        ),
        *(
            Case(f"our own Origin {name}", (rfc6455_head(ROOM, f"Origin: {origin}"),), Accepted(), "UTS 46; [origins]")
            for name, origin in _OWN.items()
        ),
    ]


def _absolute() -> bytes:
    lines = (b"GET http://relay.example/ HTTP/1.1", b"Upgrade: websocket", f"Sec-WebSocket-Key: {RFC6455_KEY}".encode())
    return b"\r\n".join((*lines, b"\r\n"))


def _foreign(name: str, origin: str) -> Case:
    return Case(f"Origin {name}", (rfc6455_head(ROOM, f"Origin: {origin}"),), FOREIGN, "[origins] same_origin")


CASES: Final = _cases()
