"""A member over TLS, whose peer reads when it likes: all that it is sent arrives, whole and in order."""

from __future__ import annotations

import random
import ssl
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.hub import get_hub

from roomcast.policies.limits import AddressCounts
from roomcast.protocol.connection import Connection
from roomcast.protocol.handshake import Dialect
from roomcast.relay.reasons import Reason
from roomcast.relay.rules import RoomRules
from roomcast.transport.formats import Rfc6455Format
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.kernel import queued_bytes
from roomcast.transport.membership import Membership
from roomcast.transport.places import Places
from roomcast.transport.recorder import Recorder
from roomcast.transport.tls_member import TlsMember
from tests.diary import Diary
from tests.idle import idle_counters, idle_hub, idle_reports, idle_token_holders
from tests.running import TLS, Serve
from tests.transport.rooms import LOBBY, SMALL_BUFFER, rooms
from tests.transport.tls_ends import Ends, server_with
from tests.wire import CLOSE, PING, PONG, TEXT, Rfc6455Client, frame

PIECE = bytes(range(256)) * 32
"""Less than a record."""


class Seat:
    """A member in a room where nobody else says anything, in this thread's loop."""

    def __init__(self, directory: Path) -> None:
        self.now_s = 100.0
        self.ends = Ends(server_with(directory), buffer_bytes=SMALL_BUFFER)
        self.ends.shake_hands()
        self.hub = idle_hub("rooms")
        self.counters = idle_counters()
        self.keep_alive = KeepAlive(
            hub=self.hub, clock=self.clock, ping_interval_s=0, pong_timeout_s=0, write_timeout_s=30, report=print
        )
        self.membership = self._membership()
        connection = Connection(Dialect.RFC6455, message_max_bytes=0, fragments_max=0, frame_counts=[0] * 16)
        wire_format = Rfc6455Format(self.counters)
        assert self.membership.places.claim("") is None
        self.member = TlsMember(connection, self.ends.ours, wire_format, None, "", self.membership)
        room, _ = self.hub.join(LOBBY, RoomRules(), self.hub.templates["rooms"], self.member)
        self.membership.joined(self.member, room)
        self.member.open(room, b"<101>", b"")
        self.heard = b""

    def clock(self) -> float:
        return self.now_s

    def _membership(self) -> Membership:
        return Membership(
            hub=self.hub,
            counters=self.counters,
            journal=Diary().journal,
            places=Places(
                connections_max=0,
                handshakes_max=0,
                connections=AddressCounts(0),
                handshakes=AddressCounts(0),
                reports=idle_reports(),
            ),
            reports=idle_reports(),
            keep_alive=self.keep_alive,
            token_holders=idle_token_holders(),
            clock=self.clock,
            close_timeout_s=20,
            address_for_logs=str,
            recorder=Recorder(self.counters.record, self.clock),
        )

    def fill(self) -> bytes:
        """Offer pieces until one is taken whole, and not yet by the kernel. Return all that were taken."""
        taken = b"<101>"
        while not self.ends.ours.unsent:
            assert self.member.offer(PIECE) == len(PIECE)
            taken += PIECE
        return taken

    def hear(self, size: int) -> bytes:
        """Let the loop turn, and the peer read, until it has heard so much."""
        while len(self.heard) < size:
            gevent.idle()
            self.heard += self.ends.hear()
        return self.heard

    def ended(self, reason: Reason) -> bool:
        return self.counters.disconnects["rfc6455", reason] == 1

    def close(self) -> None:
        self.member.cut(Reason.GONE)
        self.keep_alive.stop()
        self.ends.close()


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    seat = Seat(tmp_path)
    yield seat
    seat.close()


def test_member_that_took_all_may_still_wait_and_takes_no_more(seat: Seat) -> None:
    taken = seat.fill()

    assert seat.member.offer(b"more") == 0
    assert seat.hear(len(taken)) == taken


def test_member_that_waited_takes_again_when_its_rest_is_out(seat: Seat) -> None:
    taken = seat.fill()
    seat.hear(len(taken))
    while seat.member.offer(b"more") == 0:
        gevent.idle()

    assert seat.hear(len(taken) + 4) == taken + b"more"


def test_write_deadline_runs_for_a_rest_that_nobody_else_is_owed(seat: Seat) -> None:
    seat.fill()
    seat.now_s += 31

    seat.keep_alive.sweep()

    assert seat.ended(Reason.WRITE_TIMEOUT)


def test_rest_is_counted_with_what_the_kernel_keeps(seat: Seat) -> None:
    seat.fill()

    [held_bytes] = seat.hub.budget.waiting.values()

    assert held_bytes == queued_bytes(seat.ends.ours) + len(seat.ends.ours.unsent)


def test_close_frame_goes_behind_the_rest_and_the_end_of_tls_behind_the_close_frame(seat: Seat) -> None:
    taken = seat.fill()
    # It said goodbye first, so ours is the last word.
    seat.ends.peer.send(frame(CLOSE, b"\x03\xe8"))
    while seat.member.is_in_room:
        gevent.idle()
    goodbye = bytes([0x80 | CLOSE, 6]) + b"\x03\xe8peer"

    assert seat.hear(len(taken) + len(goodbye)) == taken + goodbye
    while True:
        try:
            assert seat.ends.peer.recv(100) == b""
            break
        except ssl.SSLWantReadError:
            gevent.idle()


def test_peer_that_resets_while_a_rest_waits_is_gone(seat: Seat) -> None:
    seat.fill()
    # With unread bytes, this is a reset.
    seat.ends.peer.close()

    while not seat.ended(Reason.GONE):
        gevent.idle()


def test_descriptor_of_a_member_that_waits_is_watched_no_more_when_it_ends(seat: Seat) -> None:
    watchers = get_hub().loop.activecnt
    seat.fill()
    assert get_hub().loop.activecnt == watchers + 1

    seat.member.cut(Reason.RESTART)

    assert get_hub().loop.activecnt == watchers - 1


@pytest.mark.parametrize("serve", [TLS], indirect=True)
@pytest.mark.parametrize("seed", range(5))
def test_bursts_of_any_size_reach_a_reader_of_any_pace_whole_and_in_order(serve: Serve, seed: int) -> None:
    dice = random.Random(seed)
    relay = serve(rooms(lag_max_bytes=1 << 27, pending_max_bytes=1 << 24))
    publisher, reader = relay.join(), relay.join(receive_buffer_bytes=SMALL_BUFFER)
    owed: list[str] = []

    for number in range(300):
        owed.append(f"{number}:" + chr(97 + number % 26) * dice.randrange(40_000))
        publisher.say(owed[-1])
        if dice.random() < 0.1:
            # The answer must come between two messages, and stand in neither.
            reader.wire.send(frame(PING, b"there?"))
        for _ in range(min(dice.randrange(3), len(owed))):
            hear_next(reader, owed)
    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == 300)
    reader.say_goodbye()
    while owed:
        hear_next(reader, owed)

    while (last := reader.read_frame()).opcode == PONG:
        pass
    assert last == (CLOSE, b"\x03\xe8peer")
    assert reader.wire.read_to_end() == b""


def hear_next(reader: Rfc6455Client, owed: list[str]) -> None:
    """Read a message, which must be the first that is owed, and the pongs before it."""
    while (got := reader.read_frame()).opcode == PONG:
        assert got.payload == b"there?"
    assert got == (TEXT, owed.pop(0).encode())
