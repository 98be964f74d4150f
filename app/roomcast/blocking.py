"""The API of the library that Roomcast grew from, over any connected socket.

The Haskell library ``websockets`` of 2010 had seven functions, and its whole
server was a loop around two of them. They are here as they were, but speak
both dialects: what a peer asks for in its handshake is what it gets.

    shake_hands(sock)                        # don't care who
    while frame := get_frame(sock):
        put_frame(sock, frame + b", meow.")

What differs from 2010, on purpose: header names are matched in any case, keys
that hide no number are refused, closing handshakes and pings are answered, an
empty message is not the end of the stream, and messages have a size limit.

It is an API of text, as it was: UTF-8 in, UTF-8 out. A binary message of an
RFC 6455 peer ends the stream with close code 1003.

Sockets are expected to block, with or without a timeout, and remain their
caller's: nothing here closes one. A socket may be read by one thread while
others write to it. (With gevent, monkey-patch first, so that the lock which
this takes is gevent's too.)

Nothing is answered to a handshake that fails, as in 2010. ``HandshakeError``
has the kind of fault in ``fault``, and in ``status`` what HTTP would call it.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from weakref import WeakKeyDictionary

from roomcast.protocol import http
from roomcast.protocol.connection import Close, Connection, Event, Failed, Message, Ping, Pong, Sendable
from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.handshake import Dialect, accept, recognise
from roomcast.protocol.hixie76 import KEY3_SIZE, challenge_response
from roomcast.protocol.request import Request as Head
from roomcast.protocol.upgrade import accept_token

__all__ = [
    "MESSAGE_MAX_BYTES",
    "HandshakeError",
    "HandshakeFault",
    "Request",
    "create_response",
    "create_token",
    "get_frame",
    "get_message",
    "get_request",
    "put_frame",
    "put_response",
    "shake_hands",
]

MESSAGE_MAX_BYTES = 65536
"""The longest message taken unless the caller says otherwise: what a room takes by default."""

# The defaults of the relay's settings, for the same reasons.
_HEAD_MAX_BYTES = 16384
_HEADERS_MAX = 100
_FRAGMENTS_MAX = 4096

_KEY3_WAIT_S = 0.05
"""How long the eight bytes may lag behind their head before we take it that a proxy
holds them until it has seen our 101: long for one flight's segments to be apart,
and too short for anybody to notice."""

_READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """What the peer asked for in its handshake.

    Attributes:
        dialect: Which protocol will be spoken.
        token: The eight bytes behind a hixie-76 head; ``b""`` if they have not
            come yet, and in RFC 6455, which has none.
        head: The whole head, for headers that 2010 did not care about.
        is_secure: Whether it came over TLS.
    """

    dialect: Dialect
    token: bytes
    head: Head = field(repr=False)
    is_secure: bool = False

    @property
    def host(self) -> str:
        """The Host header: a name or an address, perhaps a port."""
        return self.head.host

    @property
    def path(self) -> str:
        """The request target: as in 2010, the path *with* its query string."""
        return self.head.target

    @property
    def origin(self) -> str | None:
        """The page's origin; None for an RFC 6455 client that is no browser."""
        return self.head.origin

    @property
    def key1(self) -> str:
        """The first security key; in RFC 6455 the only one."""
        return self.head.get("sec-websocket-key1" if self.dialect is Dialect.HIXIE76 else "sec-websocket-key") or ""

    @property
    def key2(self) -> str:
        """The second security key; empty in RFC 6455."""
        return self.head.get("sec-websocket-key2") or ""


class _Stream:
    """What follows the handshake on one socket. It must not know its socket, or neither would ever be freed."""

    __slots__ = ("connection", "events", "is_over", "writing")

    def __init__(self, connection: Connection, unread: bytes) -> None:
        self.connection = connection
        self.events: deque[Event] = deque(connection.receive(unread))
        self.is_over = False
        # A pong is written by whoever reads, and must not end up inside of a
        # frame that somebody else is writing.
        self.writing = threading.Lock()


# Kept beside the sockets, because the API takes plain ones: the bytes read
# beyond a head while its answer is awaited, and then the stream.
_unread: WeakKeyDictionary[socket.socket, bytes] = WeakKeyDictionary()
_streams: WeakKeyDictionary[socket.socket, _Stream] = WeakKeyDictionary()


