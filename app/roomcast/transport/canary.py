"""The canary: now and then the relay visits itself, and measures how long its own words take to come back.

A relay that answers its probes may still let nobody in: its listening queue is
full, its certificate is broken, its flush does not come to an end. So this one
takes the way of a client, from the connection to the goodbye, through a socket
of its own, and says how that went in metrics, and to the log when it changes.

Whether the relay is ready is not decided here: one round that went wrong would
take a relay full of people out of service.

The sockets are gevent's own, whatever was patched. Who waits here is one greenlet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from ipaddress import ip_address
from typing import Final

import gevent
from gevent import socket, ssl
from gevent.event import Event

from roomcast.logs import Journal, fault
from roomcast.metrics.canary import CanaryCounters, CanaryOutcome
from roomcast.protocol import client
from roomcast.protocol.frames import Opcode
from roomcast.protocol.proxy_protocol import LOCAL_HEADER
from roomcast.transport.canary_door import KEY_HEADER, PATH

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

DEADLINE_S: Final = 5.0
"""How long a round may take: what a person waits before reloading the page, and less than any interval that is sane."""
_READ_BYTES: Final = 4096
# A head of ours has 200 bytes.
_ANSWER_MAX_BYTES: Final = 4096
_NO_PLACE: Final = frozenset((429, 503))


class CanaryError(Exception):
    """A round that went wrong, and how."""

    def __init__(self, outcome: CanaryOutcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class Canary:
    """Goes round and round.

    Args:
        address: Where the public door listens, as the system says.
        key: What lets it in, see ``canary_door.py``.
        is_tls: Whether the door has a certificate. Which, it does not ask: it knows whose it is.
        owes_proxy_header: Tells whether a peer with this address begins with a PROXY header.
        has_place: Tells whether there is a place for it that no client needs.
        counters: Where a round's end is counted.
        journal: Told when rounds begin to fail, and when they no longer do.
        clock: Seconds from a clock that never goes back.
        wall_clock: Seconds since the epoch.
        dice: Returns as many bytes as it is asked for.
        deadline_s: How long a round may take.
    """

    def __init__(
        self,
        address: Address,
        key: str,
        *,
        is_tls: bool,
        owes_proxy_header: Callable[[str], bool],
        has_place: Callable[[], bool],
        counters: CanaryCounters,
        journal: Journal,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        dice: Callable[[int], bytes],
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._address = address
        self._key = key
        self._tls = _trusting_context() if is_tls else None
        self._owes_proxy_header = owes_proxy_header
        self._has_place = has_place
        self._counters = counters
        self._journal = journal
        self._clock = clock
        self._wall_clock = wall_clock
        self._dice = dice
        self._deadline_s = deadline_s
        self._last = CanaryOutcome.OK
        self._changed = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self.interval_s = 0.0
        """Seconds between two rounds; 0: none. Set by ``every``."""

    def every(self, interval_s: float) -> None:
        """Go round at once, and from now on every so many seconds; 0: no more. Never waits."""
        self.interval_s = interval_s
        self._changed.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._go_on)

    def stop(self) -> None:
        """End, in the middle of a round too, which is then not counted."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _go_on(self) -> None:
        while True:
            self._changed.clear()
            if self.interval_s:
                self.go_round()
            self._changed.wait(self.interval_s or None)

    def go_round(self) -> CanaryOutcome:
        """Visit the door once; count, and return, how it went. Makes the greenlet wait, and nobody else."""
        try:
            outcome = self._try_to_go_round()
        except Exception as error:
            self._journal.error("internal fault", **fault(error))
            outcome = CanaryOutcome.INTERNAL
        self._counters.runs[outcome] += 1
        if outcome is not self._last:
            self._last = outcome
            log = self._journal.info if outcome is CanaryOutcome.OK else self._journal.warning
            log("canary", outcome=str(outcome))
        return outcome

    def _try_to_go_round(self) -> CanaryOutcome:
        if not self._has_place():
            return CanaryOutcome.FULL
        begun_s = self._clock()
        deadline = gevent.Timeout.start_new(self._deadline_s)
        try:
            took_s = self._visit()
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            return CanaryOutcome.TIMEOUT
        except CanaryError as error:
            return error.outcome
        finally:
            deadline.close()
        # While the loop was blocked no timer could fire, and what came meanwhile came too late.
        if self._clock() - begun_s > self._deadline_s:
            return CanaryOutcome.TIMEOUT
        self._counters.round_trip.observe(took_s)
        self._counters.succeeded_s = self._wall_clock()
        return CanaryOutcome.OK

    def _visit(self) -> float:
        """Go in, say something, hear it, leave. Returns the seconds between the two. Raises CanaryError."""
        with closing(self._connect()) as connected, closing(self._secure(connected)) as sock:
            try:
                rest = self._shake_hands(sock)
                took_s = self._say_and_hear(sock, rest)
            except OSError:
                raise CanaryError(CanaryOutcome.GONE) from None
            self._leave(sock)
        return took_s

    def _connect(self) -> socket.socket:
        for family, address in _reachable(self._address):
            connected = socket.socket(family, socket.SOCK_STREAM)
            try:
                connected.connect(address)
                if self._owes_proxy_header("" if isinstance(address, str) else connected.getsockname()[0]):
                    connected.sendall(LOCAL_HEADER)
            except OSError:
                connected.close()
            except BaseException:
                connected.close()
                raise
            else:
                return connected
        raise CanaryError(CanaryOutcome.CONNECT)

    def _secure(self, connected: socket.socket) -> socket.socket:
        if self._tls is None:
            return connected
        try:
            secured: socket.socket = self._tls.wrap_socket(connected)
        except OSError:
            raise CanaryError(CanaryOutcome.TLS) from None
        return secured

    def _shake_hands(self, sock: socket.socket) -> bytes:
        """Enter the room; return what came behind the answer. Raises CanaryError and OSError."""
        key = self._dice(client.KEY_BYTES)
        sock.sendall(client.request(PATH, "localhost", key, [(KEY_HEADER, self._key)]))
        received = b""
        while (length := client.head_length(received)) is None:
            if len(received) > _ANSWER_MAX_BYTES:
                raise CanaryError(CanaryOutcome.HANDSHAKE)
            received += _receive(sock)
        head, rest = received[:length], received[length:]
        status = client.status_of(head)
        if status in _NO_PLACE:
            raise CanaryError(CanaryOutcome.FULL)
        if status != 101 or not client.is_accepted(head, key):
            raise CanaryError(CanaryOutcome.HANDSHAKE)
        return rest

    def _say_and_hear(self, sock: socket.socket, received: bytes) -> float:
        said = self._dice(8).hex().encode()
        begun_s = self._clock()
        sock.sendall(client.encode(Opcode.TEXT, said, self._dice(client.MASK_BYTES)))
        try:
            while (heard := client.read_text(received)) is None:
                received += _receive(sock)
        except ValueError:
            raise CanaryError(CanaryOutcome.WRONG) from None
        if heard[0] != said:
            raise CanaryError(CanaryOutcome.WRONG)
        return self._clock() - begun_s

    def _leave(self, sock: socket.socket) -> None:
        """Say goodbye, and wait for the relay's end of the stream: it would else find a connection that broke."""
        with suppress(OSError):
            sock.sendall(client.encode(Opcode.CLOSE, b"", self._dice(client.MASK_BYTES)))
            while sock.recv(_READ_BYTES):
                pass


def _reachable(address: Address) -> Iterator[tuple[int, Address]]:
    """Yield where to find a door that listens there: by family, one after another."""
    if isinstance(address, str):
        yield socket.AF_UNIX, address
        return
    host, port = address
    for own in _own_addresses(host):
        yield (socket.AF_INET6 if ":" in own else socket.AF_INET), (own, port)


def _own_addresses(host: str) -> tuple[str, ...]:
    """Return where a door is found that listens there: everywhere is the machine's own address, too."""
    listening = ip_address(host)
    if not listening.is_unspecified:
        return (host,)
    # "::" is both families, and a machine may have no address of its own in the first.
    return ("127.0.0.1",) if listening.version == 4 else ("::1", "127.0.0.1")


def _receive(sock: socket.socket) -> bytes:
    data: bytes = sock.recv(_READ_BYTES)
    if not data:
        raise ConnectionResetError
    return data


def _trusting_context() -> ssl.SSLContext:
    """Return how to speak TLS with a door that is our own: whether others trust it, others find out."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
