"""A connection before it is a member's: reads and writes that wait, and an end that loses no answer."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

import gevent
import pytest
from gevent.hub import get_hub

from roomcast.metrics import TransportCounters
from roomcast.protocol.handshake import Dialect
from roomcast.transport.turns import Turns
from roomcast.transport.visitor import LINGER_S, Visitor

HANG_S = 20

READ_BYTES = 16_384
"""The most that a visitor is read at a time."""


@pytest.fixture
def pair() -> Iterator[tuple[Visitor, socket.socket]]:
    """An visitor connection, and the peer's end of it."""
    ours, theirs = socket.socketpair()
    raw = _socket.socket(ours.family, ours.type, ours.proto, ours.detach())
    raw.setblocking(False)
    theirs.settimeout(HANG_S)
    yield Visitor(raw, "", monotonic(), TransportCounters(list(Dialect), []), Turns(monotonic)), theirs
    raw.close()
    theirs.close()


Pair = tuple[Visitor, socket.socket]


class CountedTurns:
    """Counts the turns of the loop: in each of them others were served."""

    def __init__(self) -> None:
        self.count = 0
        self._watcher = get_hub().loop.check()
        self._watcher.start(self._add)

    def _add(self) -> None:
        self.count += 1

    def end(self) -> None:
        self._watcher.stop()
        self._watcher.close()


def test_what_has_arrived_is_read_at_once(pair: Pair) -> None:
    visitor, peer = pair
    peer.send(b"hello")

    assert visitor.receive() == b"hello"


def test_reading_waits_for_what_comes_and_holds_up_nobody(pair: Pair) -> None:
    visitor, peer = pair
    reading = gevent.spawn(visitor.receive)
    gevent.spawn(peer.send, b"late")

    assert reading.get(timeout=HANG_S) == b"late"


def test_what_comes_in_a_turn_of_which_the_time_is_up_is_acted_on_in_a_later_one() -> None:
    ours, peer = socket.socketpair()
    seconds = iter([0.0, 1.0])
    turns = Turns(lambda: next(seconds, 1.0))
    counters = TransportCounters(list(Dialect), [])
    with ours, peer:
        visitor = Visitor(ours, "", 0.0, counters, turns)
        peer.send(b"hello")
        turns.is_over()
        turn = get_hub().loop.iteration

        assert visitor.receive() == b"hello"
        assert get_hub().loop.iteration > turn


def test_end_of_the_stream_is_read_as_nothing(pair: Pair) -> None:
    visitor, peer = pair
    reading = gevent.spawn(visitor.receive)
    gevent.spawn(peer.close)

    assert reading.get(timeout=HANG_S) == b""


def test_writing_waits_until_all_is_taken(pair: Pair) -> None:
    visitor, peer = pair
    data = bytes(range(256)) * 4096
    writing = gevent.spawn(visitor.send, data)
    received = bytearray()

    gevent.idle()
    assert not writing.ready()
    while len(received) < len(data):
        received += peer.recv(65_536)
        gevent.idle()

    writing.get(timeout=HANG_S)
    assert bytes(received) == data


def test_writing_to_one_who_left_is_an_error_of_the_system(pair: Pair) -> None:
    visitor, peer = pair
    peer.close()

    with pytest.raises(OSError, match="pipe"):
        visitor.send(b"hello")


def test_lingering_ends_with_the_peer(pair: Pair) -> None:
    visitor, peer = pair
    peer.send(b"unread" * 1000)
    visitor.send(b"the answer")

    lingering = gevent.spawn(visitor.linger)
    gevent.idle()
    assert peer.recv(100) == b"the answer"
    assert peer.recv(100) == b""
    peer.close()

    lingering.get(timeout=HANG_S)


def test_lingering_has_an_end(pair: Pair) -> None:
    visitor, peer = pair
    began_s = monotonic()

    visitor.linger()

    assert monotonic() - began_s == pytest.approx(LINGER_S, abs=0.5)
    assert peer.recv(100) == b""


def test_lingering_leaves_the_loop_to_others_however_much_there_is_to_read(pair: Pair) -> None:
    visitor, peer = pair
    unread = 0
    peer.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            unread += peer.send(bytes(65_536))
    peer.close()

    turns = CountedTurns()
    visitor.linger()
    turns.end()

    assert unread > 3 * READ_BYTES
    assert turns.count >= unread / READ_BYTES


def test_lingering_for_one_who_left_is_over_at_once(pair: Pair) -> None:
    visitor, peer = pair
    peer.close()
    visitor.raw.shutdown(socket.SHUT_RDWR)

    visitor.linger()
