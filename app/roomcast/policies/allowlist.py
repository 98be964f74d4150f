"""Origins as they are written: in a request's header, and as entries of the allowlist.

Both are brought into one spelling, and both are refused when they are not just
``scheme://host[:port]``. The difference is the tone. To a client nothing is
explained; an operator who wrote ``app.example.com/`` is told, before the relay
starts, what to write instead. An entry that can never match is an error for the
same reason: it would be found out by a user, whose browser shows only 1006.

Sources: RFC 6454, sections 4 to 7. The ``*`` is ours: whole first labels only,
so that ``https://*.example.com`` cannot be met by ``https://evilexample.com``.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from roomcast.policies.hosts import HOST_MAX_CHARS, canonical_host, is_ipv4, split_port

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

RULE: Final = "an origin is scheme://host[:port]"

# A scheme of 64, "://", a host with a trailing dot, ":65535". What is longer is
# refused before it costs anything.
_ORIGIN_MAX_CHARS: Final = 64 + 3 + HOST_MAX_CHARS + 1 + 6

# Stands for ":*" in a compiled entry, where a number or None would be.
_ANY_PORT: Final = -1

# Top-level names under which no stranger can register: RFC 2606, 6761, 6762
# (with its appendix G) and ICANN's "internal". "https://*.lan" is somebody's
# own network; "https://*.com" is half of the world.
_PRIVATE_SUFFIXES: Final = frozenset(
    ["corp", "example", "home", "internal", "intranet", "lan", "local", "localhost", "private", "test"]
)

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]{0,63})://(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_OPAQUE = re.compile(
    r"null | (?:about|blob|data|file|javascript):.* | [a-z][a-z0-9+.-]{0,63}://",
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_LISTABLE_OPAQUE = re.compile(r"null|(?!https?:|wss?:)[a-z][a-z0-9+.-]{0,63}://", re.ASCII | re.IGNORECASE)


class Origin(NamedTuple):
    """Where a page comes from, in its one spelling. ``port`` is None where it is the scheme's default."""

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" if self.port is None else f"{self.scheme}://{self.host}:{self.port}"


# The text of an entry by its origin. Looked up with plain tuples, which equal an
# Origin and are made five times faster.
_Entries = dict[tuple[str, str, int | None], str]


def parse_origin(text: str) -> Origin:
    """Read ``scheme://host[:port]``.

    Raises:
        ValueError: Saying what an origin does not have, and what to write instead.
    """
    match = _ORIGIN.fullmatch(text) if len(text) <= _ORIGIN_MAX_CHARS else None
    if match is None:
        raise ValueError(RULE)
    scheme, authority = match[1].lower(), match[2]
    _check_parts(scheme, authority)
    host, port = split_port(authority)
    return Origin(scheme, canonical_host(host), unless_default(port, scheme))


def unless_default(port: int | None, scheme: str) -> int | None:
    """Return the port, or None where it is the one that the scheme has anyway."""
    return None if port == DEFAULT_PORTS.get(scheme) else port


def is_opaque(text: str) -> bool:
    """Return whether this Origin header names no host, so that pages which have nothing in common share it."""
    return _OPAQUE.fullmatch(text) is not None


def is_listable_opaque(text: str) -> bool:
    """Return whether it is an opaque origin that browsers do send: ``null``, ``file://``, an app's ``scheme://``."""
    return _LISTABLE_OPAQUE.fullmatch(text) is not None


