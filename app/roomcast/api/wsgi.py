"""gevent's pywsgi, made safe to leave alone.

pywsgi says of itself that it is not meant for hostile input: it waits for a slow
client for ever, keeps as many connections as come, takes 6 MiB of headers, and
prints what goes wrong to stderr, request line and all. The private door is not for
the internet, but one port scanner inside is enough to hurt. So, beyond pywsgi:

* A request has ``request_timeout_s`` from its first byte to the last of its answer, but
  for streams, which an application asks for (``KEEP_OPEN``): they have that for each piece.
* When all connections are taken, the one that has kept us waiting longest for a
  request, or for its body, has to go: a prober always gets in, whatever sits there idle.
* A head has 16 KiB and 99 lines; a body, what the settings say. An answer that leaves
  before the body is there ends the connection: see ``body.py``.
* What goes wrong goes to the journal, and nothing of the request with it: also that
  there are no descriptors left.
"""

from __future__ import annotations

import socket as native
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gevent import Timeout, getcurrent, spawn_later
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from roomcast.api.body import Body, part
from roomcast.api.head import Head, RequestError
from roomcast.api.problems import whole_response
from roomcast.api.turns import take_turn
from roomcast.logs import fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from io import BufferedIOBase
    from types import TracebackType
    from typing import Any, Literal

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication
    from gevent.pywsgi import OldMessage
    from gevent.socket import socket

    from roomcast.logs import Journal

# pywsgi's own limit, which it keeps by itself.
REQUEST_LINE_MAX_BYTES: Final = 8_192
HEAD_MAX_BYTES: Final = 16_384
HEADERS_MAX: Final = 99
# What [admin] body_max_bytes is where nothing is set.
BODY_MAX_BYTES: Final = 1_048_576
# To which a body means nothing, "and might lead some implementations to reject the request" (RFC 9110, 9.3.1).
WITHOUT_BODY: Final = frozenset(("GET", "HEAD", "DELETE"))
KEEP_OPEN: Final = "roomcast.keep_open"
"""The key of the WSGI environment by which an application says that its answer has no end: a function, which
returns whether it may. Such an answer ends with its client, or with the door."""
# Until the system, which had no descriptor left, is asked for another.
PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the door waits for a client, and for how many at once."""

    request_timeout_s: float = 10.0
    """From a request's first byte to the last of its answer; also for the first byte of a new connection."""
    idle_timeout_s: float = 75.0
    """Between two requests: longer than a scrape interval, so that Prometheus keeps its connection."""
    connections_max: int = 64
    """A dozen tools talk to this door, and each connection costs a greenlet and a descriptor."""
    streams_max: int = 16
    """How many of those may be answers without an end: the others are for probes and scrapes."""


