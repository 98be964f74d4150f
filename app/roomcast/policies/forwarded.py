"""Who the client is, where proxies stand between it and us.

A proxy says in a header for whom it speaks, and a client can write the same
header. So nothing is believed that was not written by somebody trusted: the
peer itself, if its address is listed, then whoever it names, if that one is
listed too, and so on. Each of them has written at the right of what it was
sent; that is why the header is read from the right, and the first address that
is not listed is the client. What stands further left, the client wrote.

Reading ends, with the last address that is known, at anything else: at
``unknown``, an obfuscated ``_name``, a word that is no address. A comma ends an
entry wherever it stands, also where RFC 7239 would allow it in a quoted string:
otherwise a client that sent half of a string could swallow what a proxy wrote
behind it.

Only one of the two headers is read. A proxy sets one and passes the other
through as the client wrote it: whoever read both would let clients choose their
address. ``X-Forwarded-Host`` is not read at all: the proxy can pass Host on.

Source: RFC 7239; for X-Forwarded-For, which has no standard, what proxies write.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, NamedTuple

UNIX = "unix:"
"""The entry that trusts the peers of a unix socket: its permissions say who they are."""

HOPS_MAX = 32
"""How many entries of a header are looked at. No chain of proxies is that long, and a head holds thousands."""

_ENTRY_MAX_CHARS = 512

# A node of RFC 7239 in so far as it is an address: IPv6 stands in brackets, and
# a port, or a name in its place, may follow.
_IPV6 = r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,40}"
_NODE = re.compile(rf"(?:([0-9.]{{7,15}})|\[({_IPV6})\])(?::(?:[0-9]{{1,5}}|_[A-Za-z0-9._-]+))?")
# In X-Forwarded-For it is mostly bare.
_BARE_IPV6 = re.compile(_IPV6)

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_PAIR = rf"({_NAME})=({_NAME}|{_QUOTED})"
_PAIRS = re.compile(_PAIR)
# Blanks behind a semicolon are taken once and for all (*+). If those in front of
# the next one could have them as well, thirty semicolons with a blank between
# them would be tried in 2**30 ways, and they fit into a header.
_ENTRY = re.compile(rf"(?:{_PAIR})?(?:[ \t]*;[ \t]*+(?:{_PAIR})?)*")
_ESCAPED = re.compile(r"\\(.)")

_BITS = {4: 32, 6: 128}
_MAPPED_BITS = 96
_WHAT_IT_IS = 'is neither a network ("10.1.0.0/16", "2001:db8::/32"), nor an address, nor "unix:"'

# As a proxy in front of WebSockets may call them, too.
_SCHEMES: dict[str, Literal["http", "https"]] = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

Scheme = Literal["http", "https"] | None
Headers = Callable[[str], Sequence[str]]
"""Returns all values of a header, by its name in lower case, in the order of the head."""


class Client(NamedTuple):
    """Who speaks, as far as we know."""

    address: str
    scheme: Scheme
    """With which scheme it speaks, to us or to the proxy that said so; None where nobody did."""


class TrustedProxies:
    """The peers that are believed when they say for whom they speak.

    Args:
        networks: Networks and addresses, of IPv4 and IPv6, and ``unix:``.

    Raises:
        ValueError: Naming the entry and the rule it breaks.
    """

    __slots__ = ("_is_unix_trusted", "_prefixes")

    def __init__(self, networks: Sequence[str]) -> None:
        self._is_unix_trusted = UNIX in networks
        # By family, then by how many bits are the host's: an address is looked up
        # once for each length of network, and not once for each network.
        self._prefixes: dict[int, dict[int, set[int]]] = {}
        for entry in networks:
            if entry != UNIX:
                version, host_bits, prefix = _parse_network(entry)
                self._prefixes.setdefault(version, {}).setdefault(host_bits, set()).add(prefix)

    @property
    def is_anyone_trusted(self) -> bool:
        """Whether all of IPv4 or of IPv6 is listed, which deserves a warning at start."""
        return any(_BITS[version] in by_host_bits for version, by_host_bits in self._prefixes.items())

    def trusts(self, address: str) -> bool:
        """Tell whether to believe this peer.

        Args:
            address: As the kernel gave it, or as ``Forwarding.client`` returned
                it; empty for the peer of a unix socket.
        """
        if not address:
            return self._is_unix_trusted
        if not self._prefixes:
            return False
        # The zone of a link-local address means something to the kernel only.
        parsed = _parse(address.partition("%")[0])
        if parsed is None:
            return False
        bits = int(parsed)
        prefixes = self._prefixes.get(parsed.version, {})
        return any(bits >> host_bits in known for host_bits, known in prefixes.items())


class Forwarding:
    """What is believed about a client, and of whom.

    Args:
        proxies: Who is believed.
        header: The one header that they set.
        proxy_protocol: Whether they begin each connection with a PROXY header.
    """

    __slots__ = ("_header", "_proxy_protocol", "proxies")

    def __init__(
        self,
        proxies: TrustedProxies,
        *,
        header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for",
        proxy_protocol: bool = False,
    ) -> None:
        self.proxies = proxies
        self._header = header
        self._proxy_protocol = proxy_protocol

    def owes_proxy_header(self, address: str) -> bool:
        """Tell whether this peer has to begin with a PROXY header. From all others it is a fault."""
        return self._proxy_protocol and self.proxies.trusts(address)

    def client(self, address: str, headers: Headers) -> Client:
        """Return for whom a peer speaks: for itself, unless it is trusted and names another.

        Args:
            address: The peer's, as ``TrustedProxies.trusts`` takes it.
            headers: Those of its request.
        """
        if not self.proxies.trusts(address):
            return Client(address, None)
        client = Client(address, None)
        for client in self._hops(address, headers):
            if not self.proxies.trusts(client.address):
                break
        return client

    def _hops(self, address: str, headers: Headers) -> Iterator[Client]:
        """Yield who spoke to whom, beginning with the peer's own peer, as far as that can be read."""
        entries = _from_the_right(headers(self._header))
        if self._header == "forwarded":
            yield from _forwarded_hops(address, entries)
        else:
            yield from _x_forwarded_for_hops(address, entries, _scheme_of(headers("x-forwarded-proto")))


