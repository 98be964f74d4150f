"""Where in a room's log a newcomer begins, and what is said when that is not to be had.

A newcomer that asks for nothing stands where everybody stands. One that asks for
the past is a member whose cursor is further back: it is added first, and then fed
from the log like any laggard, so there is no moment at which a message could fall
between the past and the present, or come twice.

What it asks for may be gone. Then nobody is let go on as if nothing had been lost:
there is a ``Gap``, and whoever lets it in has to say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from roomcast.relay.log import Log

POSITION_PATTERN: Final = "[a-z0-9]{1,32}:[0-9]{1,15}"
"""How a position is written. More digits than any offset will ever have, and few enough to be a number at once."""

_POSITION = re.compile(POSITION_PATTERN)


class Position(NamedTuple):
    """A place in a room's log: the offset of the last message that somebody has, under its epoch."""

    epoch: str
    offset: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read one, as ``str`` writes it.

        Raises:
            ValueError: If it is none.
        """
        if not _POSITION.fullmatch(text):
            raise ValueError(f"{text!r} is not epoch:offset, as in k7c2m9qa:41")
        epoch, _, offset = text.partition(":")
        return cls(epoch, int(offset))

    def __str__(self) -> str:
        """Return it in one word, as ``parse`` reads it."""
        return write_position(self.epoch, self.offset)


def write_position(epoch: str, offset: int) -> str:
    """Return ``str(Position(epoch, offset))``, without making one: each message of an event stream has its own."""
    return f"{epoch}:{offset}"


@dataclass(frozen=True, slots=True)
class Wish:
    """From where on a newcomer wants to hear: one of the three ``since``, else ``newest``."""

    newest: int = 0
    """So many of the newest messages; also where what was wished for is gone."""
    since: Position | None = None
    """All after this place."""
    since_s: int | None = None
    """All that was published within so many seconds."""
    may_miss: bool = False
    """Whether it goes on where a gap is."""

    @property
    def is_to_resume(self) -> bool:
        """Whether it wants all that it missed, and not just some of what there is."""
        return self.since is not None or self.since_s is not None

    @property
    def asks_for_past(self) -> bool:
        """Whether it may have to be sent what was said before it came."""
        return self.newest > 0 or self.is_to_resume


class Gap(StrEnum):
    """Why what a newcomer asked for is not to be had."""

    EPOCH = "epoch"
    """Its position is of another life of the relay: nothing is known of what came after."""
    OFFSET = "offset"
    """What came after its position is not kept any more."""
    TIME = "time"
    """What was said within that time is not all kept."""


class Start(NamedTuple):
    """Where a newcomer begins."""

    cursor: int
    """It gets what comes after this offset."""
    gap: Gap | None = None
    """Why it is not where it wished to begin."""


NO_WISH = Wish()


def find_start(wish: Wish, log: Log, at: int, *, oldest: int, epoch: str, now_s: float, history_messages: int) -> Start:
    """Return where in a log a newcomer begins that wishes for this.

    Args:
        wish: What it asks for.
        log: The room's.
        at: The offset up to which those are served who are up to date. Nobody begins beyond it.
        oldest: The offset after which all is to be had. Nobody begins before it.
        epoch: Under which the log's offsets count.
        now_s: The time, in seconds since 1970.
        history_messages: How many of the newest messages may be asked for.
    """
    newest = min(wish.newest, history_messages)
    gap = _gap(wish, log, oldest, epoch, now_s)
    if gap is not None:
        # As much as there is, unless it has said how much of that it would like.
        cursor = log.head - (newest or history_messages)
    elif wish.since is not None:
        cursor = wish.since.offset
    elif wish.since_s is not None:
        cursor = log.before(now_s - wish.since_s)
    else:
        cursor = log.head - newest
    return Start(min(max(cursor, oldest), at), gap)


def _gap(wish: Wish, log: Log, oldest: int, epoch: str, now_s: float) -> Gap | None:
    if wish.since is not None:
        if wish.since.epoch != epoch:
            return Gap.EPOCH
        # A position ahead of the newest is none that was ever handed out.
        return None if oldest <= wish.since.offset <= log.head else Gap.OFFSET
    if wish.since_s is None:
        return None
    moment_s = now_s - wish.since_s
    return Gap.TIME if moment_s <= log.forgotten_s or log.before(moment_s) < oldest else None