def shake_hands(sock: socket.socket, *, message_max_bytes: int = MESSAGE_MAX_BYTES) -> Request:
    """Read a handshake and accept it, no matter what it asks for or who asks.

    Args:
        sock: A connected socket, from which nothing has been read yet.
        message_max_bytes: The longest message that ``get_frame`` returns; a
            longer one ends the stream, with close code 1009. 0: no limit.

    Raises:
        HandshakeError: If it cannot be accepted, or the socket ends or fails.
    """
    request = get_request(sock)
    token = _respond(sock, request, message_max_bytes)
    return replace(request, token=token)


def get_request(sock: socket.socket) -> Request:
    """Read a handshake, and leave it to the caller whether to accept it.

    It waits at most 50 ms for the eight bytes that end a hixie-76 handshake.
    When they do not come, the request is returned with an empty ``token``.

    Raises:
        HandshakeError: If it is malformed, or the socket ends or fails.
    """
    decoder = http.HeadDecoder(_HEAD_MAX_BYTES, _HEADERS_MAX)
    token = b""
    with _io_errors_translated():
        while (head := decoder.receive(_read(sock))) is None:
            pass
        dialect = _recognised(head)
        unread = decoder.rest
        if dialect is Dialect.HIXIE76:
            unread = _wait_for_key3(sock, unread)
            if len(unread) >= KEY3_SIZE:
                token, unread = unread[:KEY3_SIZE], unread[KEY3_SIZE:]
    _unread[sock] = unread
    # The standard library's TLS sockets and gevent's have no type in common,
    # but only a TLS socket can tell its cipher.
    return Request(dialect, token, head, is_secure=hasattr(sock, "cipher"))


def put_response(sock: socket.socket, request: Request, *, message_max_bytes: int = MESSAGE_MAX_BYTES) -> None:
    """Accept a handshake that was read from this socket.

    If the request came without its eight bytes, the head of the answer is sent
    first, to make whatever holds them back let go, and the rest when they are
    there.

    Args:
        sock: The socket that was given to ``get_request``.
        request: What that returned.
        message_max_bytes: As for ``shake_hands``.

    Raises:
        HandshakeError: If the socket ends or fails.
        ValueError: If no request was read from this socket.
    """
    _respond(sock, request, message_max_bytes)


def create_response(request: Request) -> bytes:
    """Return the whole answer that accepts a request.

    Raises:
        ValueError: If it is hixie-76, and its eight bytes have not come:
            ``put_response`` can wait for them, this cannot.
    """
    head = accept(request.head, request.dialect, is_secure=request.is_secure)
    return head + create_token(request) if request.dialect is Dialect.HIXIE76 else head


def create_token(request: Request) -> bytes:
    """Return what proves that we read the handshake: the bytes behind a hixie-76
    answer, or the ``Sec-WebSocket-Accept`` in one of RFC 6455.

    Raises:
        ValueError: As ``create_response`` does.
    """
    if request.dialect is Dialect.HIXIE76:
        return challenge_response(request.key1, request.key2, request.token)
    return accept_token(request.key1).encode()


def get_frame(sock: socket.socket) -> bytes:
    """Wait for a message and return it; ``b""`` at the end of the stream, and only there.

    Empty messages are skipped. Pings and the closing handshake are answered on
    the way. A peer that breaks its protocol's rules is told its close code,
    and that is the end of the stream.

    Raises:
        OSError: If the socket fails. After a timeout it may be called again.
        ValueError: Before a handshake.
    """
    while (message := get_message(sock)) == b"":
        pass
    return message or b""


def get_message(sock: socket.socket) -> bytes | None:
    """Wait for a message and return it, ``b""`` if it is empty; None at the end of the stream.

    Otherwise as ``get_frame``.
    """
    stream = _stream_of(sock)
    while not stream.is_over:
        if not stream.events:
            data = sock.recv(_READ_BYTES)
            stream.events += stream.connection.receive(data)
            stream.is_over = not data
        # One by one: the answer to what comes later, a close above all, must
        # not overtake the caller's answers to what came before.
        elif (message := _handle(sock, stream, stream.events.popleft())) is not None:
            return message
    return None


