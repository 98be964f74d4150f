"""Readers that break and come back, and what each must have heard over all its connections.

A reader remembers what a client would: the position of the last message that it has
read, or of the last gap that it was told of. Whatever happens to it and its room, the
messages that it heard are those of its room in order, none twice, and none is missing
but where it was told so.
"""

from functools import partial
from random import Random
from typing import NamedTuple

from roomcast.relay.author import Author
from roomcast.relay.hub import Hub
from roomcast.relay.member import Member
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.rooms import RoomLimitError
from roomcast.relay.rules import RoomRules
from roomcast.relay.start import NO_WISH, Position, Wish
from tests.relay.driven_relay import ANGLES, EPOCH, Relay
from tests.relay.fake_wire import GOODBYE, FakeMember

_GAP = b"{gap %d}"


class TellingMember(FakeMember):
    """A member that can be told what it missed, in its place among the messages."""

    def missed(self, cursor: int) -> None:
        self.control(_GAP % cursor)


class Said(NamedTuple):
    """A message of a room."""

    offset: int
    text: bytes
    sender: Author | None


class Archive:
    """All that was ever said, by room."""

    def __init__(self) -> None:
        self.rooms: dict[str, list[Said]] = {}
        self._numbers = iter(range(1 << 30))

    def next_text(self) -> bytes:
        return b"%d" % next(self._numbers)

    def add(self, path: str, said: Said) -> None:
        self.rooms.setdefault(path, []).append(said)

    def after(self, path: str, offset: int) -> list[Said]:
        return [said for said in self.rooms.get(path, ()) if said.offset > offset]


class Reader:
    """One client of one room, over all its connections."""

    def __init__(self, relay: Relay, archive: Archive, path: str, rules: RoomRules) -> None:
        self.path = path
        self.rules = rules
        self.member: TellingMember | None = None
        self.room: Room | None = None
        self.gaps = 0
        # The offset of the last message that it has, or that it was told is lost; none before it came.
        self.position: int | None = None
        self._relay = relay
        self._archive = archive
        # How many of the frames of this connection it has read.
        self._frames_read = 0

    def connect(self, capacity: int) -> bool:
        """Come, or come back. Returns whether there was a place."""
        hub: Hub = self._relay.hub
        wish = NO_WISH if self.position is None else Wish(0, Position(EPOCH, self.position), None, may_miss=True)
        member = TellingMember(ANGLES, capacity)
        try:
            room, start = hub.join(self.path, self.rules, self._relay.counters, member, wish)
        except RoomLimitError:
            return False
        if self.position is not None and start.gap is None:
            assert start.cursor == self.position, "it goes on elsewhere, and was not told"
        if start.gap is not None:
            self.gaps += 1
        self.position = start.cursor
        member.enter(partial(hub.feed, room), partial(hub.leave, room), hub.budget)
        member.say_goodbye_by(partial(hub.part, room))
        self.member, self.room, self._frames_read = member, room, 0
        return True

    def say(self) -> None:
        """Say something, as one that is open and read from."""
        member, room = self.member, self.room
        if member is None or room is None or member.is_paused or member.is_dead or member.ending or member.dismissed:
            return
        text = self._archive.next_text()
        head = room.log.head
        self._archive.add(self.path, Said(head + 1, text, member.author))
        assert self._relay.hub.publish(room, Kind.TEXT, text, member) == head + 1

    def read(self, size: int) -> None:
        """Read so many bytes, and see that they are what must come next."""
        member = self.member
        if member is None:
            return
        member.drain(size)
        frames = member.frames()
        for frame in frames[self._frames_read :]:
            self._hear(member, frame)
        self._frames_read = len(frames)
        if frames and frames[-1] == GOODBYE:
            self.member = None

    def cut(self) -> None:
        """Lose the connection, wherever it is: in the middle of a frame, or with frames unread."""
        member, room = self.member, self.room
        if member is None or room is None:
            return
        if not member.is_dead and member.is_in_room:
            self._relay.hub.leave(room, member, Reason.GONE)
        member.is_dead = True
        self._relay.hub.budget.release_member(member)
        self.member = None

    def check_heard_all(self) -> None:
        assert self.member is not None
        assert self.position is not None
        assert self._due(self.member) == [], "it was never told all"

    def _hear(self, member: TellingMember, frame: bytes) -> None:
        assert self.position is not None
        if frame == GOODBYE:
            return
        if frame.startswith(b"{gap "):
            cursor = int(frame[5:-1])
            assert cursor > self.position, "a gap that is none"
            self.gaps += 1
            self.position = cursor
            return
        due = self._due(member)
        assert due, "a message that nobody said, or that it had"
        assert frame == b"<%b>" % due[0].text, "not the one that comes next"
        self.position = due[0].offset

    def _due(self, member: Member) -> list[Said]:
        """Return what it has yet to hear on this connection, on which its own words are not repeated to it."""
        assert self.position is not None
        after = self._archive.after(self.path, self.position)
        return [said for said in after if self.rules.echo or said.sender is not member.author]