class Allowlist:
    """The entries of ``allow``, compiled for a look-up whose cost does not grow with their number.

    Args:
        entries: As they are written.
        key: What the list is called, for those who read errors.

    Raises:
        ValueError: Naming the entry, the rule it breaks and what to write.
    """

    __slots__ = ("_below", "_exact", "_opaque", "is_open")

    def __init__(self, entries: Sequence[str], key: str = "allow") -> None:
        # A str is a sequence of str as well, and "*" would even compile.
        if isinstance(entries, str):
            raise ValueError(f'{key} is a list: write ["{entries}"]')
        self.is_open = "*" in entries
        self._opaque: set[str] = set()
        self._exact: _Entries = {}
        # By what follows "*.": a host is looked up once for each of its labels.
        self._below: _Entries = {}
        for entry in entries:
            self._add(entry, key)

    def entry_for(self, page: Origin) -> str | None:
        """Return the entry, other than ``*``, that this origin matches: the closest one."""
        scheme, host, port = page
        entry = _at_port(self._exact, scheme, host, port)
        if entry is not None or not self._below:
            return entry
        suffix = host.partition(".")[2]
        while suffix and entry is None:
            entry = _at_port(self._below, scheme, suffix, port)
            suffix = suffix.partition(".")[2]
        return entry

    def lists_opaque(self, text: str) -> bool:
        """Return whether an opaque origin is listed as such; ``*`` does not count."""
        return text.lower() in self._opaque

    def _add(self, entry: str, key: str) -> None:
        if entry == "*":
            return
        if is_listable_opaque(entry):
            self._opaque.add(entry.lower())
            return
        try:
            is_wildcard, origin = _parse_entry(entry)
        except ValueError as error:
            raise ValueError(f'{key} "{entry}": {error}') from None
        (self._below if is_wildcard else self._exact)[origin] = entry


def _at_port(entries: _Entries, scheme: str, host: str, port: int | None) -> str | None:
    return entries.get((scheme, host, port)) or entries.get((scheme, host, _ANY_PORT))


def _parse_entry(entry: str) -> tuple[bool, Origin]:
    """Return whether an entry stands for the hosts below the one it names, and its origin."""
    if re.search(r"[\s,;]", entry):
        raise ValueError("an entry is one origin, without blanks, commas or semicolons")
    scheme, separator, authority = entry.partition("://")
    if not separator:
        raise ValueError(_hint_at_scheme(entry))
    if scheme == "*":
        raise ValueError(f'a scheme is written out: list "http://{authority}" and "https://{authority}"')
    _check_parts(scheme.lower(), authority)
    host = authority.removesuffix(":*")
    if re.fullmatch(r"\*(?::[0-9]*)?", host):
        raise ValueError('this would let in every host; write "*" if it is meant to')
    name = host.removeprefix("*.")
    if "*" in name:
        raise ValueError('in a host "*" stands for its whole first labels, as in "https://*.example.com"')
    origin = parse_origin(f"{scheme}://{name}")
    if name != host:
        _check_suffix(origin.host)
    if host != authority:
        origin = origin._replace(port=_ANY_PORT)
    return name != host, origin


def _check_suffix(host: str) -> None:
    if host.startswith("[") or is_ipv4(host):
        raise ValueError('an address has no labels that a "*" could stand for')
    name = host.removesuffix(".")
    if "." not in name and name not in _PRIVATE_SUFFIXES:
        raise ValueError(f'this would let in all of ".{name}"; name at least two labels, as in "https://*.example.com"')


def _hint_at_scheme(entry: str) -> str:
    if is_opaque(entry):
        return 'a page without a host sends "null": write that'
    rest = entry.lstrip("/")
    # Development servers rarely speak TLS; everything else that is public does.
    guess = f"http://{rest}" if re.match(r"\*\.localhost|localhost|127\.|\[::1]", rest) else f"https://{rest}"
    try:
        _parse_entry(guess)
    except ValueError:
        return RULE
    return f'{RULE}; did you mean "{guess}"?'


def _check_parts(scheme: str, authority: str) -> None:
    """Refuse what a page's origin never has; what is written instead keeps the rest, wildcards too."""
    host_and_user = re.split(r"[/\\?#]", authority, maxsplit=1)[0]
    host = host_and_user.rpartition("@")[2]
    page = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    if scheme == "file":
        raise ValueError('a file has no host: write "file://", or "null" for the browsers of today')
    if not host:
        raise ValueError(f"{RULE}, and this one has no host")
    if page != scheme:
        raise ValueError(f'the scheme is that of the page, not of the socket: write "{page}://{host}"')
    if host_and_user != authority:
        raise ValueError(f'an origin has no path: write "{scheme}://{host}"')
    if host != host_and_user:
        raise ValueError(f'an origin has no user: write "{scheme}://{host}"')
