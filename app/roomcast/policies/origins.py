"""Which pages may connect.

A browser lets any page open a WebSocket to any server, and says in the Origin
header which page it was; refusing the strange ones is the server's part. This
protects the users of browsers, whose cookies and networks a strange page would
use. It does not protect rooms: a client that is no browser sends what it likes.

A WebSocket's handshake always has an Origin, if a page made it. Another GET has none in
two cases: the page is of the host that it asks, or it does not want to read the answer
(an image, a script). ``Sec-Fetch-Site``, which no page can set, tells the two apart.

Three kinds of Origin are told apart, and each has a rule of its own:

* ``scheme://host[:port]`` names a page's origin and is compared part by part.
* ``null``, and what else names no host (``file://``), is opaque: pages that
  have nothing in common share it, and a sandboxed frame on any page can send
  it. So only an entry that says exactly that lets it in, and never ``*``.
* Anything else was sent by no browser (websocket-client of 2011 leaves out the
  scheme). Only ``*`` lets it in.

Sources: RFC 6454, section 7; RFC 6455, section 10.2; Fetch (fetch.spec.whatwg.org), "append
a request Origin header"; Fetch Metadata Request Headers (W3C), section 2.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from roomcast.policies.allowlist import (
    DEFAULT_PORTS,
    RULE,
    Allowlist,
    Origin,
    is_listable_opaque,
    is_opaque,
    parse_origin,
    unless_default,
)
from roomcast.policies.hosts import canonical_host, header_text, split_port


@dataclass(frozen=True, slots=True)
class Verdict:
    """May this origin connect, and why.

    ``rule`` is the text of the configuration that decides; of the allowlist it
    repeats at most the one entry that matched, so it may be shown to whoever was
    refused.
    """

    is_allowed: bool
    rule: str


# "none", the last of them, is a user who typed the address (Fetch Metadata, 2.3): no page.
_OTHER_SITES = frozenset(("cross-site", "same-site"))

_SAME_ORIGIN = Verdict(True, "same_origin = true")
_MALFORMED = Verdict(False, RULE)
_UNNAMED = Verdict(False, "a page of another origin asks, and does not say of which")


class OriginPolicy:
    """Judges the origin of every handshake by an allowlist that was compiled once.

    Entries are ``https://app.example.com``, ``https://*.example.com`` (one or
    more labels in place of the ``*``), ``http://localhost:*`` (any port or
    none), ``null`` and ``file://`` (just these), and ``*`` (anyone but these).

    Args:
        allow: The entries.
        same_origin: Whether a page may connect to the host it was loaded from.
        missing: What becomes of a handshake without an Origin header. Clients
            that are no browsers send none.
        enforce: Kept for the caller, who applies it: ``judge`` tells the same
            either way, so that refusals can be counted before they are meant.
        key: What the list is called where it is written: a rule names it.

    Raises:
        ValueError: Naming the entry, the rule it breaks and what to write.
    """

    __slots__ = ("_allowlist", "_key", "_may_be_same", "_missing", "_opaque_refused", "_open", "_unlisted", "enforce")

    def __init__(
        self,
        *,
        allow: Sequence[str],
        same_origin: bool = True,
        missing: Literal["allow", "refuse"] = "allow",
        enforce: bool = True,
        key: str = "allow",
    ) -> None:
        self.enforce = enforce
        self._allowlist = Allowlist(allow, key)
        self._key = key
        self._may_be_same = same_origin
        self._missing = Verdict(missing == "allow", f'missing = "{missing}"')
        self._open = Verdict(True, f'{key} "*"')
        self._opaque_refused = Verdict(
            False, f'null, or one without a host, must itself be in {key}: "*" is not enough'
        )
        ours = "not same_origin" if same_origin else "same_origin = false"
        self._unlisted = Verdict(False, f"{ours}, not in {key}")

    @property
    def is_open(self) -> bool:
        """Whether ``*`` is listed, which deserves a warning at start."""
        return self._allowlist.is_open

    def judge(self, origin: str | None, *, host: str | None, scheme: str | None, site: str | None = None) -> Verdict:
        """Say whether a page of this origin may connect. Never raises, whatever the client sent.

        Args:
            origin: The Origin header, None if there is none. To refuse two of
                them is the handshake's business.
            host: The Host header, None if there is none.
            scheme: ``http`` or ``https``, as browsers reach this relay; None
                where that is not known, as behind a proxy that may end TLS.
            site: The Sec-Fetch-Site header of a request that is no handshake of a
                WebSocket; None if there is none.
        """
        if origin is None:
            return self._judge_unsaid(host, scheme, site)
        if is_opaque(origin):
            return self._judge_opaque(origin)
        try:
            page = parse_origin(header_text(origin))
        except ValueError:
            return self._open if self.is_open else _MALFORMED
        if self._may_be_same and _is_same_origin(page, host, scheme):
            return _SAME_ORIGIN
        entry = self._allowlist.entry_for(page)
        if entry is not None:
            return Verdict(True, f'{self._key} "{entry}"')
        return self._open if self.is_open else self._unlisted

    def _judge_unsaid(self, host: str | None, scheme: str | None, site: str | None) -> Verdict:
        if site in _OTHER_SITES:
            return _UNNAMED
        if site != "same-origin":
            # A client that is no browser, an old one, or a page that is no longer safe
            # from others: browsers send it only where there is TLS, or to this machine.
            return self._missing
        if self._may_be_same:
            return _SAME_ORIGIN
        # Its Origin would be our own, which may still be listed.
        return self.judge(f"{scheme or 'https'}://{host}", host=host, scheme=scheme)

    def _judge_opaque(self, origin: str) -> Verdict:
        if not self._allowlist.lists_opaque(origin):
            return self._opaque_refused
        return Verdict(True, f'{self._key} "{origin.lower()}"')


UNNAMED: Final = frozenset({"opaque", "malformed"})
"""What is said of an origin that is not shown."""


def spelled(origin: str) -> str:
    """Return an Origin header as it may be shown and logged: in its one spelling, short and ASCII.

    Of one that is no origin only that is said: its path, query or user name
    may be somebody's secret.
    """
    if is_listable_opaque(origin):
        return origin.lower()
    if is_opaque(origin):
        return "opaque"
    try:
        return str(parse_origin(header_text(origin)))
    except ValueError:
        return "malformed"


def how_to_allow(origin: str | None, key: str = "[origins] allow") -> str:
    """Return what an operator changes to let this Origin header in: for the log, not for the client.

    Args:
        origin: The header as received, None if there was none. It is repeated
            in its one spelling only, which is short, printable and ASCII.
        key: The list to add it to; a room template may have its own.
    """
    if origin is None:
        return 'set missing = "allow" in [origins]'
    if is_listable_opaque(origin):
        return f'add "{origin.lower()}" to {key}; pages that have nothing in common share it'
    if is_opaque(origin):
        return "nothing allows it: it names no host"
    try:
        return f'add "{parse_origin(header_text(origin))}" to {key}'
    except ValueError:
        return f'only "*" in {key} allows it: {RULE}'


def _is_same_origin(page: Origin, host: str | None, scheme: str | None) -> bool:
    # An extension's id can be any word, so that chrome-extension://relay would
    # pass for a page of the host "relay".
    if host is None or page.scheme not in DEFAULT_PORTS or scheme not in (None, page.scheme):
        return False
    try:
        name, port = split_port(header_text(host))
        return page.host == canonical_host(name) and page.port == unless_default(port, page.scheme)
    except ValueError:
        return False