class Server(WSGIServer):
    """Accepts connections, counts them, and knows which of them we could do without."""

    def __init__(
        self, listener: socket, app: WSGIApplication, journal: Journal, patience: Patience, body_max_bytes: int
    ) -> None:
        self.journal = journal
        self.patience = patience
        self.body_max_bytes = body_max_bytes
        # Connections that owe us a request or its body, in the order in which they began to.
        self.waiting: dict[socket, None] = {}
        # Those whose answer has no end, and who writes it.
        self.streams: dict[socket, Any] = {}
        # Without a size: a full pool stops accepting, and then nobody is told.
        self._handlers = Pool()
        super().__init__(
            listener,
            app,
            spawn=self._handlers,
            log=None,
            error_log=ErrorLog(journal),
            handler_class=Handler,
            # Else pywsgi asks the DNS for it, and waits.
            environ={"SERVER_NAME": "roomcast"},
        )

    def do_read(self) -> Any:
        """Take a connection, and its peer's address. None: there is none, or no descriptor for it; then wait.

        pywsgi would print a traceback for each that it cannot take.
        """
        try:
            return super().do_read()
        except OSError as error:
            self.journal.error("cannot accept", door="private", error=error.strerror, again_in_s=PAUSE_S)
            self.stop_accepting()
            spawn_later(PAUSE_S, self._accept_again)
            return None

    def _accept_again(self) -> None:
        if not self.closed:
            self.start_accepting()

    def handle(self, sock: socket, address: str) -> None:
        """Serve one connection to its end, in its own greenlet."""
        sock.settimeout(self.patience.request_timeout_s)
        # A peer that is gone while we answer it is no news.
        with suppress(OSError):
            if self._has_room():
                super().handle(sock, address)
            else:
                sock.sendall(whole_response(503, "all connections of the private door are busy"))
        self.waiting.pop(sock, None)
        self.streams.pop(sock, None)

    def _has_room(self) -> bool:
        if len(self._handlers) <= self.patience.connections_max:  # the caller is one of them
            return True
        longest = next(iter(self.waiting), None)
        if longest is None:
            return False
        self._dismiss(longest)
        return True

    def _dismiss(self, sock: socket) -> None:
        # Its greenlet reads the end of the stream, and goes as if the peer had closed.
        del self.waiting[sock]
        with suppress(OSError):
            sock.shutdown(native.SHUT_RDWR)

    def stop(self, timeout: float | None = None) -> None:
        """Close, and give the answers under way ``timeout`` seconds to end; None, as long as they take."""
        self.close()
        self._handlers.join(timeout)
        # pywsgi's own would wait for another second until they are gone.
        self._handlers.kill(block=False)

    def close(self) -> None:
        """Stop listening, and send home whoever is not being served."""
        super().close()
        for sock in tuple(self.waiting):
            self._dismiss(sock)
        # They would only be waited for.
        for writer in self.streams.values():
            writer.kill(block=False)