def put_frame(sock: socket.socket, data: bytes) -> None:
    """Send a text message.

    Raises:
        OSError: If the socket fails; BrokenPipeError after a closing handshake.
        ValueError: Before a handshake, or if the data is not UTF-8.
    """
    stream = _stream_of(sock)
    # Both dialects demand it. In hixie-76 any other byte 0xFF would end the
    # frame, and start another with what follows.
    data.decode()
    if not _send(sock, stream, Message(Opcode.TEXT, data)):
        raise BrokenPipeError("the closing handshake was sent: no frame may follow it")


def _respond(sock: socket.socket, request: Request, message_max_bytes: int) -> bytes:
    """Accept, and return the eight bytes, of which the request may not have known."""
    unread = _unread.get(sock)
    if unread is None:
        raise ValueError("no request was read from this socket, or it was answered already")
    with _io_errors_translated():
        if request.dialect is Dialect.HIXIE76 and not request.token:
            sock.sendall(accept(request.head, request.dialect, is_secure=request.is_secure))
            while len(unread) < KEY3_SIZE:
                unread += _read(sock)
            request = replace(request, token=unread[:KEY3_SIZE])
            unread = unread[KEY3_SIZE:]
            sock.sendall(create_token(request))
        else:
            sock.sendall(create_response(request))
    connection = Connection(request.dialect, message_max_bytes=message_max_bytes, fragments_max=_FRAGMENTS_MAX)
    _streams[sock] = _Stream(connection, unread)
    del _unread[sock]
    return request.token


def _recognised(head: Head) -> Dialect:
    dialect = recognise(head)
    if dialect is None:
        raise HandshakeError(
            "the request does not ask for an upgrade to WebSocket",
            status=426,
            fault=HandshakeFault.MISSING_HEADER_KEYS,
            headers=(("Upgrade", "websocket"),),
        )
    return dialect


def _wait_for_key3(sock: socket.socket, unread: bytes) -> bytes:
    """Read on until the eight bytes are there, but not for long; return all that is unread then.

    With a timeout and not with select(), which does not see what a TLS socket
    has decrypted already.
    """
    timeout_s = sock.gettimeout()
    deadline_s = monotonic() + _KEY3_WAIT_S
    try:
        while len(unread) < KEY3_SIZE and (left_s := deadline_s - monotonic()) > 0:
            sock.settimeout(left_s)
            unread += _read(sock)
    except TimeoutError:
        pass
    finally:
        sock.settimeout(timeout_s)
    return unread


def _read(sock: socket.socket) -> bytes:
    data = sock.recv(_READ_BYTES)
    if not data:
        raise ConnectionError("the stream ended in the handshake")
    return data


@contextmanager
def _io_errors_translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        status = 408 if isinstance(error, TimeoutError) else 400
        raise HandshakeError(f"I/O error: {error}", status=status, fault=HandshakeFault.IO_ERROR) from error


def _stream_of(sock: socket.socket) -> _Stream:
    stream = _streams.get(sock)
    if stream is None:
        raise ValueError("no handshake was made over this socket")
    return stream


def _handle(sock: socket.socket, stream: _Stream, event: Event) -> bytes | None:
    """Answer an event; return the message if it is one."""
    match event:
        case Message(Opcode.TEXT, payload):
            return payload
        case Message():
            _say_goodbye(sock, stream, CloseCode.UNSUPPORTED_DATA)
        case Failed(error):
            _say_goodbye(sock, stream, error.close_code)
        case Close(code):
            _say_goodbye(sock, stream, code)
        case Ping(payload):
            _send(sock, stream, Pong(payload))
    # A pong needs no answer, nor was one asked for.
    return None


def _say_goodbye(sock: socket.socket, stream: _Stream, code: int | None) -> None:
    stream.is_over = True
    # A peer that is gone already has nothing to be told, and this is the end
    # of the stream either way.
    with suppress(OSError):
        _send(sock, stream, Close(code, ""))


def _send(sock: socket.socket, stream: _Stream, event: Sendable) -> bool:
    """Write an event; False if there was nothing to write, after a goodbye."""
    with stream.writing:
        data = stream.connection.send(event)
        sock.sendall(data)
    return bool(data)
