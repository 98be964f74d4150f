"""The broker of a single node: a counter for each open room."""

from roomcast.relay.broker import Deliver
from roomcast.relay.member import Publisher
from roomcast.relay.message import Kind, Message


class MemoryBroker:
    """Delivers at once, in the order of publication, within this process.

    A room that closes is forgotten: opened again, it counts from 0.

    Args:
        deliver: Called with each message before ``publish`` returns.
    """

    __slots__ = ("_deliver", "_heads")

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._heads: dict[str, int] = {}

    def open(self, room: str) -> int:
        """See ``Broker.open``."""
        return self._heads.setdefault(room, 0)

    def publish(self, room: str, kind: Kind, payload: bytes, sender: Publisher | None) -> None:
        """See ``Broker.publish``. A room that is not open has nobody to deliver to."""
        head = self._heads.get(room)
        if head is not None:
            self._heads[room] = head + 1
            self._deliver(Message(room, head + 1, kind, payload, sender))

    def close(self, room: str) -> None:
        """See ``Broker.close``."""
        self._heads.pop(room, None)
