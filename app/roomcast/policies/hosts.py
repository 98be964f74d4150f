"""Host names: one spelling for each, so that they can be compared byte for byte.

A page's origin, the Host header and the configuration all name hosts, and the
same host can be written in many ways: ``Bücher.example`` and
``xn--bcher-kva.example``, ``[0:0::1]`` and ``[::1]``. Everything that compares
hosts brings both sides into the one spelling of ``canonical_host`` first.

What a browser would never send is refused rather than repaired: no ``%41``, no
``127.1``, no zone (``%eth0``), no IPv6 address without brackets. A trailing dot
is kept: to browsers ``example.com.`` is another host than ``example.com``.

Sources: RFC 3986, section 3.2.2; UTS 46 and RFC 5891 for names beyond ASCII;
the URL Standard's host parser for what browsers make of them.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import idna

# RFC 1035 allows 253 characters; a trailing dot is one more. Checked before
# anything else looks at the name: IDNA's cost grows faster than its length.
HOST_MAX_CHARS = 253

_LABEL_MAX_CHARS = 63

PORT_MAX = 65535

# Underscores and leading hyphens are no host names by RFC 1123, but DNS serves
# them and browsers open them, so a page may well live there.
_LABELS = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")

_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?")


def canonical_host(host: str) -> str:
    """Return the one spelling of a host: ASCII, lower case, IDNA applied, IPv6 compressed in its brackets.

    Raises:
        ValueError: If it is no host; the message names the host and the rule.
    """
    if host.startswith("["):
        return _canonical_ipv6(host)
    if len(host) > HOST_MAX_CHARS + 1:
        raise ValueError(f"a host of {len(host)} characters is longer than {HOST_MAX_CHARS}")
    # Names that are ASCII already are not put through IDNA, not even their
    # "xn--" labels: browsers did that before they sent them, IDNA 2008 would
    # refuse emoji domains, which exist, and it is ten times slower.
    name = host.lower() if host.isascii() else _to_ascii(host)
    if not _LABELS.fullmatch(name) or len(name.removesuffix(".")) > HOST_MAX_CHARS:
        raise ValueError(f'"{host}" is no host name')
    if is_ipv4(name):
        _check_ipv4(name)
    return name


def is_ipv4(name: str) -> bool:
    """Return whether browsers would read this name as an IPv4 address: they look at the last label only."""
    return name.removesuffix(".").rpartition(".")[2].isdigit()


def split_port(authority: str) -> tuple[str, int | None]:
    """Cut ``host`` or ``host:port`` in two; the host is not looked at.

    Raises:
        ValueError: If what follows the host is no port of 1 to 65535.
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        hint = ", and an IPv6 address stands in brackets" if authority.count(":") > 1 else ""
        raise ValueError(f'"{authority}" is not host[:port]{hint}')
    host, digits = match.groups()
    if digits is None:
        return host, None
    port = int(digits)
    if not 0 < port <= PORT_MAX:
        raise ValueError(f"port {port} is not within 1 to {PORT_MAX}")
    return host, port


def header_text(value: str) -> str:
    """Return a header's value as text, be it that its bytes were read as Latin-1 or as UTF-8.

    HTTP heads are read as Latin-1, one character a byte, so a name that a
    client sent in UTF-8 arrives as ``bÃ¼cher``. Browsers send punycode; this is
    for the others. What is Latin-1 indeed is very rarely UTF-8 as well.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


class ServedHosts:
    """The Host names this relay answers to. Ports are not compared: a proxy may listen on another one.

    Args:
        names: Host names or addresses without a port; none: every Host is served.

    Raises:
        ValueError: Naming the entry and the rule it breaks.
    """

    __slots__ = ("_names",)

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(_parse_name(name) for name in names)

    def serves(self, host: str | None) -> bool:
        """Return whether a request with this Host header (None: it has none) is for us. Never raises."""
        if not self._names:
            return True
        try:
            name, _ = split_port(header_text(host or ""))
            return canonical_host(name) in self._names
        except ValueError:
            return False


class PrivateHosts:
    """The Host names that a door answers to which a browser can reach, and the internet cannot.

    A stranger's page may give its own name our address, after it was loaded, and is then
    of one origin with us ("DNS rebinding"). An address is nobody's name, and localhost is
    resolved by the browser itself: those always pass.

    Args:
        names: What else does, without a port.

    Raises:
        ValueError: Naming the entry and the rule it breaks.
    """

    __slots__ = ("_names",)

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = frozenset({"localhost", *(_parse_name(name) for name in names)})

    def serves(self, host: str | None) -> bool:
        """Return whether a request with this Host header (None: it has none) is for us. Never raises."""
        try:
            name = canonical_host(split_port(header_text(host or ""))[0])
        except ValueError:
            return False
        # Both kinds of address have been found to be one.
        return name in self._names or name.startswith("[") or is_ipv4(name)


def _parse_name(entry: str) -> str:
    try:
        # No port is written here, so two colons can only be an IPv6 address.
        is_bare_ipv6 = entry.count(":") > 1 and not entry.startswith("[")
        name, port = split_port(f"[{entry}]" if is_bare_ipv6 else entry)
        if port is not None:
            raise ValueError(f'a name has no port: write "{name}"')
        return canonical_host(name)
    except ValueError as error:
        raise ValueError(f'hosts "{entry}": {error}') from None


def _canonical_ipv6(host: str) -> str:
    # IPv6Address takes a zone, which means something on one machine only; the
    # URL Standard leaves it out for that reason.
    if "%" in host:
        raise ValueError(f'"{host}" has a zone, which no origin and no Host may have')
    try:
        if not host.endswith("]"):
            raise ValueError
        return f"[{IPv6Address(host[1:-1])}]"
    except ValueError:
        raise ValueError(f'"{host}" is no IPv6 address in brackets') from None


def _check_ipv4(name: str) -> None:
    try:
        IPv4Address(name)
    except ValueError:
        raise ValueError(f'"{name}" ends in a number but is no IPv4 address of four') from None


def _to_ascii(host: str) -> str:
    try:
        mapped = idna.uts46_remap(host, std3_rules=False)
        # By label: idna.encode() would also refuse an underscore in a label
        # that needs no encoding.
        return ".".join(label if label.isascii() else _to_a_label(label) for label in mapped.split("."))
    except idna.IDNAError as error:
        raise ValueError(f'"{host}" has no IDNA form ({error}); its punycode spelling can be given instead') from None


def _to_a_label(label: str) -> str:
    # Punycode is longer than what it encodes, and is slow on long labels.
    if len(label) > _LABEL_MAX_CHARS:
        raise idna.IDNAError("label too long")
    return idna.alabel(label).decode()


# IDNA reads its tables from files when it first needs them. A client could choose
# the moment when no file can be opened any more.
_to_ascii("ü")
