"""A room, read as server-sent events, over as many connections as that takes.

What ends a connection is no end of the room: it is followed from the position that
was reached last, after a wait. Two things end it for good: a refusal that would come
again, and a goodbye that says not to come back.

Nobody answering at all is one of those only at the beginning, where it is most likely
a wrong address; a relay that has answered once is waited for as long as it takes.
"""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode

from roomcast.cli.door import (
    COME_AGAIN,
    UNREACHABLE,
    WAIT_MAX_S,
    WAIT_TOLD_MAX_S,
    Door,
    in_words,
    line_of,
    retry_after_s,
)
from roomcast.cli.sse import Event, SseDecoder, SseError

# As long as a relay may take for a comment that keeps the connection alive: ping_interval_s is 25 by default.
SILENCE_MAX_S = 90.0
READ_BYTES = 65_536
# message_max_bytes is 64 KiB by default and can be set to anything. Binary comes in base64.
EVENT_MAX_BYTES = 64 << 20
# The first wait is a second at most, or as long as the relay says if that is more; then twice as long each time, up to
# half a minute.
FIRST_WAIT_S = 1.0
# Only a connection that lasted so long is a success, and waits begin anew: a relay may answer, and close at once.
STEADY_S = 5.0
# Who is dismissed is told its own place in a stream of those who come back, and is at most so much late.
PLACE_S = 0.1

OK = 200
EVENT_STREAM = "text/event-stream"


class EndedError(Exception):
    """The room cannot be followed, or no further. The text says why, in the relay's words where it had any."""


class _ComeBack(Exception):
    """This connection is over, and the next may be better."""

    def __init__(self, why: str, told_s: float = 0.0, *, has_place: bool = False) -> None:
        super().__init__(why)
        self.told_s = told_s
        """How long the relay wants us to stay away at least."""
        self.has_place = has_place
        """Whether that time is our own."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for, once at the beginning."""

    history: int | None = None
    since: str | None = None

    def query(self) -> str:
        """Return them as the query of a request, with its question mark."""
        asked = {"history": self.history, "since": self.since}
        query = urlencode({name: value for name, value in asked.items() if value is not None}, safe=":")
        return f"?{query}" if query else ""


