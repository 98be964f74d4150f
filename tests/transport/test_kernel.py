"""What the kernel says that it keeps for a connection, and what becomes of that when it is closed."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterator

import pytest

from roomcast.transport import kernel
from tests.transport.rooms import SMALL_BUFFER

LARGE = b"x" * 1_000_000
"""More than a peer's kernel takes with so small a buffer."""

UDP_CORK = 1
"""Of linux/udp.h; Python's socket module has no name for it."""


class Pair:
    """Our end of a connection, non-blocking, and the peer's."""

    def __init__(self, family: int) -> None:
        if family == socket.AF_UNIX:
            ours, self.peer = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listening:
                self.peer = socket.socket()
                self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
                self.peer.connect(listening.getsockname())
                ours, _ = listening.accept()
        self.raw = _socket.socket(ours.family, ours.type, ours.proto, ours.detach())
        self.raw.setblocking(False)

    def read_to_end(self) -> int:
        """Let the peer read, and return how many bytes came."""
        size = 0
        while data := self.peer.recv(65_536):
            size += len(data)
        return size

    def close(self) -> None:
        self.raw.close()
        self.peer.close()


@pytest.fixture(params=["AF_INET", "AF_UNIX"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    pair = Pair(getattr(socket, request.param))
    yield pair
    pair.close()


@pytest.fixture
def connection() -> Iterator[Pair]:
    pair = Pair(socket.AF_INET)
    yield pair
    pair.close()


def test_nothing_is_kept_of_what_nobody_was_sent(pair: Pair) -> None:
    assert kernel.queued_bytes(pair.raw) == 0


def test_what_a_peer_does_not_take_is_kept_with_its_headers(pair: Pair) -> None:
    taken = pair.raw.send(LARGE)

    # Of what was taken some is in the peer's kernel by now, and nobody's but its.
    assert 0 < kernel.queued_bytes(pair.raw) < 2 * taken


def test_nothing_is_kept_for_a_closed_connection(pair: Pair) -> None:
    pair.raw.send(LARGE)
    pair.raw.close()

    assert (kernel.queued_bytes(pair.raw), kernel.acknowledged_bytes(pair.raw)) == (0, 0)


def test_what_a_peer_takes_is_acknowledged(connection: Pair) -> None:
    before = kernel.acknowledged_bytes(connection.raw)
    connection.raw.send(b"hello")

    connection.peer.recv(5)

    assert kernel.acknowledged_bytes(connection.raw) == before + 5


def test_connection_with_nothing_unsent_ends_in_order_even_where_it_is_torn(connection: Pair) -> None:
    kernel.close(connection.raw, is_torn=True)

    assert connection.read_to_end() == 0


def test_connection_that_ends_well_brings_its_peer_the_last_byte(pair: Pair) -> None:
    taken = pair.raw.send(LARGE)

    kernel.close(pair.raw, is_torn=False)

    assert pair.read_to_end() == taken


def test_torn_connection_is_reset(connection: Pair) -> None:
    connection.raw.send(LARGE)

    kernel.close(connection.raw, is_torn=True)

    with pytest.raises(ConnectionResetError):
        connection.read_to_end()


def test_connection_is_closed_though_the_kernel_will_not_hear_how() -> None:
    # Of UDP, corked so that it keeps what it was sent: it knows no option of TCP.
    raw = _socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw.connect(("127.0.0.1", 9))
    raw.setsockopt(socket.IPPROTO_UDP, UDP_CORK, 1)
    raw.send(b"hello")
    assert kernel.queued_bytes(raw) > 0

    kernel.close(raw, is_torn=False)

    assert raw.fileno() == -1
