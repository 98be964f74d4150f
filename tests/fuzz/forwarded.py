"""The headers by which proxies say who the client is, filled with what a client would write to be somebody else.

The stream is the lines of one header, as the client sent them, one to a line.

* Nothing is raised, and what comes out is an address in its one spelling.
* Whatever the client wrote, the address that a trusted proxy writes behind it
  is the client's: on a line of its own, as a last entry of the client's last
  line, and in front of what a second trusted proxy writes.
* All of it takes no time: it is read for every handshake. (A timeout is a
  finding.)
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final, Literal

from roomcast.policies.forwarded import Client, Forwarding, TrustedProxies
from tests.fuzz import script

PROXY: Final = "10.0.0.1"
INNER: Final = "10.0.0.2"
CLIENT: Final = "203.0.113.9"

_PROXIES: Final = TrustedProxies(["10.0.0.0/24", "2001:db8:1::/48"])
_HEADERS: Final[tuple[Literal["x-forwarded-for", "forwarded"], ...]] = ("x-forwarded-for", "forwarded")
# Two entries of a trusted proxy, for the client and for another trusted proxy.
_ENTRIES: Final = {
    "x-forwarded-for": (CLIENT, INNER),
    "forwarded": (f"for={CLIENT}", f'for="{INNER}";proto=https'),
}


def check(data: bytes) -> None:
    """Let a client write what the input says, and make sure that nobody is misled."""
    asked = script.read(data)
    name = asked.choose(_HEADERS)
    lines = asked.stream.decode("latin-1").split("\n")
    check_client(read(name, lines))
    client, inner = _ENTRIES[name]
    check_client(read(name, [client], proto=lines))
    for written in (
        [*lines, client],
        [*lines[:-1], f"{lines[-1]}, {client}"],
        [*lines, client, inner],
        [*lines, f"{client}, {inner}"],
    ):
        assert read(name, written).address == CLIENT, "a client that says who it is, and is believed"


def read(name: Literal["x-forwarded-for", "forwarded"], lines: Sequence[str], proto: Sequence[str] = ()) -> Client:
    """Return who the client is, by what a trusted peer passed on."""
    values = {name: lines, "x-forwarded-proto": proto}
    return Forwarding(_PROXIES, header=name).client(PROXY, lambda header: values.get(header, ()))


def check_client(client: Client) -> None:
    """Make sure that what is taken for the client can be counted and logged."""
    assert str(ip_address(client.address)) == client.address, "an address that is not in its one spelling"
    assert client.scheme in (None, "http", "https"), "a scheme that there is not"


WORDS: Final = (
    "for=",
    "proto=https",
    "by=",
    "host=",
    ";",
    ", ",
    '"[2001:db8::1]:80"',
    "_hidden",
    "unknown",
    "10.0.0.2",
)


def seeds() -> Iterator[bytes]:
    """Yield the inputs to begin with: what proxies write, and what clients try."""
    for stream in (
        b"198.51.100.6",
        b"198.51.100.6, 10.0.0.2\n10.0.0.3",
        b"2001:db8::1, [2001:db8:1::2]:443,203.0.113.1:80",
        b"unknown, _hidden,, ::ffff:192.0.2.1",
        b"1.2.3.4" + b",10.0.0.2" * 40,
    ):
        yield script.write(stream)
    for stream in (
        b"for=198.51.100.6;proto=https",
        b'for="[2001:db8::1]:_port";host="a\\"b";by=_x, FOR=10.0.0.2',
        b'for="198.51.100.6',
        b'for=198.51.100.6;host="a,b", ;;proto=ws',
        b"; " * 40 + b"(",
    ):
        yield script.write(stream, choice=1)
