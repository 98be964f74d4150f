"""What the relay asks of a member.

A member is one connection in a room. The relay never sees its socket; it
offers bytes and is told how many were taken. Every method here is called from
the loop that serves all members of all rooms, so none may block, switch
greenlets, or raise: a member that fails says so with a return value and leaves
by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from roomcast.relay.author import Author, Person
from roomcast.relay.message import WireFormat
from roomcast.relay.reasons import Reason


class Behind(NamedTuple):
    """How far a laggard is behind its room."""

    messages: int
    """Those that it has not got, the half written one included, and its own."""
    size_bytes: int
    """What the log holds of them; what it has forgotten counts as no bytes."""


class Publisher(Person, Protocol):
    """What is asked of a member as one that sends."""

    author: Author | None
    """The name on its messages, once it has sent any."""

    def pause(self) -> None:
        """Do not read from this member: its room owes more than it may.

        What of it was read before may still be published.
        """

    def resume(self) -> None:
        """Read from it again, but not before this has returned: the room is in the middle of its work.

        One that leaves, or is parting, is not resumed: how it is read from then
        on is its own business.
        """


class Member(Publisher, Protocol):
    """One connection in a room."""

    @property
    def wire_format(self) -> WireFormat:
        """The format of its frames. Never changes: it chooses the member's cohort."""

    def offer(self, data: bytes) -> int:
        """Write what the kernel will take of ``data`` now, in one call.

        Returns:
            How many bytes were taken. 0 while the member waits to be writable,
            or has something older to send first. -1 when it is dead: it has
            left its room, or is about to.
        """

    def hold(self, rest: memoryview) -> None:
        """Keep the unwritten rest of one frame, and send it before anything else.

        The view shares the log's bytes: a thousand stalled members hold one copy.
        """

    def want_write(self) -> None:
        """Call ``Room.feed`` when the member can be written to and owes no older bytes."""

    def missed(self, cursor: int) -> None:
        """Tell the peer, if it can be told, that it goes on after ``cursor``, and what lay before is lost to it.

        It can be written to, and owes no older bytes.
        """

    def announce(self, frames: Sequence[bytes]) -> None:
        """Write what its format's ``announce`` returned, now or behind what waits. It may have left meanwhile."""

    def finish(self, reason: Reason) -> None:
        """Say goodbye: all that was owed has been written. It is in no room any more."""

    def overflowed(self, reason: Reason, behind: Behind | None) -> None:
        """Say goodbye as one that fell too far behind, or that nothing can be held for. It is in no room any more.

        Args:
            reason: Which of the two.
            behind: How far it was behind.
        """

    def dismiss(self, reason: Reason, detail: str = "") -> None:
        """Close it behind what it is owed; ``detail`` follows the reason in the close frame."""

    def cut(self, reason: Reason) -> None:
        """End at once, and give back what the kernel keeps for it. It leaves its room by itself."""

    @property
    def is_in_room(self) -> bool:
        """Whether it has not said goodbye yet."""

    def kernel_bytes(self) -> int:
        """Return what the kernel keeps of what it was sent and has not acknowledged, headers and all."""

    def fail(self) -> None:
        """End at once, for a fault of the relay's own. It is in no room any more."""
