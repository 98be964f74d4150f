"""A room's log: the messages that are kept, in order, by offset."""

from bisect import bisect_left
from math import inf

from roomcast.relay.message import Message


class Log:
    """The newest messages of a room, without gaps.

    ``head`` is the offset of the newest message ever appended, whether or not
    it is still held; ``first`` that of the oldest one held. An empty log has
    ``first == head + 1``. ``size_bytes`` counts the messages, ``frame_bytes``
    the frames made of them, which whoever makes them adds. ``forgotten_s`` is,
    of a log that keeps a history, when the newest message was published that it
    does not hold any more.

    Args:
        head: The offset after which this log begins.
        forgotten_s: Before which something may have been said that it never held.
    """

    __slots__ = ("_end_bytes", "_messages", "_start_bytes", "forgotten_s", "frame_bytes", "head")

    def __init__(self, head: int = 0, forgotten_s: float = inf) -> None:
        self.head = head
        self.forgotten_s = forgotten_s
        self.frame_bytes = 0
        # The size of all messages ever appended, and of those that are not held any more.
        self._end_bytes = 0
        self._start_bytes = 0
        # A list, not a deque: a laggard reads from the middle, which a deque
        # must walk to, and an empty deque takes 600 bytes in each of ten
        # thousand rooms. Trimming moves the pointers that stay, 8 bytes a
        # message: 5 µs for the 16,000 small ones that 4 MiB hold.
        self._messages: list[Message] = []

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def first(self) -> int:
        """The offset of the oldest message held."""
        return self.head - len(self._messages) + 1

    @property
    def size_bytes(self) -> int:
        """The size of the messages held."""
        return self._end_bytes - self._start_bytes

    def append(self, message: Message) -> None:
        """Add the next message. Its offset is ``head + 1``: brokers leave no gaps."""
        self.head = message.offset
        self._messages.append(message)
        message.end_bytes = self._end_bytes = self._end_bytes + message.size_bytes

    def batch(self, cursor: int, until: int, limit_bytes: int) -> list[Message]:
        """Return the messages after ``cursor`` up to offset ``until``: at least one, about ``limit_bytes`` in all.

        The caller knows that ``first - 1 <= cursor < until <= head``.
        """
        messages = self._messages
        start = len(messages) - self.head + cursor
        end = len(messages) - self.head + until
        if self._end_bytes - self._start_bytes <= limit_bytes:
            return messages[start:end]
        stop = start + 1
        size_bytes = messages[start].size_bytes
        while stop < end:
            size_bytes += messages[stop].size_bytes
            if size_bytes > limit_bytes:
                break
            stop += 1
        return messages[start:stop]

    def after(self, cursor: int, limit: int) -> list[Message]:
        """Return the messages after ``cursor``, ``limit`` at most; the caller knows that ``first - 1 <= cursor``."""
        start = len(self._messages) - self.head + cursor
        return self._messages[start : start + limit]

    def before(self, moment_s: float) -> int:
        """Return the offset of the newest message that was published before a moment, or of what stood before all held.

        By halving: a clock that was set back may have left times that do not
        ascend, and then a few messages more or less are taken for newer.
        """
        return self.first - 1 + bisect_left(self._messages, moment_s, key=lambda message: message.published_s)

    @property
    def oldest_s(self) -> float:
        """When the oldest message held was published. There is one."""
        return self._messages[0].published_s

    @property
    def newest_s(self) -> float:
        """When the newest was. There is one."""
        return self._messages[-1].published_s

    def behind_bytes(self, cursor: int) -> int:
        """Return how much was appended after ``cursor``, or all that is held where that is forgotten."""
        passed = cursor - self.first
        return self._end_bytes - self._messages[passed].end_bytes if passed >= 0 else self.size_bytes

    def recount_frames(self) -> None:
        """Count the frames anew, where it is not known how many were made."""
        self.frame_bytes = sum([message.frame_bytes for message in self._messages])

    def trim(self, keep_bytes: int, served: int) -> None:
        """Forget the oldest messages until ``keep_bytes`` are held, but none after offset ``served``."""
        messages = self._messages
        if keep_bytes == 0:
            # All that was served, which is all that frames were made of.
            count = len(messages) - self.head + served
            if count > 0:
                self._start_bytes = messages[count - 1].end_bytes
                self.frame_bytes = 0
                del messages[:count]
            return
        count = 0
        while self.size_bytes > keep_bytes and count < len(messages) and messages[count].offset <= served:
            self._start_bytes = messages[count].end_bytes
            self.frame_bytes -= messages[count].frame_bytes
            count += 1
        del messages[:count]

    def trim_history(self, keep_bytes: int, served: int, *, messages: int, size_bytes: int, since_s: float) -> None:
        """Forget what ``trim`` would, but nothing that a history of so many messages, bytes, and seconds may keep.

        Args:
            keep_bytes: As for ``trim``.
            served: Likewise.
            messages: So many of the newest may be kept,
            size_bytes: if they have no more than that,
            since_s: and were published no earlier.
        """
        held = self._messages
        # Counted, not walked: where sixteen talk at once there are sixteen to forget after each pass.
        count = max(len(held) - messages, self._beyond(size_bytes))
        while count < len(held) and held[count].published_s < since_s:
            count += 1
        count = min(count, len(held) - self.head + served)
        if keep_bytes:
            count = min(count, self._beyond(keep_bytes))
        if count > 0:
            newest = held[count - 1]
            self._start_bytes = newest.end_bytes
            self.forgotten_s = newest.published_s
            self.frame_bytes -= sum([message.frame_bytes for message in held[:count]])
            del held[:count]

    def _beyond(self, size_bytes: int) -> int:
        """Return how many of the oldest have to go before no more than ``size_bytes`` are held."""
        more_bytes = self._end_bytes - self._start_bytes - size_bytes
        if more_bytes <= 0:
            return 0
        return bisect_left(self._messages, self._start_bytes + more_bytes, key=lambda message: message.end_bytes) + 1