def _forwarded_hops(address: str, entries: Iterator[str]) -> Iterator[Client]:
    for entry in entries:
        pairs = _pairs_of(entry)
        if not pairs:
            return
        node = _parse_node(pairs.get("for", ""))
        # Whoever does not say by whom it was asked may still say how.
        yield Client(node or address, _SCHEMES.get(pairs.get("proto", "").lower()))
        if node is None:
            return
        address = node


def _x_forwarded_for_hops(address: str, entries: Iterator[str], scheme: Scheme) -> Iterator[Client]:
    yield Client(address, scheme)
    for entry in entries:
        node = _parse_node(entry) or _parse_bare_ipv6(entry)
        if node is None:
            return
        yield Client(node, scheme)


def _from_the_right(lines: Sequence[str]) -> Iterator[str]:
    """Yield the last entries of a header, over all its lines, the last one first."""
    entries = ",".join(lines).rsplit(",", HOPS_MAX)
    # Were there more, the first of these is all of them, uncut.
    for entry in reversed(entries[-HOPS_MAX:]):
        if len(entry) > _ENTRY_MAX_CHARS:
            return
        yield entry.strip(" \t")


def _scheme_of(lines: Sequence[str]) -> Scheme:
    # Of several the last is the peer's.
    return _SCHEMES.get(next(_from_the_right(lines), "").lower())


def _pairs_of(entry: str) -> dict[str, str]:
    """Return the parameters of one entry of Forwarded; none where it breaks a rule.

    "Each parameter MUST NOT occur more than once per field-value" (RFC 7239, 4).
    """
    if not _ENTRY.fullmatch(entry):
        return {}
    pairs: dict[str, str] = {}
    for match in _PAIRS.finditer(entry):
        name, value = match[1].lower(), match[2]
        if name in pairs:
            return {}
        pairs[name] = _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
    return pairs


def _parse_node(node: str) -> str | None:
    match = _NODE.fullmatch(node)
    return _spelled(match[1] or match[2]) if match else None


def _parse_bare_ipv6(node: str) -> str | None:
    return _spelled(node) if _BARE_IPV6.fullmatch(node) else None


def _spelled(address: str) -> str | None:
    parsed = _parse(address)
    return None if parsed is None else str(parsed)


# Each handshake behind a proxy asks four times about the proxy's address, which
# is the same for all, and twice about the client's. To parse one takes 2 µs.
@lru_cache(maxsize=1024)
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address, or None where it is none. IPv4 within IPv6 becomes what it stands for."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def _parse_network(entry: str) -> tuple[int, int, int]:
    """Return the family of a network, how many of its bits are the host's, and the others.

    Raises:
        ValueError: Naming the entry and the rule it breaks.
    """
    try:
        return _read_network(entry)
    except ValueError as error:
        raise ValueError(f'trusted_proxies "{entry}": {error}') from None


def _read_network(entry: str) -> tuple[int, int, int]:
    address, _, length = entry.partition("/")
    # ip_network takes zones, and masks in two spellings that mean the opposite.
    if "%" in entry or not (length.isdecimal() or address == entry):
        raise ValueError(_WHAT_IT_IS)
    try:
        network, first = ip_network(entry, strict=False), ip_address(address)
    except ValueError:
        raise ValueError(_WHAT_IT_IS) from None
    if first != network.network_address:
        raise ValueError(f'has bits set behind its length: write "{network}", or "{first}" for that one')
    if isinstance(first, IPv6Address) and first.ipv4_mapped and network.prefixlen >= _MAPPED_BITS:
        raise ValueError(f'is IPv4 as IPv6 sees it: write "{first.ipv4_mapped}/{network.prefixlen - _MAPPED_BITS}"')
    host_bits = network.max_prefixlen - network.prefixlen
    return network.version, host_bits, int(first) >> host_bits
