"""From a "yes" to an event stream: the same rooms as ``joining.py``, another answer.

Nothing here waits, and the order is the same: the room takes the member in, then the
answer is written. A stream begins with where it begins, so that a browser which is cut
off before the first message asks for that one when it comes back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roomcast.protocol import event_stream, notices
from roomcast.protocol.cors import may_read
from roomcast.relay.start import NO_WISH, write_position
from roomcast.transport.sse import RETRY_MS, SseMember
from roomcast.transport.tls_member import TlsSseMember
from roomcast.transport.wishes import come_back, parse_wish

if TYPE_CHECKING:
    from roomcast.protocol.request import Request
    from roomcast.relay.start import Start, Wish
    from roomcast.transport.admission import Admitted
    from roomcast.transport.formats import Formats
    from roomcast.transport.membership import Membership
    from roomcast.transport.visitor import Visitor


class Streaming:
    """Makes members of those who asked for an event stream.

    Args:
        membership: Where they are counted, and everything that they share.
        formats: What messages look like to whom.
        is_tls: Whether they speak TLS.
        with_credentials: Whether cookies mean something here, so that pages may read answers to them.
    """

    def __init__(
        self, membership: Membership, formats: Formats, *, is_tls: bool, with_credentials: bool = False
    ) -> None:
        self._membership = membership
        self._with_credentials = with_credentials
        self._format = formats.events(membership.hub.epoch)
        self._kind = TlsSseMember if is_tls else SseMember

    def join(self, visitor: Visitor, request: Request, admitted: Admitted, wish: Wish, rest: bytes) -> None:
        """Let one in.

        Args:
            visitor: The connection. From here on its socket is the member's, and so is every fault.
            request: What it asked.
            admitted: Into which room.
            wish: From where on it wants to hear, see ``wish_of``.
            rest: What came behind its request.
        """
        membership, template = self._membership, admitted.template
        member = self._kind(visitor.stream, self._format, visitor.address, membership)
        member.grant, member.visit = admitted.grant, admitted.visit
        joined = membership.hub.join(
            admitted.room,
            template.rules,
            membership.hub.templates[template.name],
            member,
            wish,
            may_exceed=membership.reports.tolerates,
        )
        membership.joined(member, joined.room)
        head = event_stream.accept(may_read(request.origin, with_credentials=self._with_credentials))
        member.open(joined.room, head + self._beginning(joined.start, template.greeting), rest)

    def _beginning(self, start: Start, greeting: str) -> bytes:
        begun = event_stream.begin(write_position(self._membership.hub.epoch, start.cursor), RETRY_MS)
        if start.gap is not None:
            begun += event_stream.notice_event(notices.gap(start.gap, start.cursor))
        if greeting:
            begun += event_stream.text_event(greeting.encode())
        return begun


def wish_of(request: Request) -> Wish:
    """Return from where on an event stream wants to be heard: the query's wish, or the browser's where it comes back.

    It is told of a gap in any case, and goes on behind it: an ``EventSource`` that is
    refused, or closed, would only ask the same again.

    Raises:
        Refusal: With 400, if that cannot be read.
    """
    wish = parse_wish(request)
    last_event_id = request.get("last-event-id")
    if last_event_id:
        # The browser adds it to the URL that it was given: what stands there is older.
        wish = come_back(wish, last_event_id)
    return wish if wish is NO_WISH else replace(wish, may_miss=True)
