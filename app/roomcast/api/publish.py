"""A message that comes in by HTTP: checked as a member's would be, then sent down the same road.

First everything that can be wrong with it, then everything that may be wrong now:
whoever gets 503 or 429 may send the same thing again, later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from falcon import HTTPBadRequest, HTTPContentTooLarge, HTTPServiceUnavailable

from roomcast.api.directory import Directory, Terms
from roomcast.api.keys import Holder
from roomcast.api.models import Payload
from roomcast.api.problems import LATER_S
from roomcast.api.rates import HolderRates
from roomcast.api.turns import Slices
from roomcast.relay.hub import Hub, Published
from roomcast.relay.message import Kind
from roomcast.relay.rooms import RoomLimitError

# A room that owes a megabyte has sent half of it within some milliseconds; one whose
# members are slow takes longer, and is asked again.
BUSY_RETRY_S: Final = 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is sent."""

    room: str
    kind: Kind
    payload: bytes


class Publishing:
    """Checks messages and sends them.

    Args:
        hub: The rooms.
        directory: What holds for them.
        rates: How much each holder of a key may send.
        is_ready: Whether the relay has begun to serve, and does not drain.
    """

    def __init__(self, hub: Hub, directory: Directory, rates: HolderRates, is_ready: Callable[[], bool]) -> None:
        self._hub = hub
        self._directory = directory
        self._rates = rates
        self._is_ready = is_ready

    @property
    def epoch(self) -> str:
        """Under which offsets count."""
        return self._hub.epoch

    def publish(self, draft: Draft, holder: Holder) -> Published:
        """Send one message.

        Raises:
            HTTPError: 400 or 404 for the room, 413 for the size, 429 for the rate, 503 if not now.
        """
        terms = self._directory.find(draft.room)
        _check_size(draft, terms, "the message")
        self._check_ready()
        self._check_room(draft.room, terms)
        self._rates.admit(holder.name, draft.room, terms, len(draft.payload))
        return self.send(draft, terms)

    def check(self, drafts: Sequence[Draft], holder: Holder, slices: Slices) -> dict[str, Terms]:
        """Make sure that all of these can be sent now, and count them as sent; return what holds for their rooms.

        There are pauses as long as nothing is asked that may change.

        Raises:
            HTTPError: As ``publish``; then none of them counts.
        """
        found: dict[str, Terms] = {}
        sizes_bytes: dict[str, int] = {}
        counts: dict[str, int] = {}
        for index, draft in enumerate(drafts):
            room = draft.room
            if room not in found:
                found[room] = self._directory.find(room)
                sizes_bytes[room] = counts[room] = 0
            _check_size(draft, found[room], f"messages[{index}]")
            sizes_bytes[room] += len(draft.payload)
            counts[room] += 1
            slices.end()
        self._check_ready()
        for room, terms in found.items():
            self._check_room(room, terms)
        self._admit_all(holder.name, found, sizes_bytes, counts)
        return found

    def send(self, draft: Draft, terms: Terms) -> Published:
        """Send a message that was checked.

        Raises:
            HTTPServiceUnavailable: If its room cannot be opened any more.
        """
        try:
            return self._hub.publish_to(draft.room, terms.rules, terms.counters, draft.kind, draft.payload)
        except RoomLimitError as error:
            raise _full(error.limit) from None

    def _check_ready(self) -> None:
        if not self._is_ready():
            raise HTTPServiceUnavailable(description="the relay is starting or stopping", retry_after=LATER_S)

    def _check_room(self, room: str, terms: Terms) -> None:
        if self._hub.is_busy(room):
            description = "the room owes its members more than pending_max_bytes, or memory is short"
            raise HTTPServiceUnavailable(description=description, retry_after=BUSY_RETRY_S)
        limit = self._hub.rooms.refusal(room, terms.rules)
        # A room that is full of members can be spoken in.
        if limit == "rooms_max" and terms.rules.history_messages:
            raise _full(limit)

    def _admit_all(
        self, holder: str, found: dict[str, Terms], sizes_bytes: dict[str, int], counts: dict[str, int]
    ) -> None:
        admitted: list[str] = []
        try:
            for room, terms in found.items():
                self._rates.admit(holder, room, terms, sizes_bytes[room], counts[room])
                admitted.append(room)
        except Exception:
            for room in admitted:
                self._rates.give_back(holder, room, sizes_bytes[room], counts[room])
            raise


def text_draft(room: str, data: bytes) -> Draft:
    """Return a text message.

    Raises:
        HTTPBadRequest: If it is no UTF-8.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        raise HTTPBadRequest(description="the text is not UTF-8") from None
    return Draft(room, Kind.TEXT, data)


def json_draft(room: str, payload: Payload, what: str) -> Draft:
    """Return a message that came as JSON; ``what`` names it where it is none.

    Raises:
        HTTPBadRequest: If it is not one of text and bytes.
    """
    try:
        return Draft(room, Kind.BINARY if payload.is_binary else Kind.TEXT, payload.data())
    except ValueError as error:
        raise HTTPBadRequest(description=f"{what}: {error}") from None


def _check_size(draft: Draft, terms: Terms, what: str) -> None:
    if 0 < terms.message_max_bytes < len(draft.payload):
        rule = f"message_max_bytes = {terms.message_max_bytes} of this room's template"
        raise HTTPContentTooLarge(description=f"{what} is longer than {rule}")


def _full(limit: str) -> HTTPServiceUnavailable:
    return HTTPServiceUnavailable(description=f"{limit} is reached", retry_after=LATER_S)
