"""What one member is sent: in which order, in how many pieces, and what becomes of one that cannot be written to."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterator

import gevent
import pytest
from gevent.hub import get_hub

from roomcast.policies.limits import AddressCounts
from roomcast.protocol.frames import Opcode
from roomcast.relay.reasons import Reason
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.membership import Membership
from roomcast.transport.outbox import Outbox
from roomcast.transport.places import Places
from roomcast.transport.recorder import Recorder
from tests.diary import Diary
from tests.idle import idle_counters, idle_hub, idle_reports, idle_token_holders

LARGE = bytes(range(256)) * 8192
"""More than any kernel takes of a connection that nobody reads."""


class Clock:
    """Seconds, as the test sets them."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Member(Outbox):
    """The writing half of a member, of a room that the test plays.

    ``told`` is what the whole member was asked or told, ``owed`` what its room's
    log still has for it, ``goodbye`` the close frame that follows the log.
    """

    def __init__(self, raw: _socket.socket, membership: Membership) -> None:
        super().__init__(raw, membership)
        self.told: list[object] = []
        self.owed: list[bytes] = []
        self.goodbye = b""

    # --- what the test does

    def burst(self, data: bytes) -> int:
        """Offer a burst as a room does: what is not taken is held, and waits. Return what was taken."""
        taken = self.offer(data)
        if 0 <= taken < len(data):
            self.hold(memoryview(data)[taken:])
            self.want_write()
        return taken

    def greet(self, data: bytes) -> None:
        self._write(data)

    def pong(self, *frames: bytes) -> None:
        self._write_pongs(list(frames))

    def part(self, frame: bytes) -> None:
        self._write_close(frame)

    def wake(self) -> None:
        """Call what the loop calls, whether the socket can be written to or not."""
        self._writable()

    def shut(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None
        self._raw.close()

    # --- what the outbox asks

    def _feed(self) -> None:
        while self.owed and not self._is_waiting:
            self.burst(self.owed.pop(0))
        if self.goodbye and not self._is_waiting:
            frame, self.goodbye = self.goodbye, b""
            self._write_close(frame)

    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        self.told += [opcode] * frames

    def _begin_waiting(self) -> None:
        self.told.append("waits")

    def _all_written(self) -> None:
        self.told.append("done")

    def _close(self, reason: Reason) -> None:
        self.told.append(reason)
        self.shut()

    def _end_by_fault(self, error: Exception) -> None:
        self.told.append(error)
        self.shut()


class BrokenLogError(Exception):
    """A fault that nobody expected."""


class BrokenLog(list[bytes]):
    """What a room owes, and nobody can read."""

    def __bool__(self) -> bool:
        raise BrokenLogError


class Pair:
    """A member, and the peer's end of its connection."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        raw = _socket.socket(ours.family, ours.type, ours.proto, ours.detach())
        raw.setblocking(False)
        self.peer.setblocking(False)
        self.clock = Clock()
        self.counters = idle_counters()
        self.membership = self._membership()
        self.member = Member(raw, self.membership)

    def _membership(self) -> Membership:
        hub = idle_hub()
        self.keep_alive = KeepAlive(
            hub=hub, clock=self.clock, ping_interval_s=0, pong_timeout_s=0, write_timeout_s=0, report=print
        )
        nobody, reports = AddressCounts(0), idle_reports()
        return Membership(
            hub=hub,
            counters=self.counters,
            journal=Diary().journal,
            reports=reports,
            places=Places(connections_max=0, handshakes_max=0, connections=nobody, handshakes=nobody, reports=reports),
            keep_alive=self.keep_alive,
            token_holders=idle_token_holders(),
            clock=self.clock,
            close_timeout_s=0.1,
            address_for_logs=str,
            recorder=Recorder(self.counters.record, self.clock),
        )

    def read(self) -> bytes:
        """Let the peer read, and the loop turn, until nothing more comes."""
        received = bytearray()
        while data := self._read_once():
            received += data
        return bytes(received)

    def _read_once(self) -> bytes:
        gevent.idle()
        try:
            return self.peer.recv(65_536)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.member.shut()
        self.keep_alive.stop()
        self.peer.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    watchers = get_hub().loop.activecnt
    yield pair
    pair.close()
    assert get_hub().loop.activecnt == watchers


def test_what_the_kernel_takes_whole_leaves_nothing_to_wait_for(pair: Pair) -> None:
    assert pair.member.offer(b"hello") == 5

    assert pair.read() == b"hello"
    assert pair.member.told == []


def test_large_burst_arrives_whole_in_as_many_pieces_as_it_takes(pair: Pair) -> None:
    taken = pair.member.burst(LARGE)

    assert 0 < taken < len(LARGE)
    assert pair.read() == LARGE
    assert pair.member.told == ["waits", "done"]
    # What the room's bursts are made of, their format counts: only the rest went out here.
    assert pair.counters.sent_bytes == len(LARGE) - taken


def test_own_bytes_arrive_whole_and_are_counted(pair: Pair) -> None:
    pair.member.greet(LARGE)

    assert pair.read() == LARGE
    assert pair.counters.sent_bytes == len(LARGE)


def test_nothing_is_taken_while_something_waits(pair: Pair) -> None:
    pair.member.burst(LARGE)

    assert pair.member.offer(b"later") == 0

    assert pair.read() == LARGE
    assert pair.member.offer(b"later") == 5
    assert pair.read() == b"later"


def test_full_connection_takes_nothing_and_is_no_fault(pair: Pair) -> None:
    taken = pair.member.offer(LARGE)

    assert pair.member.offer(b"more") == 0

    assert pair.read() == LARGE[:taken]
    assert pair.member.told == []


def test_rest_of_a_frame_goes_before_the_newest_pong_then_the_log_then_the_close_frame(pair: Pair) -> None:
    pair.member.burst(LARGE)
    pair.member.pong(b"<oldest pong>")
    pair.member.pong(b"<old pong>", b"<pong>")
    pair.member.owed = [b"<one>", b"<two>"]
    pair.member.goodbye = b"<close>"

    assert pair.read() == LARGE + b"<pong><one><two><close>"
    assert pair.member.told == ["waits", Opcode.PONG, Opcode.CLOSE, "done"]


def test_close_frame_goes_behind_what_waits(pair: Pair) -> None:
    pair.member.greet(LARGE)
    pair.member.part(b"<close>")
    pair.member.pong(b"<pong>")

    assert pair.read() == LARGE + b"<pong><close>"


def test_pongs_and_close_frame_go_at_once_where_nothing_waits(pair: Pair) -> None:
    pair.member.pong()
    pair.member.pong(b"<one>", b"<two>")
    pair.member.part(b"<close>")

    assert pair.read() == b"<one><two><close>"
    assert pair.member.told == [Opcode.PONG, Opcode.PONG, Opcode.CLOSE]


def test_log_that_does_not_fit_either_goes_on_waiting(pair: Pair) -> None:
    pair.member.burst(LARGE)
    pair.member.owed = [LARGE, b"<end>"]

    assert pair.read() == LARGE + LARGE + b"<end>"
    assert pair.member.told == ["waits", "done"]


def test_waiting_is_begun_once_however_often_it_is_asked_for(pair: Pair) -> None:
    pair.member.burst(LARGE)
    pair.clock.now_s = 200.0
    pair.member.want_write()

    assert pair.member.told == ["waits"]
    assert pair.member.progress_s == 100.0


def test_peer_that_takes_something_is_heard_and_makes_progress(pair: Pair) -> None:
    pair.member.burst(LARGE)
    pair.member.is_heard = False
    pair.clock.now_s = 200.0

    pair.read()

    assert pair.member.is_heard
    assert pair.member.progress_s == 200.0


def test_who_can_be_written_to_when_the_turn_is_over_is_so_in_the_next_one(pair: Pair) -> None:
    pair.member.burst(LARGE)
    read = pair.peer.recv(len(LARGE))
    assert not pair.membership.write_turn.is_over()
    pair.clock.now_s += 1

    pair.member.wake()

    assert pair.counters.sent_bytes == 0
    assert read + pair.read() == LARGE


def test_wake_up_for_nothing_loses_nothing(pair: Pair) -> None:
    pair.member.burst(LARGE)

    pair.member.wake()

    assert pair.read() == LARGE


# --- the end


def test_peer_that_has_gone_is_noticed_at_once_and_closed_at_the_end_of_the_turn(pair: Pair) -> None:
    pair.peer.close()

    assert pair.member.offer(b"hello") == -1
    # The room may be in the middle of a pass over its members.
    assert pair.member.told == []

    gevent.idle()
    assert pair.member.told == [Reason.GONE]


def test_dead_member_takes_nothing_any_more(pair: Pair) -> None:
    pair.peer.close()
    pair.member.greet(b"hello")

    assert pair.member.offer(b"more") == -1
    pair.member.want_write()
    pair.member.pong(b"<pong>")

    gevent.idle()
    assert pair.member.told == [Reason.GONE]
    assert pair.counters.sent_bytes == 0


def test_peer_that_goes_while_something_waits_is_closed(pair: Pair) -> None:
    pair.member.burst(LARGE)
    pair.peer.close()

    gevent.idle()

    assert pair.member.told == ["waits", Reason.GONE]


def test_fault_of_ours_ends_the_member_alone(pair: Pair) -> None:
    pair.member.burst(LARGE)
    pair.member.owed = BrokenLog()

    assert pair.read() == LARGE

    waits, fault = pair.member.told
    assert waits == "waits"
    assert isinstance(fault, BrokenLogError)
