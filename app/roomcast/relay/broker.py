"""What the relay asks of a broker.

The broker is where a message gets its place in a room's order. Everything that
is said in a room, by whatever door it came in, goes through ``publish`` and
comes back through the ``deliver`` that the broker was made with; so all
members, on however many nodes, see one order.
"""

from collections.abc import Callable
from typing import Protocol

from roomcast.relay.author import Author
from roomcast.relay.message import Kind, Message

Deliver = Callable[[Message], None]


class Broker(Protocol):
    """Gives every message its offset, and hands it to the rooms that are open here."""

    @property
    def epoch(self) -> str:
        """Under which its offsets count: letters and digits, the same for all rooms.

        Within an epoch the offsets of a room only grow, also of one that was
        closed and opened again. With another epoch nothing is known of what an
        offset of this one stood for.
        """

    def open(self, room: str) -> int:
        """Begin to deliver the messages of a room; return the offset of its newest.

        The first message delivered after this has the next offset, and none is
        left out until ``close``.
        """

    def publish(self, room: str, kind: Kind, payload: bytes, sender: Author | None) -> int:
        """Give a message the next offset of its room, which is returned, and deliver it.

        ``sender`` comes back with the message where it was published on this
        node, so that a room can leave out a sender's own messages.
        """

    def close(self, room: str) -> None:
        """Deliver nothing more of a room: nobody is in it here, and it keeps nothing."""