class Follower:
    """Follows one room.

    Args:
        door: Where the relay's public door is.
        room: The room's name.
        wishes: Where to begin.
        token: What to say in ``Authorization``; "": nothing.
        wait: Waits for this many seconds.
        roll: Returns a number from 0 to 1, so that not everybody comes back at once.
        clock: Returns seconds that only grow.
        say: Hears, in words, what is no event of the room.
        event_max_bytes: The most that one event, or one line of it, may hold.
    """

    def __init__(
        self,
        door: Door,
        room: str,
        wishes: Wishes,
        token: str,
        *,
        wait: Callable[[float], None],
        roll: Callable[[], float],
        clock: Callable[[], float],
        say: Callable[[str], None],
        event_max_bytes: int = EVENT_MAX_BYTES,
    ) -> None:
        self._door = door
        self._target = door.target(room)
        self._wishes = wishes
        self._headers = {"Accept": EVENT_STREAM, "Cache-Control": "no-store"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._wait = wait
        self._roll = roll
        self._clock = clock
        self._say = say
        self._event_max_bytes = event_max_bytes
        self._last_id = ""
        self._first_wait_s = FIRST_WAIT_S
        self._failures = 0
        self._steady_at: float | None = None
        self._has_been_answered = False

    def events(self) -> Generator[Event]:
        """Yield the room's events: messages, binary ones, and gaps.

        Raises:
            EndedError: If it is over for good.
        """
        while True:
            try:
                yield from self._over_one_connection()
            except _ComeBack as over:
                self._pause(str(over), over.told_s, has_place=over.has_place)
            except SseError as error:
                # The same position would bring the same event.
                raise EndedError(str(error)) from error
            except UNREACHABLE as error:
                if not self._has_been_answered:
                    raise EndedError(f"{self._door.address}: {in_words(error)}") from error
                self._pause(in_words(error))

    def _pause(self, why: str, told_s: float = 0.0, *, has_place: bool = False) -> None:
        if self._steady_at is not None and self._clock() >= self._steady_at:
            self._failures = 0
        self._steady_at = None
        longest_s = min(WAIT_MAX_S, self._first_wait_s * 2**self._failures)
        # On top of what the relay says, which may be the same to all whom it refuses. To all whom it dismisses
        # it is not; but one that lets in and dismisses over and over gives places that are not worth much.
        wait_s = told_s + self._roll() * (PLACE_S if has_place and told_s >= longest_s else longest_s)
        # More would only make a large number larger.
        self._failures = min(self._failures + 1, 16)
        self._say(f"{why}; again in {wait_s:.1f} s")
        self._wait(wait_s)

    def _over_one_connection(self) -> Iterator[Event]:
        with closing(self._door.connect(SILENCE_MAX_S)) as connection:
            connection.request("GET", *self._question())
            with connection.getresponse() as answer:
                self._has_been_answered = True
                _check(answer)
                self._steady_at = self._clock() + STEADY_S
                yield from self._read(answer)
        raise _ComeBack("the connection ended")

    def _read(self, answer: HTTPResponse) -> Iterator[Event]:
        decoder = SseDecoder(line_max_bytes=self._event_max_bytes, event_max_bytes=self._event_max_bytes)
        while data := answer.read1(READ_BYTES):
            for event in decoder.receive(data):
                if event.type == "goodbye":
                    # Its `retry` is for once, and said again in there.
                    self._last_id = decoder.last_id or self._last_id
                    _part(event)
                self._keep_place(decoder)
                yield event
            self._keep_place(decoder)

    def _question(self) -> tuple[str, None, dict[str, str]]:
        """Return target, body and headers of the next request."""
        # Where there is a position it says all, and what was asked for at the beginning has been had.
        if self._last_id:
            return self._target, None, self._headers | {"Last-Event-ID": self._last_id}
        return self._target + self._wishes.query(), None, self._headers

    def _keep_place(self, decoder: SseDecoder) -> None:
        self._last_id = decoder.last_id or self._last_id
        if decoder.retry_ms is not None:
            self._first_wait_s = min(max(decoder.retry_ms / 1000, FIRST_WAIT_S), WAIT_MAX_S)


def _check(answer: HTTPResponse) -> None:
    if answer.status in COME_AGAIN:
        raise _ComeBack(f"{answer.status} {line_of(answer)}", retry_after_s(answer))
    if answer.status != OK:
        raise EndedError(f"{answer.status} {line_of(answer)}")
    kind = answer.headers.get_content_type()
    if kind != EVENT_STREAM:
        raise EndedError(f"the answer is {kind}, not {EVENT_STREAM}: is this the public door of a relay?")


def _part(event: Event) -> None:
    """End this connection as the relay's goodbye says."""
    goodbye = _object(event.data)
    why = " ".join(str(goodbye[key]) for key in ("reason", "code", "detail") if goodbye.get(key))
    if name := goodbye.get("id"):
        why += f" id={name}"
    wait_ms = goodbye.get("reconnect_after_ms")
    if wait_ms is None:
        raise EndedError(f"closed for good: {why}")
    raise _ComeBack(f"closed: {why}", _wait_told_s(wait_ms), has_place=True)


def _wait_told_s(wait_ms: object) -> float:
    """Return how long a goodbye wants us to wait; None, at our own pace, where that is no number of milliseconds.

    Only null says not to come back: whatever else is wrong there, a room is not given up for it.
    """
    if isinstance(wait_ms, bool) or not isinstance(wait_ms, (int, float)) or wait_ms != wait_ms:
        return 0.0
    # First the bounds: an integer of JSON may be too large for a division.
    return min(max(wait_ms, 0), WAIT_TOLD_MAX_S * 1000) / 1000


def _object(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
