"""How somebody came: from which page, by which name and scheme. What was judged at the door, kept while it stays.

A configuration may change while members stay, and an operator asks which of them would
not be let in any more; and of one that has gone, from which page it was. Nearly all
members of a relay come from a handful of pages, so they share these objects: what one
member costs is a reference, and what nobody has is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from roomcast.policies.forwarded import Scheme

TEXT_MAX_CHARS: Final = 512
"""As much as is kept of an Origin or a Host. No origin is that long, so what is cut is judged as it was whole."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Visit:
    """What a request said of where it came from, as ``policies.origins.OriginPolicy.judge`` wants it."""

    origin: str | None = None
    """The Origin header."""
    host: str | None = None
    """The Host header."""
    scheme: Scheme = None
    """As far as it is known."""
    site: str | None = None
    """The Sec-Fetch-Site header, where it was asked for."""


UNKNOWN: Final = Visit()
"""That of one who said nothing."""


class Visits:
    """Those of all who are here: one object for all who came alike, for as long as one of them stays."""

    def __init__(self) -> None:
        self._visits: WeakValueDictionary[tuple[str | None, ...], Visit] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._visits)

    def of(self, *, origin: str | None, host: str | None, scheme: Scheme, site: str | None = None) -> Visit:
        """Return the one visit that is this."""
        origin, host, site = _cut(origin), _cut(host), _cut(site)
        key = (origin, host, scheme, site)
        visit = self._visits.get(key)
        if visit is None:
            visit = self._visits[key] = Visit(origin, host, scheme, site)
        return visit


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:TEXT_MAX_CHARS]
