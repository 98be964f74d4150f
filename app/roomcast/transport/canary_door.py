"""Where the canary comes in: a room of the relay's own, behind a key that was made at start.

It comes through the public door as everybody does, and goes the road of every
message: watcher, decoder, broker, room, flush, outbox. Only what is asked and
counted on the way is left out: no origin, no token, no Host and no address says
whether the relay may visit itself, and an operator who counts members and
handshakes counts people.

The key is in a header, not in the path: paths are logged, headers are not. Who has
another one, or none, is told what anybody is told of a path that is no room's: 404.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from roomcast.metrics import TransportCounters
from roomcast.policies.limits import MemberRate
from roomcast.protocol.connection import Connection
from roomcast.protocol.handshake import Dialect
from roomcast.protocol.upgrade import accept
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.reasons import Reason
from roomcast.relay.rules import RoomRules
from roomcast.transport.formats import Rfc6455Format
from roomcast.transport.frame_rates import FrameRates
from roomcast.transport.membership import CountedMember, Membership
from roomcast.transport.tls_member import TlsMember
from roomcast.transport.websocket import WebSocketMember

if TYPE_CHECKING:
    from roomcast.protocol.request import Request
    from roomcast.relay.room import Room
    from roomcast.transport.recorder import Parted
    from roomcast.transport.visitor import Visitor

PATH: Final = "/-/canary"
"""Its room, and the path to that: no template may match what begins with /-/."""
KEY_HEADER: Final = "Roomcast-Canary"
MESSAGE_MAX_BYTES: Final = 125
"""As long a message as its client can send. It is in this process, and as trustworthy as it."""


class CanaryDoor:
    """Lets one in who has the key.

    Args:
        membership: What all members share.
        key: What nobody else can know; never logged.
        is_tls: Whether members speak TLS.
    """

    def __init__(self, membership: Membership, key: str, *, is_tls: bool) -> None:
        self._membership = membership
        self.key = key
        self._kind = TlsMember if is_tls else WebSocketMember
        # Counters that nobody reads, in the place of those that everybody does.
        self._counters = TransportCounters([Dialect.RFC6455], [])
        self._room_counters = TemplateCounters("canary")
        self._format = Rfc6455Format(self._counters)
        self._present: dict[CountedMember, None] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in."""
        return not self._present

    def is_meant(self, request: Request, dialect: Dialect | None) -> bool:
        """Tell whether this is the canary's request."""
        if request.path != PATH or dialect is not Dialect.RFC6455:
            return False
        # In the same time, however much of it is right.
        return compare_digest((request.get(KEY_HEADER.lower()) or "").encode(), self.key.encode())

    def let_in(self, visitor: Visitor, request: Request, rest: bytes) -> None:
        """Make a member of it, in a new room. Waits for nothing."""
        membership = _Uncounted(self._membership, self._counters, self._present)
        room = membership.hub.rooms.open_aside(PATH, RoomRules(echo=True), self._room_counters)
        member = self._make(visitor, membership)
        room.join(member)
        membership.joined(member, room)
        member.open(room, accept(request), rest)

    def cut(self) -> None:
        """Close what is left of it, at the end of the relay."""
        for member in list(self._present):
            member.cut(Reason.RESTART)

    def _make(self, visitor: Visitor, membership: Membership) -> WebSocketMember:
        connection = Connection(
            Dialect.RFC6455,
            message_max_bytes=MESSAGE_MAX_BYTES,
            fragments_max=1,
            frame_counts=self._counters.frames_received[Dialect.RFC6455],
            rates=FrameRates(0, 0, membership.clock, membership.reports),
        )
        no_limit = MemberRate.for_limits(0, 0)
        return self._kind(connection, visitor.stream, self._format, no_limit, visitor.address, membership)


class _Uncounted(Membership):
    """What members share, for one that is in no count, no list and no log.

    Args:
        shared: By all others. Looked at anew for each, as a reload may change it.
        counters: In the place of theirs.
        present: Where it is noted instead.
    """

    def __init__(self, shared: Membership, counters: TransportCounters, present: dict[CountedMember, None]) -> None:
        # Everything, the turns of the loop too: it is served in turn with all others, or its time would say nothing.
        vars(self).update(vars(shared))
        self.counters = counters
        self._present = present

    def joined(self, member: CountedMember, room: Room) -> None:
        """Note that it is there."""
        del room
        self._present[member] = None

    def closed(self, member: CountedMember, reason: Reason, parted: Parted) -> None:
        """Give its place back."""
        del reason, parted
        self._present.pop(member, None)
        self.places.release(member.address)
