"""What became of single connections, for whoever asks why: a record of refusals and closes, in memory and bounded.

Metrics say how many, and a log says it where somebody kept it. This answers a user who
quotes an id, an operator who knows an address or an origin: why was that one refused, or
closed? It never holds what anybody said, nor a token, a query string or a header beside
Origin; and of an address as much as the log may name.

It has a fixed number of entries, half of them for refusals and half for closes, so that a
flood of the one leaves the other. Within a half, whoever has most entries makes room for the
next, whosesoever that is: a flood from one address ends up forgetting itself.

What is too old is forgotten, by ``forget_old``, whether or not anything new has come.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from math import inf
from typing import Final, Literal

from roomcast.relay.member import Behind

AT_ONCE: Final = 500
"""How many are forgotten in one turn: about 2 ms."""
TEXT_MAX_CHARS: Final = 255
"""Longer paths, origins and messages are cut. A room's name has 255 bytes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one connection ended, or why it never was one."""

    id: str
    """Which connection it was."""
    kind: Literal["refused", "closed"]
    """Whether it had been let in."""
    at_s: float
    """When, by the clock that never goes back."""
    reason: str
    """The word of log and metric: an outcome of the handshake, or a reason of a close."""
    code: int | None
    """The status that it was answered, or the code of the close frame; None where that had none."""
    age_s: float
    """How long it had lasted, in seconds."""
    limit: str | None = None
    """The setting that it exceeded."""
    room: str | None = None
    """Its room, or the path that was asked for."""
    template: str | None = None
    """The template of its room."""
    dialect: str | None = None
    """What it spoke."""
    address: str = ""
    """As much of its address as the log may name."""
    origin: str | None = None
    """The page that it came from."""
    message: str = ""
    """What one that was refused was told."""
    hint: str = ""
    """What the log says an operator may do about that."""
    sent_bytes: int | None = None
    """What its peer acknowledged over its life; None where the system does not say."""
    received_bytes: int | None = None
    """What came from it."""
    behind: Behind | None = None
    """How far behind its room it was; None for one that was up to date."""


class _Shares:
    """How many entries each address has, and who has most: each step is one look-up, for counts change by one."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        # By count, those who have so many, in the order in which they came to have them.
        self._holders: dict[int, OrderedDict[str, None]] = {}
        self._most = 0

    def grow(self, address: str) -> None:
        count = self._leave(address) + 1
        self._enter(address, count)
        self._most = max(self._most, count)

    def shrink(self, address: str) -> None:
        count = self._leave(address) - 1
        if count:
            self._enter(address, count)
        if self._most not in self._holders:
            # It was the only one that had so many, and has one less now.
            self._most -= 1

    def largest(self) -> str:
        return next(iter(self._holders[self._most]))

    def _leave(self, address: str) -> int:
        count = self._counts.pop(address, 0)
        if count:
            holders = self._holders[count]
            del holders[address]
            if not holders:
                del self._holders[count]
        return count

    def _enter(self, address: str, count: int) -> None:
        self._counts[address] = count
        self._holders.setdefault(count, OrderedDict())[address] = None


class _Half:
    """The newest endings of one kind."""

    def __init__(self, entries_max: int) -> None:
        self.entries_max = entries_max
        """With less than there are, the oldest are forgotten with the old."""
        # Ordered by age; an OrderedDict finds its first in one step, where a dict steps over all that were deleted.
        self._by_id: OrderedDict[str, Ending] = OrderedDict()
        self._by_address: dict[str, OrderedDict[str, Ending]] = {}
        self._by_origin: dict[str, OrderedDict[str, Ending]] = {}
        self._shares = _Shares()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, ending: Ending) -> None:
        if not self.entries_max:
            return
        if len(self._by_id) >= self.entries_max:
            self._forget(self._dispensable())
        self._by_id[ending.id] = ending
        self._by_address.setdefault(ending.address, OrderedDict())[ending.id] = ending
        self._shares.grow(ending.address)
        if ending.origin is not None:
            self._by_origin.setdefault(ending.origin, OrderedDict())[ending.id] = ending

    def _dispensable(self) -> Ending:
        """Return the oldest of whoever has most: a flood forgets itself, whoever comes after it."""
        return next(iter(self._by_address[self._shares.largest()].values()))

    def _forget(self, ending: Ending) -> None:
        del self._by_id[ending.id]
        _take_out(self._by_address, ending.address, ending.id)
        self._shares.shrink(ending.address)
        if ending.origin is not None:
            _take_out(self._by_origin, ending.origin, ending.id)

    def forget_before(self, at_s: float, count: int) -> bool:
        """Forget so many at most that ended before, or are too many; return whether there may be more."""
        for ending in list(islice(self._by_id.values(), count)):
            if ending.at_s >= at_s and len(self._by_id) <= self.entries_max:
                return False
            self._forget(ending)
        return bool(self._by_id)

    def of_id(self, wanted: str) -> Iterator[Ending]:
        if wanted in self._by_id:
            yield self._by_id[wanted]

    def of_address(self, wanted: str) -> Iterator[Ending]:
        return reversed(self._by_address.get(wanted, OrderedDict()).values())

    def of_origin(self, wanted: str) -> Iterator[Ending]:
        return reversed(self._by_origin.get(wanted, OrderedDict()).values())


class Record:
    """Remembers how connections ended.

    Args:
        entries_max: How many are remembered: half of it refusals, half closes; 0 for none.
        max_age_s: For how long.
    """

    def __init__(self, entries_max: int, max_age_s: float) -> None:
        self.max_age_s = max_age_s
        """For how long."""
        self._entries_max = entries_max
        self.forget_all()

    def __len__(self) -> int:
        return sum([len(half) for half in self._halves.values()])

    def add(self, ending: Ending) -> None:
        """Remember one, and forget another where there is no room for it."""
        self._halves[ending.kind].add(ending)

    def limit(self, entries_max: int, max_age_s: float) -> None:
        """Hold to other bounds from now on; what is beyond them is forgotten by ``forget_old``."""
        self.max_age_s = max_age_s
        self._entries_max = entries_max
        self._halves["refused"].entries_max = entries_max // 2
        self._halves["closed"].entries_max = entries_max - entries_max // 2

    def forget_all(self) -> None:
        """Forget whatever there is."""
        entries_max = self._entries_max
        self._halves = {"refused": _Half(entries_max // 2), "closed": _Half(entries_max - entries_max // 2)}

    def forget_old(self, now_s: float) -> bool:
        """Forget some of what is older than it may be, or more: of a flood, all falls due at once.

        Returns:
            Whether there may be more.
        """
        since_s = now_s - self.max_age_s
        # One half after the other: the second when the first has none left.
        return any(half.forget_before(since_s, AT_ONCE) for half in self._halves.values())

    def find(
        self, by: Literal["id", "address", "origin"], wanted: str, count: int, now_s: float = -inf
    ) -> list[Ending]:
        """Return the newest endings of an id, an address (as it is kept) or an origin, at most ``count``.

        None that is older now than it may be, though it be not forgotten yet.
        """
        since_s = now_s - self.max_age_s
        found: list[Ending] = []
        for half in self._halves.values():
            of = {"id": half.of_id, "address": half.of_address, "origin": half.of_origin}[by]
            found += takewhile(lambda ending: ending.at_s >= since_s, islice(of(wanted), count))
        return sorted(found, key=lambda ending: ending.at_s, reverse=True)[:count]


def _take_out(index: dict[str, OrderedDict[str, Ending]], key: str, ending_id: str) -> None:
    entries = index[key]
    del entries[ending_id]
    if not entries:
        del index[key]
