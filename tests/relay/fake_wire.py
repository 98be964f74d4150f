"""A small but real member: frames of a made-up format, and a kernel that takes so many bytes.

It does what the relay asks of a member, and what a transport adds: the rest of
a half-written frame goes out first, then control frames, then what the room
has to say, and a close frame last. The peer reads when the test says so.
"""

import re
from collections.abc import Callable, Sequence

from roomcast.relay.author import Author, Person
from roomcast.relay.budget import Budget
from roomcast.relay.member import Behind, Member
from roomcast.relay.message import Kind, Message
from roomcast.relay.reasons import Reason

ROOMY = 10**9
"""A kernel, or a reader, that takes everything."""
GOODBYE = b"{goodbye}"


class BracketFormat:
    """A wire format that a person can read: the payload between two brackets."""

    def __init__(self, brackets: bytes = b"<>", *, carries_binary: bool = True) -> None:
        self.frames_sent = [0] * 16
        self.sent_bytes = 0
        self.left, self.right = brackets[:1], brackets[1:]
        self.carries_binary = carries_binary
        self.encoded: list[bytes] = []
        # How often news were put into its words.
        self.announced = 0

    def encode(self, message: Message) -> bytes | None:
        self.encoded.append(message.payload)
        if message.kind is Kind.BINARY and not self.carries_binary:
            return None
        return self.left + message.payload + self.right

    def announce(self, come: Sequence[Person], gone: Sequence[Person], members: int) -> Sequence[bytes]:
        self.announced += 1
        if not self.carries_binary:
            return ()
        return (b"{%d come, %d gone, %d there}" % (len(come), len(gone), members),)


class FakeMember:
    """One connection: the relay's end of it, and the peer's."""

    def __init__(self, wire_format: BracketFormat, capacity: int = ROOMY) -> None:
        self.wire_format = wire_format
        self.capacity = capacity
        self.id = "a.1"
        self.subject: str | None = None
        self.author: Author | None = Author(self)
        # What it was told that it missed: the offsets after which it went on.
        self.missed_until: list[int] = []
        self.is_dead = False
        self.is_paused = False
        self.is_waiting = False
        # Why it ended, or None.
        self.ending: Reason | None = None
        self.was_behind: Behind | None = None
        # All that the kernel took, and how much of it the peer has read.
        self.taken = bytearray()
        self.read_bytes = 0
        # How much of it the member wrote by itself: rests of frames, and control frames.
        self.own_bytes = 0
        self.offers: list[bytes] = []
        self.on_offer: Callable[[], None] = lambda: None
        self.tell_cost: Callable[[], None] = lambda: None
        self._feed: Callable[[Member], None] = lambda _: None
        self._leave: Callable[[Member, Reason], None] = lambda _, __: None
        self._part: Callable[[Member, Reason], None] = lambda _, __: None
        self.dismissed: Reason | None = None
        self._budget = Budget()
        self._rest: memoryview | None = None
        self._controls: list[bytes] = []

    def enter(self, feed: Callable[[Member], None], leave: Callable[[Member, Reason], None], budget: Budget) -> None:
        """Remember what the room wants to be called when there is space again, or this member ends, and who counts."""
        self._feed, self._leave, self._budget = feed, leave, budget

    def announce(self, frames: Sequence[bytes]) -> None:
        self.tell_cost()
        for frame in frames:
            self.control(frame)

    def say_goodbye_by(self, part: Callable[[Member, Reason], None]) -> None:
        """Remember how it leaves when it is dismissed."""
        self._part = part

    # --- what the relay asks

    def offer(self, data: bytes) -> int:
        self.on_offer()
        if self.is_dead:
            return -1
        if self.is_waiting:
            return 0
        assert self._rest is None, "the room overtakes a half-written frame"
        self.offers.append(data)
        return self._write(data)

    def hold(self, rest: memoryview) -> None:
        assert self._rest is None, "two half-written frames"
        self._rest = rest

    def want_write(self) -> None:
        self.is_waiting = True
        self._budget.charge_member(self, self.kernel_bytes())

    def missed(self, cursor: int) -> None:
        self.missed_until.append(cursor)

    def dismiss(self, reason: Reason, detail: str = "") -> None:
        self.dismissed = reason
        self._part(self, reason)

    def finish(self, reason: Reason) -> None:
        self.ending = reason
        self.control(GOODBYE)

    def overflowed(self, reason: Reason, behind: Behind | None) -> None:
        self.ending = reason
        self.was_behind = behind
        self.control(GOODBYE)

    def cut(self, reason: Reason) -> None:
        self.is_dead = True
        if self.is_in_room:
            self.ending = reason
            self._leave(self, reason)
        self._budget.release_member(self)

    @property
    def is_in_room(self) -> bool:
        return self.ending is None

    def kernel_bytes(self) -> int:
        return 0 if self.is_dead else len(self.taken) - self.read_bytes

    def fail(self) -> None:
        self.ending = Reason.INTERNAL
        self.is_dead = True

    def pause(self) -> None:
        assert not self.is_paused, "paused twice"
        self.is_paused = True

    def resume(self) -> None:
        assert self.is_paused, "resumed, but it was not paused"
        self.is_paused = False

    # --- what its transport and its peer do

    def control(self, frame: bytes) -> None:
        """Write a control frame now, or when its turn comes."""
        if self.is_dead:
            return
        if self.is_waiting:
            self._controls.append(frame)
            return
        taken = self._write(frame)
        self.own_bytes += taken
        if taken < len(frame):
            self.hold(memoryview(frame)[taken:])
            self.want_write()

    def drain(self, size: int = ROOMY) -> None:
        """Let the peer read so many bytes, and write what now finds space."""
        self.read_bytes = min(self.read_bytes + size, len(self.taken))
        if self.is_waiting and not self.is_dead and self._write_own():
            self.is_waiting = False
            self._feed(self)
            if not self.is_waiting:
                self._budget.release_member(self)

    @property
    def rest(self) -> bytes:
        """What is unsent of the frame that is half written."""
        return b"" if self._rest is None else bytes(self._rest)

    @property
    def received(self) -> bytes:
        """What the peer has read."""
        return bytes(self.taken[: self.read_bytes])

    def frames(self) -> list[bytes]:
        """What the peer has read, frame by frame."""
        return re.findall(rb"<[^>]*>|\[[^\]]*\]|\{[^}]*\}", self.received)

    def _write_own(self) -> bool:
        """Write the half frame, then the control frames; return whether all is out."""
        while True:
            if self._rest is None and self._controls:
                self._rest = memoryview(self._controls.pop(0))
            if self._rest is None:
                return True
            taken = self._write(self._rest)
            self.own_bytes += taken
            if taken < len(self._rest):
                self._rest = self._rest[taken:]
                return False
            self._rest = None

    def _write(self, data: bytes | memoryview) -> int:
        taken = min(len(data), self.capacity - (len(self.taken) - self.read_bytes))
        self.taken += data[:taken]
        return taken


def message(
    offset: int,
    payload: bytes = b"",
    kind: Kind = Kind.TEXT,
    sender: Member | None = None,
    published_s: float = 0.0,
) -> Message:
    """Return a message of one room; its payload is its offset, unless the test wants another."""
    return Message(
        "/rooms/a", offset, kind, payload or b"%d" % offset, None if sender is None else sender.author, published_s
    )
