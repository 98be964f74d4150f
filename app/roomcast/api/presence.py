"""``/api/v1/presence``: who comes and goes, as server-sent events, for a backend that wants to know.

It is what the members of a room are told who speak ``roomcast.json``: of rooms whose
templates say so, gathered for ``presence_interval_s``. Nothing is kept of it. A reader
that is too slow, or was away, asks for the members of its rooms; it is told when it has
to, by an event ``lost``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from falcon import Request, Response
from gevent.event import Event

from roomcast.api import intake
from roomcast.api.models import PresenceQuery
from roomcast.api.streams import BEGIN, begin_stream
from roomcast.protocol.event_stream import KEEP_ALIVE, notice_event
from roomcast.protocol.json_messages import People, people_fields
from roomcast.protocol.notices import Notice
from roomcast.relay.presence import Announcer, News

# What may wait for one reader: as much as a busy relay tells in some seconds.
WAITING_MAX: Final = 1000
# After so long without news a comment shows the reader that all is well; the door gives an event 10 s.
QUIET_S: Final = 5.0


class PresenceEvents:
    """The stream, of all rooms or of one.

    Args:
        announcer: Tells the news.
        check: Raises what a request is refused with.
        quiet_s: How long it is silent at most.
    """

    def __init__(self, announcer: Announcer, check: Callable[[Request], object], quiet_s: float = QUIET_S) -> None:
        self._announcer = announcer
        self._check = check
        self._quiet_s = quiet_s

    def on_get(self, request: Request, response: Response) -> None:
        """Stream until somebody leaves."""
        self._check(request)
        room = intake.query(request, PresenceQuery).room
        begin_stream(request, response)
        response.stream = self._stream(room)

    def _stream(self, room: str | None) -> Iterator[bytes]:
        inbox = Inbox(room)
        observers = self._announcer.observers
        # Only now: of a client that is gone before the first byte nobody would take it out again.
        observers[inbox.take] = None
        try:
            yield BEGIN
            while True:
                yield inbox.read(self._quiet_s) or KEEP_ALIVE
        finally:
            del observers[inbox.take]


class Inbox:
    """What waits for one reader.

    Args:
        room: The one that it wants to hear of; None for all.
    """

    def __init__(self, room: str | None) -> None:
        self._room = room
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._has_come = Event()
        # Bound once: what is taken out has to be what was put in.
        self.take = self._take

    def _take(self, news: News) -> None:
        """Keep news. Called in the loop: never waits."""
        if self._room not in (None, news.room):
            return
        if len(self._waiting) >= WAITING_MAX:
            self._lost += 1
        else:
            self._waiting.append(_event(news))
        self._has_come.set()

    def read(self, timeout_s: float) -> bytes:
        """Return all that has come, b"" if that is nothing for so long."""
        self._has_come.wait(timeout_s)
        self._has_come.clear()
        events = b"".join(self._waiting)
        self._waiting.clear()
        if self._lost:
            events += notice_event(Notice("lost", {"news": self._lost}))
            self._lost = 0
        return events


def _event(news: News) -> bytes:
    events = []
    for kind, authors in (("joined", news.come), ("left", news.gone)):
        if authors:
            people = People.of(((author.id, author.subject) for author in authors), len(authors))
            said = {"room": news.room, **people_fields(people, news.members)}
            events.append(notice_event(Notice(kind, said)))
    return b"".join(events)
