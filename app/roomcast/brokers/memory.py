"""The broker of a single node: a counter for each open room."""

from collections.abc import Callable

from roomcast.relay.author import Author
from roomcast.relay.broker import Deliver
from roomcast.relay.message import Kind, Message


class MemoryBroker:
    """Delivers at once, in the order of publication, within this process.

    A room that closes is forgotten, and only the highest offset that any such
    room ever had is kept. From there on rooms begin to count: so no offset
    stands for two messages of one room, though nobody remembers ten thousand
    rooms a day.

    Args:
        deliver: Called with each message before ``publish`` returns.
        epoch: Different for each process that there has ever been.
        clock: Seconds since 1970.
    """

    __slots__ = ("_clock", "_deliver", "_floor", "_heads", "epoch")

    def __init__(self, deliver: Deliver, epoch: str, clock: Callable[[], float]) -> None:
        self.epoch = epoch
        self._deliver = deliver
        self._clock = clock
        self._heads: dict[str, int] = {}
        self._floor = 0

    def open(self, room: str) -> int:
        """See ``Broker.open``."""
        return self._heads.setdefault(room, self._floor)

    def publish(self, room: str, kind: Kind, payload: bytes, sender: Author | None) -> int:
        """See ``Broker.publish``. A room that is not open has nobody to deliver to."""
        head = self._heads.get(room)
        if head is None:
            self._floor += 1
            return self._floor
        offset = head + 1
        self._heads[room] = offset
        self._deliver(Message(room, offset, kind, payload, sender, self._clock()))
        return offset

    def close(self, room: str) -> None:
        """See ``Broker.close``."""
        self._floor = max(self._floor, self._heads.pop(room, 0))