class Handler(WSGIHandler):
    """One connection: pywsgi's, with deadlines, bounds, and problems for answers."""

    server: Server
    _deadline: Timeout
    _lines: Sequence[bytes] = ()
    _head: Head
    _body: Body
    _held: bytearray | None = None
    """What is written while it is to leave together; None: at once."""

    def handle_one_request(self) -> tuple[str, bytes] | Literal[True] | None:
        """Wait for a request, and give it its time."""
        # Others first. Requests that a client sent all at once are in our buffer
        # already, and as long as the kernel takes the answers nothing else in
        # here makes a greenlet wait: 2.7 s without a turn of the loop were seen.
        take_turn()
        if self.server.closed or not self._wait_for_request():
            return None
        try:
            with Timeout(self.server.patience.request_timeout_s) as self._deadline:
                result = super().handle_one_request()
        except Timeout:
            return self._refuse(RequestError(408, "the request took too long to arrive"))
        if isinstance(result, tuple):
            if result[0] == "414":
                # pywsgi's own answer to a line that it did not read to its end: without a word.
                result = self._refuse(RequestError(414, f"a request line may have {REQUEST_LINE_MAX_BYTES} bytes"))
            self.socket.sendall(result[1])
            part(self.socket)
            return None
        return result

    def _wait_for_request(self) -> bool:
        patience = self.server.patience
        is_first = self.requestline is None
        self.socket.settimeout(patience.request_timeout_s if is_first else patience.idle_timeout_s)
        self.server.waiting[self.socket] = None
        try:
            return bool(self.rfile.peek(1))
        except OSError:
            return False
        finally:
            self.socket.settimeout(patience.request_timeout_s)

    def read_request(self, raw_requestline: str) -> OldMessage:
        """Read the rest of the head within its bounds, and let pywsgi judge the request line.

        Raises:
            RequestError: With 400, 411, 413 or 431.
        """
        # pywsgi would wait for 99 lines of 64 KiB, and take the end of the stream for the end of the head.
        self._lines = self._read_head()
        headers = super().read_request(raw_requestline)
        if self.content_length and self.command in WITHOUT_BODY:
            raise RequestError(400, f"a request has no body whose method is {', '.join(sorted(WITHOUT_BODY))}")
        if self.headers.get("transfer-encoding") is not None:
            raise RequestError(411, "a body must announce its Content-Length")
        if self.content_length and self.content_length > self.server.body_max_bytes:
            raise RequestError(413, f"a body may have body_max_bytes = {self.server.body_max_bytes}")
        return headers

    def _read_head(self) -> list[bytes]:
        left = HEAD_MAX_BYTES
        lines: list[bytes] = []
        while (line := self.rfile.readline(left)) not in (b"\r\n", b"\n"):
            left -= len(line)
            lines.append(line)
            if left <= 0 or len(lines) > HEADERS_MAX:
                raise RequestError(431, f"a head may have {HEAD_MAX_BYTES} bytes and {HEADERS_MAX} lines")
            if not line.endswith(b"\n"):
                raise RequestError(400, "the head breaks off")
        return lines

    def _parse_head(self, fp: BufferedIOBase, *_: int) -> OldMessage:
        # It was read from there already.
        del fp
        self._head = Head(self._lines)
        return self._head

    # Hooks of pywsgi's: who parses the head, and what it is to the application.
    MessageClass = _parse_head

    def _headers(self) -> Iterator[tuple[str, str]]:
        return self._head.variables()

    def write(self, data: bytes) -> None:
        """Send what belongs together in one go: pywsgi would send the head, and then the body."""
        held = self._held = bytearray()
        try:
            super().write(data)
        finally:
            self._held = None
        self.socket.sendall(held)

    def _sendall(self, data: bytes) -> None:
        """Send, or hold until the rest is there: a hook of pywsgi's."""
        self.response_length += len(data)
        if self._held is None:
            self.socket.sendall(data)
        else:
            self._held += data

    def log_request(self) -> None:
        """Write no line for each request: a hook of pywsgi's, which would make one for nobody to read."""

    def get_environ(self) -> dict[str, Any]:
        """Return what the application is told, and by what it can ask for a stream."""
        environ: dict[str, Any] = super().get_environ()
        continuing = self.socket if environ.get("HTTP_EXPECT") == "100-continue" else None
        # pywsgi's own input is another one where the head asks for an upgrade: without an end.
        self._body = self.wsgi_input = Body(self.rfile, self.content_length, continuing, self._owe_nothing)
        return {**environ, "wsgi.input": self._body, "wsgi.input_terminated": True, KEEP_OPEN: self._keep_open}

    def _owe_nothing(self) -> None:
        self.server.waiting.pop(self.socket, None)

    def _keep_open(self) -> bool:
        if len(self.server.streams) >= self.server.patience.streams_max:
            return False
        self._deadline.close()
        # Each piece of the answer still has the socket's own timeout.
        self.server.streams[self.socket] = getcurrent()
        return True

    def handle_one_response(self) -> None:
        """Answer. When its body is there, the connection owes us nothing until its next request."""
        if not self._body.is_owed:
            self._owe_nothing()
        super().handle_one_response()
        if self._body.is_owed:
            self.close_connection = True
            self._deadline.close()
            part(self.socket)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Begin an answer, the last one where the body is still to come."""
        if self._body.is_owed:
            headers = [*headers, ("Connection", "close")]
        return super().start_response(status, headers, exc_info)

    def _handle_client_error(self, error: Exception) -> tuple[str, bytes]:
        """Answer a request that could not be read: a hook of pywsgi's, which would print the request to stderr."""
        return self._refuse(error if isinstance(error, RequestError) else RequestError(400, "the request is malformed"))

    def _refuse(self, error: RequestError) -> tuple[str, bytes]:
        self.server.journal.info("private door refused", status=error.status, detail=str(error))
        return str(error.status), whole_response(error.status, str(error))

    def handle_error(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Tell a fault of ours from a peer that is gone, and from one that takes its answer too slowly."""
        if isinstance(error, Exception) and not isinstance(error, OSError):
            super().handle_error(kind, error, tb)
        else:
            self.close_connection = True

    def _log_error(self, _: type[BaseException], error: BaseException, __: TracebackType) -> None:
        """Write down what the application raised: a hook of pywsgi's, which would print it to stderr."""
        self.server.journal.error("private door failed", **fault(error))


class ErrorLog:
    """What WSGI calls ``wsgi.errors``: a file to complain to. Its lines become log records."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def write(self, text: str) -> None:
        """Write down one complaint."""
        self._journal.warning("private door complained", text=text.rstrip())

    def writelines(self, lines: Iterable[str]) -> None:
        """Write down several."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: a record is the journal's as soon as it is written."""
