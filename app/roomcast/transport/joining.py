"""From a "yes" to a member in its room.

Nothing here waits, so what was free when it was asked is still free. The order
matters: the room takes the member in, then the answer is written, then what came
behind the request is read; a message can fall between none of these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roomcast.policies.limits import MemberRate
from roomcast.protocol import json_messages, notices
from roomcast.protocol.connection import Connection
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.start import NO_WISH
from roomcast.transport.formats import JsonFormat, people
from roomcast.transport.frame_rates import FrameRates
from roomcast.transport.json_member import JsonMember
from roomcast.transport.tls_member import TlsJsonMember, TlsMember
from roomcast.transport.websocket import WebSocketMember

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roomcast.protocol.json_messages import People
    from roomcast.relay.hub import Joined
    from roomcast.relay.room import Room
    from roomcast.relay.start import Wish
    from roomcast.transport.admission import Admitted, RoomTemplate
    from roomcast.transport.formats import DialectFormat, Formats
    from roomcast.transport.membership import Membership
    from roomcast.transport.visitor import Visitor


class Joining:
    """Makes members.

    Args:
        membership: Where they are counted, and everything that they share.
        formats: What messages look like to whom.
        templates: Of the rooms that there may be.
        is_tls: Whether they speak TLS.
    """

    def __init__(
        self, membership: Membership, formats: Formats, templates: Iterable[RoomTemplate], *, is_tls: bool
    ) -> None:
        self._membership = membership
        self._formats = formats
        self._raw = TlsMember if is_tls else WebSocketMember
        self._json = TlsJsonMember if is_tls else JsonMember
        self._rates = {
            template.name: FrameRates(
                template.control_frames_per_s, template.fragments_per_s, membership.clock, membership.reports
            )
            for template in templates
        }

    def join(
        self, visitor: Visitor, wire_format: DialectFormat, admitted: Admitted, wish: Wish, head: bytes, rest: bytes
    ) -> None:
        """Let a WebSocket in.

        Args:
            visitor: The connection. From here on its socket is the member's, and so is every fault.
            wire_format: What was agreed on.
            admitted: Into which room.
            wish: From where on it wants to hear.
            head: What is still to be written of the 101.
            rest: What came behind its request.
        """
        member = self._make(visitor, wire_format, admitted.template)
        if isinstance(member, JsonMember):
            # Whatever is gone, it is told, and can go on.
            joined = self._enter(member, admitted, replace(wish, may_miss=True) if wish is not NO_WISH else wish)
            member.open(joined.room, head + self._welcome(member, admitted, joined), rest)
            return
        joined = self._enter(member, admitted, wish)
        member.open(joined.room, head + self._greeting(wire_format, admitted.template), rest)
        if joined.start.gap is not None and not wish.may_miss:
            # Behind the 101, for a browser tells its page nothing of any other answer.
            member.dismiss(Reason.GAP, f"since={joined.start.gap}")

    def _make(self, visitor: Visitor, wire_format: DialectFormat, template: RoomTemplate) -> WebSocketMember:
        membership, dialect = self._membership, wire_format.dialect
        connection = Connection(
            dialect,
            message_max_bytes=template.message_max_bytes,
            fragments_max=template.fragments_max,
            frame_counts=membership.counters.frames_received[dialect],
            rates=self._rates[template.name],
            may_inflate=wire_format.may_inflate,
        )
        rate = MemberRate.for_limits(template.messages_per_s, template.bytes_per_s)
        kind = self._json if isinstance(wire_format, JsonFormat) else self._raw
        return kind(connection, visitor.stream, wire_format, rate, visitor.address, membership)

    def _enter(self, member: WebSocketMember, admitted: Admitted, wish: Wish) -> Joined:
        membership, template, grant = self._membership, admitted.template, admitted.grant
        member.grant, member.visit = grant, admitted.visit
        is_listening = grant is None or grant.may_subscribe
        joined = membership.hub.join(
            admitted.room,
            template.rules,
            membership.hub.templates[template.name],
            member,
            # Who may not hear may not hear what was said before, either.
            wish if is_listening else NO_WISH,
            is_listening=is_listening,
            may_exceed=membership.reports.tolerates,
        )
        membership.joined(member, joined.room)
        return joined

    def _greeting(self, wire_format: DialectFormat, template: RoomTemplate) -> bytes:
        if not template.greeting:
            return b""
        wire_format.frames_sent[Kind.TEXT] += 1
        return self._uncompressed(wire_format, template.greeting.encode())

    def _welcome(self, member: JsonMember, admitted: Admitted, joined: Joined) -> bytes:
        room, start = joined
        told = [
            json_messages.welcome(
                member.id,
                epoch=self._membership.hub.epoch,
                offset=start.cursor,
                head=room.log.head,
                members=room.member_count,
                present=_present(room, admitted),
                greeting=admitted.template.greeting,
            )
        ]
        if start.gap is not None:
            told.append(json_messages.notice(notices.gap(start.gap, start.cursor)))
        member.wire_format.frames_sent[Kind.TEXT] += len(told)
        return b"".join([self._uncompressed(member.wire_format, text) for text in told])

    def _uncompressed(self, wire_format: DialectFormat, text: bytes) -> bytes:
        """Return a frame for a newcomer: to compress it would have to be done anew for each."""
        return self._formats.find(wire_format.dialect).frame(Kind.TEXT, text) or b""


def _present(room: Room, admitted: Admitted) -> People | None:
    """Return who is in a room, where its members are told, and one of them may hear anything."""
    if room.presence is None or not (admitted.grant is None or admitted.grant.may_subscribe):
        return None
    return people(room.present(), room.member_count)
