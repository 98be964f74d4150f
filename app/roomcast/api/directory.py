"""Which rooms there may be, and what those who publish in them are held to.

The transport knows the templates, and this package must not know the transport, so
what is needed of a template is handed over as ``Terms``, by name of room.
"""

from collections.abc import Callable
from dataclasses import dataclass

from falcon import HTTPBadRequest, HTTPNotFound

from roomcast.policies.templates import RoomNameError, check_room_name
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.rules import RoomRules


@dataclass(frozen=True, slots=True)
class Terms:
    """What a template says about its rooms, and asks of who publishes there. 0 is no limit."""

    template: str
    rules: RoomRules
    counters: TemplateCounters
    message_max_bytes: int
    messages_per_s: int
    bytes_per_s: int


class Directory:
    """Finds what holds for a room.

    Args:
        terms_of: Returns it for a name that keeps the rules of names; None where no template matches.
    """

    def __init__(self, terms_of: Callable[[str], Terms | None]) -> None:
        self._terms_of = terms_of

    def find(self, room: str) -> Terms:
        """Return the terms of a room, by its name: decoded, as in a query or in JSON.

        Raises:
            HTTPError: 400 for what is no room's name, 404 for one that no template has.
        """
        try:
            terms = self._terms_of(check_room_name(room))
        except RoomNameError as error:
            raise HTTPBadRequest(description=f"room: {error}") from None
        if terms is None:
            raise HTTPNotFound(description="room: no template matches this name")
        return terms