def any_rules(dice: Random) -> RoomRules:
    return RoomRules(
        echo=dice.random() < 0.5,
        overflow=dice.choice(["close", "skip"]),
        lag_max_bytes=dice.choice([1_500, 5_000, 200_000]),
        pending_max_bytes=dice.choice([1_000, 50_000]),
        history_messages=dice.choice([3, 20, 1_000]),
        history_max_bytes=dice.choice([600, 2_000, 100_000]),
        history_max_age_s=dice.choice([2, 1_000]),
    )


class Story:
    """One random life of a relay with a few rooms, told by its seed; with any rules, or with these."""

    def __init__(self, relay: Relay, seed: int, rules: RoomRules | None = None) -> None:
        self.relay = relay
        self.dice = dice = Random(seed)
        self.archive = Archive()
        self.rules = rules or any_rules(dice)
        self.paths = [f"/rooms/{name}" for name in "abcd"[: dice.randint(1, 4)]]
        self.readers = [Reader(relay, self.archive, dice.choice(self.paths), self.rules) for _ in range(6)]
        self.steps = [
            (20, self.connect),
            (30, self.say),
            (10, self.publish),
            (30, self.flush),
            (30, self.read),
            (10, self.cut),
            (4, self.sweep),
            (4, self.let_pass),
            (1, self.close_room),
        ]

    def tell(self) -> None:
        weights = [weight for weight, _ in self.steps]
        for _, step in self.dice.choices(self.steps, weights, k=self.dice.randint(50, 300)):
            step()
        self.settle()

    def connect(self) -> None:
        reader = self.dice.choice(self.readers)
        if reader.member is None:
            reader.connect(self.dice.choice([5, 30, 200, 10**9]))

    def say(self) -> None:
        self.dice.choice(self.readers).say()

    def publish(self) -> None:
        hub, path = self.relay.hub, self.dice.choice(self.paths)
        if hub.is_busy(path):
            return
        text = self.archive.next_text()
        try:
            published = hub.publish_to(path, self.rules, self.relay.counters, Kind.TEXT, text)
        except RoomLimitError:
            return
        self.archive.add(path, Said(published.offset, text, None))

    def flush(self) -> None:
        self.relay.loop.end_turn()
        self.relay.loop.wait(self.dice.choice([0.0, 0.03]))

    def read(self) -> None:
        self.dice.choice(self.readers).read(self.dice.choice([1, 5, 50, 10**9]))

    def cut(self) -> None:
        self.dice.choice(self.readers).cut()

    def sweep(self) -> None:
        reader = self.dice.choice(self.readers)
        if reader.member is not None and reader.room is not None and reader.member.is_in_room:
            self.relay.hub.sweep(reader.room, reader.member)

    def let_pass(self) -> None:
        self.relay.loop.wait(self.dice.choice([0.5, 3.0]))
        self.relay.hub.look()

    def close_room(self) -> None:
        self.relay.hub.close_room(self.dice.choice(self.paths))

    def settle(self) -> None:
        """Let all go on until everybody who finds a place has heard all."""
        for _ in range(20):
            for reader in self.readers:
                if reader.member is None or not reader.member.is_in_room or reader.member.dismissed:
                    reader.cut()
                    reader.connect(10**9)
                elif reader.member.is_dead:
                    reader.cut()
            for _ in range(20):
                self.relay.loop.end_turn()
                self.relay.loop.wait(0.3)
                for reader in self.readers:
                    reader.read(10**9)
        for reader in self.readers:
            if reader.member is not None:
                reader.check_heard_all()
            reader.cut()
        self.check_nothing_is_left()

    def check_nothing_is_left(self) -> None:
        """See that rooms without members keep what is accounted for, and that nothing else is held."""
        hub, counters = self.relay.hub, self.relay.counters
        assert (counters.members, counters.rooms, counters.laggards, counters.publishers_paused) == (0, 0, 0, 0)
        assert hub.budget.held_bytes == 0
        assert all(room.keeps_something for room in hub.rooms.values())
        assert len(hub.histories) == len(hub.rooms)
        self.relay.loop.wait(self.rules.history_max_age_s + 2)
        for _ in range(2):
            hub.look()
        assert (hub.rooms, hub.histories.held_bytes) == ({}, 0)
