"""From an accepted connection to a member, or to an answer that says why not.

Each connection has a greenlet for its handshake, because a handshake waits and
times out; it ends with the 101, and the member goes on without one. From the
last check until the member is in its room nothing switches greenlets, so what
was free is still free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gevent

from roomcast.logs import fault
from roomcast.pages import CLIENT, CLIENT_PATH
from roomcast.protocol import cors, event_stream, hixie76
from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.handshake import Dialect, accept, recognise, subprotocol
from roomcast.protocol.http import GET_AND_OPTIONS, HeadDecoder
from roomcast.protocol.json_messages import SUBPROTOCOL
from roomcast.protocol.request import Request
from roomcast.transport.admission import Admission, Outcome, Refusal
from roomcast.transport.answers import Answers, Page
from roomcast.transport.gate import Gate, draining
from roomcast.transport.introduction import Introduction
from roomcast.transport.joining import Joining
from roomcast.transport.membership import Membership
from roomcast.transport.streaming import Streaming, wish_of
from roomcast.transport.tls import TlsError, TlsServer
from roomcast.transport.tokens import check_may_hear
from roomcast.transport.visitor import NotTlsError, Visitor
from roomcast.transport.wishes import parse_wish

if TYPE_CHECKING:
    import _socket

    from roomcast.policies.forwarded import Forwarding
    from roomcast.transport.canary_door import CanaryDoor
    from roomcast.transport.drain import Drain
    from roomcast.transport.formats import Formats
    from roomcast.transport.tokens import Authenticator

# How many of those who find no place may be answered at a time. More would
# hold the descriptors that members need; the rest are just closed.
_TURNED_AWAY_MAX = 64

_READY_PATH = "/-/ready"
_READY = Page(b"ready\n")
_CLIENT = Page(CLIENT.body, CLIENT.headers)
_OUTCOMES = {405: Outcome.METHOD, 426: Outcome.VERSION, 431: Outcome.HEAD_TOO_LARGE}


@dataclass(frozen=True, slots=True)
class HandshakeLimits:
    """What a newcomer may take before it is known which room it wants."""

    handshake_timeout_s: float
    head_max_bytes: int
    headers_max: int


class Entry:
    """Takes connections from the listeners and makes members of them.

    Args:
        admission: Asked who may enter which room.
        membership: Where members are counted, and everything that they share.
        formats: What messages look like to whom.
        limits: See there.
        page: What GET / answers.
        forwarding: Which proxies are believed when they say for whom they speak.
        tls: With which certificate it is served; without any, in clear.
        authenticator: Asks for tokens; without any, there are none.
        drain: Asked when those may come back who find it draining.
        canary: By which the relay visits itself.
    """

    def __init__(
        self,
        admission: Admission,
        membership: Membership,
        formats: Formats,
        limits: HandshakeLimits,
        page: Page,
        forwarding: Forwarding,
        tls: TlsServer | None = None,
        authenticator: Authenticator | None = None,
        *,
        drain: Drain,
        canary: CanaryDoor | None = None,
    ) -> None:
        self._admission = admission
        self._membership = membership
        self._formats = formats
        self._limits = limits
        self._page = page
        self._answers = Answers(membership)
        self._introduction = Introduction(forwarding, membership.places)
        self._joining = Joining(membership, formats, admission.templates, is_tls=tls is not None)
        self._are_cookies_read = authenticator is not None and authenticator.are_cookies_read
        self._streaming = Streaming(
            membership, formats, is_tls=tls is not None, with_credentials=self._are_cookies_read
        )
        self._speaks_streams = admission.speaks(event_stream.NAME)
        self._tls = tls
        self._gate = Gate(admission, membership, self._answers, authenticator, drain)
        self._drain = drain
        self._canary = canary
        self._turned_away = 0

    def accepted(self, raw: _socket.socket, address: str) -> None:
        """Begin the handshake of a connection. Called in the loop: never waits, never raises."""
        membership = self._membership
        visitor = Visitor(raw, address, membership.clock(), membership.counters, membership.turns)
        # What is said before there is TLS, nobody understands.
        visitor.may_answer = self._tls is None
        refusal = self._membership.places.claim(address)
        if refusal is None:
            gevent.spawn_raw(self._serve, visitor)
        elif self._turned_away < _TURNED_AWAY_MAX:
            # Counted here: a whole lot is accepted before the first greenlet runs.
            self._turned_away += 1
            gevent.spawn_raw(self._turn_away, visitor, refusal)
        else:
            self._answers.count(visitor, refusal.outcome, refusal.limit)
            raw.close()

    def _turn_away(self, visitor: Visitor, refusal: Refusal) -> None:
        """Answer one for whom there is no place, without reading what it wants."""
        try:
            self._answers.refuse(visitor, None, refusal)
            visitor.linger()
        finally:
            self._turned_away -= 1
            visitor.raw.close()

    def _serve(self, visitor: Visitor) -> None:
        """The greenlet of one connection: a handshake, and what follows when it makes no member."""
        is_member = False
        try:
            is_member = self._try_to_shake_hands(visitor)
            if not is_member:
                visitor.linger()
        finally:
            if not is_member:
                visitor.raw.close()
                self._membership.places.release(visitor.claimed)

    def _try_to_shake_hands(self, visitor: Visitor) -> bool:
        """Make a member of it, or send the answer that says why not. Returns whether it is one."""
        heads = HeadDecoder(self._limits.head_max_bytes, self._limits.headers_max, GET_AND_OPTIONS)
        request: Request | None = None
        deadline = gevent.Timeout.start_new(self._limits.handshake_timeout_s)
        try:
            self._introduction.before_everything(visitor)
            self._secure(visitor)
            request = _read_head(visitor, heads)
            self._introduction.by_request(visitor, request)
            return self._answer(visitor, request, heads.rest)
        except Refusal as refusal:
            self._answers.refuse(visitor, request, refusal)
        except HandshakeError as error:
            outcome = _OUTCOMES.get(error.status, Outcome.MALFORMED)
            no = Refusal(error.status, outcome, str(error), headers=error.headers, limit=error.limit)
            self._answers.refuse(visitor, request, no)
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            late = f"the handshake took longer than handshake_timeout_s = {self._limits.handshake_timeout_s:g}"
            self._answers.refuse(visitor, request, Refusal(408, Outcome.TIMEOUT, late, limit="handshake_timeout_s"))
        except OSError:
            self._answers.count(visitor, Outcome.GONE)
        except Exception as error:
            self._membership.journal.error("internal fault", **fault(error))
            self._answers.refuse(visitor, request, Refusal(500, Outcome.INTERNAL, "a fault of the relay's own"))
        finally:
            deadline.close()
            self._membership.places.end_handshake(visitor.claimed)
        return False

    def _secure(self, visitor: Visitor) -> None:
        """Shake hands for TLS, where there is any. Raises Refusal."""
        if self._tls is None:
            return
        try:
            visitor.secure(self._tls)
        except NotTlsError:
            visitor.may_answer = True
            raise Refusal(400, Outcome.TLS, "this port speaks TLS: use wss:// or https://") from None
        except TlsError as error:
            raise Refusal(400, Outcome.TLS, f"no TLS: {error}") from None
        visitor.may_answer = True

    def _answer(self, visitor: Visitor, request: Request, rest: bytes) -> bool:
        """Answer a request whose head is whole. Returns whether it made a member."""
        if request.method == "OPTIONS":
            self._answer_preflight(visitor, request)
            return False
        dialect = visitor.dialect = recognise(request)
        if self._canary is not None and self._canary.is_meant(request, dialect):
            self._canary.let_in(visitor, request, rest)
            return True
        self._admission.check_host(request.host, request.path)
        if dialect is None:
            return self._answer_plain(visitor, request, rest)
        self._admission.check_dialect(dialect)
        wish = parse_wish(request)
        admitted = self._gate.admit(visitor, request, wish)
        agreement = self._formats.negotiate(request, dialect)
        is_json = subprotocol(request, dialect) == SUBPROTOCOL
        head = accept(request, dialect, is_secure=visitor.scheme == "https", agreement=agreement)
        if dialect is Dialect.HIXIE76:
            head, rest = self._finish_hixie76(visitor, request, head, rest)
            # Others may have come while we waited for the eight bytes, or an operator may have revoked its token.
            self._gate.check_again(admitted, wish)
        self._accepted(visitor)
        self._joining.join(visitor, self._formats.find(dialect, agreement, is_json=is_json), admitted, wish, head, rest)
        return True

    def _accepted(self, visitor: Visitor) -> None:
        self._membership.counters.handshake_duration.observe(self._membership.clock() - visitor.now_s)
        self._answers.count(visitor, Outcome.ACCEPTED)

    def _finish_hixie76(self, visitor: Visitor, request: Request, head: bytes, rest: bytes) -> tuple[bytes, bytes]:
        """Return what is still to be written before the first frame, and what follows the eight bytes.

        A proxy may hold the eight bytes back until it has seen the 101. So if
        they are not there, the head goes out at once, and the token alone later.
        """
        if len(rest) < hixie76.KEY3_SIZE:
            visitor.may_answer = False
            visitor.send(head)
            head = b""
        while len(rest) < hixie76.KEY3_SIZE:
            data = visitor.receive()
            if not data:
                raise ConnectionResetError
            rest += data
        key1, key2 = request.get("sec-websocket-key1") or "", request.get("sec-websocket-key2") or ""
        token = hixie76.challenge_response(key1, key2, rest[: hixie76.KEY3_SIZE])
        return head + token, rest[hixie76.KEY3_SIZE :]

    def _answer_plain(self, visitor: Visitor, request: Request, rest: bytes) -> bool:
        """Answer a GET that asks for no WebSocket: a page, a probe, a stream, or what an upgrade is told.

        Returns:
            Whether it made a member.
        """
        if request.path == "/":
            self._answers.show(visitor, self._page)
        elif request.path == CLIENT_PATH:
            self._answers.show(visitor, _CLIENT)
        elif request.path == _READY_PATH:
            if self._membership.counters.is_draining:
                raise draining(self._drain.retry_after_s())
            self._answers.show(visitor, _READY)
        elif self._speaks_streams and event_stream.is_wanted(request):
            self._begin_stream(visitor, request, rest)
            return True
        else:
            self._gate.admit(visitor, request, parse_wish(request))
            raise self._admission.no_upgrade(wants_stream=event_stream.is_wanted(request))
        return False

    def _begin_stream(self, visitor: Visitor, request: Request, rest: bytes) -> None:
        """Let in one that will only read. Raises Refusal."""
        visitor.dialect = event_stream.NAME
        wish = wish_of(request)
        admitted = self._gate.admit(visitor, request, wish)
        check_may_hear(admitted)
        self._accepted(visitor)
        self._streaming.join(visitor, request, admitted, wish, rest)

    def _answer_preflight(self, visitor: Visitor, request: Request) -> None:
        """Tell a browser whether a page may ask for an event stream. Raises Refusal, as it would be answered then."""
        is_room = request.path not in ("/", "*") and not request.path.startswith("/-/")
        if not (self._speaks_streams and is_room and cors.is_preflight(request)):
            text = "the method is OPTIONS, which is for pages that want to GET an event stream"
            raise Refusal(405, Outcome.METHOD, text, headers=(("Allow", "GET"),))
        visitor.dialect = event_stream.NAME
        self._admission.check_host(request.host, request.path)
        self._gate.judge(visitor, request)
        self._answers.permit(visitor, cors.may_ask(request.origin, with_credentials=self._are_cookies_read))


def _read_head(visitor: Visitor, heads: HeadDecoder) -> Request:
    """Read until the head is whole. Raises HandshakeError, and ConnectionError when the peer ends first."""
    while True:
        data = visitor.receive()
        if not data:
            raise ConnectionResetError
        request = heads.receive(data)
        if request is not None:
            return request
