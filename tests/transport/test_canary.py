"""The canary at doors of all kinds: relays, and peers that are none and answer what a test says."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import gevent
import pytest
from gevent.hub import get_hub

from roomcast.metrics.canary import CanaryCounters, CanaryOutcome
from roomcast.protocol.upgrade import accept_token
from roomcast.transport.canary import Address, Canary
from tests.diary import Diary
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.wire import HANG_S, TEXT, Wire, frame

NOW_S = 1_790_000_000.0
SHORT_S = 0.2


@pytest.fixture(autouse=True)
def own_loop() -> None:
    """Make the loop of this thread, on which canaries go round: its descriptors are no relay's."""
    get_hub()


def canary(
    address: Address,
    key: str = "",
    *,
    is_tls: bool = False,
    has_place: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = monotonic,
    deadline_s: float = HANG_S,
    diary: Diary | None = None,
) -> tuple[Canary, CanaryCounters]:
    counters = CanaryCounters()
    made = Canary(
        address,
        key,
        is_tls=is_tls,
        owes_proxy_header=lambda address: False,
        has_place=has_place,
        counters=counters,
        journal=(diary or Diary()).journal,
        clock=clock,
        wall_clock=lambda: NOW_S,
        dice=os.urandom,
        deadline_s=deadline_s,
    )
    return made, counters


def canary_of(relay: Relay, *, deadline_s: float = HANG_S) -> tuple[Canary, CanaryCounters]:
    """Return one that visits a relay from another thread, with another loop."""
    return canary(relay.address, relay.server.canary.door.key, is_tls=relay.is_tls, deadline_s=deadline_s)


@contextmanager
def peer(answer: Callable[[bytes], bytes], *, is_patient: bool = True) -> Iterator[Address]:
    """Listen; to one that comes, say what ``answer`` makes of the key in its request, and keep it or let it go."""
    listening = socket.create_server(("127.0.0.1", 0))
    is_over = Event()

    def serve() -> None:
        connected, _ = listening.accept()
        with Wire(connected) as wire:
            head = wire.read_until(b"\r\n\r\n").decode("ascii")
            key = head.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
            wire.send(answer(accept_token(key).encode()))
            if is_patient:
                is_over.wait(HANG_S)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        is_over.set()
        thread.join()
        listening.close()


def accepted(accept: bytes) -> bytes:
    return b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"


@OVER_TLS_TOO
def test_message_comes_back_and_its_way_is_measured(serve: Serve) -> None:
    going, counters = canary_of(serve())

    assert going.go_round() is CanaryOutcome.OK
    assert (sum(counters.round_trip.counts), counters.succeeded_s) == (1, NOW_S)
    assert 0 < counters.round_trip.sum < HANG_S


def test_loop_that_is_blocked_is_a_timeout_and_no_success(serve: Serve) -> None:
    relay = serve()
    is_over, is_blocked = Event(), Event()

    def block() -> None:
        is_blocked.set()
        is_over.wait(HANG_S)

    blocking = Thread(target=relay.call, args=[block])
    blocking.start()
    is_blocked.wait(HANG_S)

    going, counters = canary_of(relay, deadline_s=SHORT_S)
    outcome = going.go_round()
    is_over.set()
    blocking.join()

    assert outcome is CanaryOutcome.TIMEOUT
    assert (sum(counters.round_trip.counts), counters.succeeded_s) == (0, 0)


def test_room_that_never_flushes_is_a_timeout() -> None:
    with peer(accepted) as address:
        going, counters = canary(address, deadline_s=SHORT_S)

        assert going.go_round() is CanaryOutcome.TIMEOUT
    assert counters.runs == dict.fromkeys(CanaryOutcome, 0) | {"timeout": 1}


def test_message_that_comes_back_too_late_is_a_timeout_though_no_timer_could_fire(serve: Serve) -> None:
    relay = serve()
    late = iter([0.0, 0.0, HANG_S + 1, HANG_S + 1])

    going, _ = canary(relay.address, relay.server.canary.door.key, clock=lambda: next(late))

    assert going.go_round() is CanaryOutcome.TIMEOUT


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "handshake"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "full"),
        (b"HTTP/1.1 429 Too Many Requests\r\n\r\n", "full"),
        (accepted(b"of another key"), "handshake"),
        (bytes(5000), "handshake"),
    ],
)
def test_answer_that_is_no_101_says_why(answer: bytes, outcome: str) -> None:
    with peer(lambda accept: answer) as address:
        assert canary(address)[0].go_round() == outcome


@pytest.mark.parametrize("behind", [frame(TEXT, b"hello"), b"\x81\x05hello", b"\x88\x00"])
def test_something_else_that_comes_back_is_wrong(behind: bytes) -> None:
    with peer(lambda accept: accepted(accept) + behind) as address:
        assert canary(address)[0].go_round() is CanaryOutcome.WRONG


@pytest.mark.parametrize("answer", [lambda accept: b"", accepted])
def test_connection_that_ends_first_is_gone(answer: Callable[[bytes], bytes]) -> None:
    with peer(answer, is_patient=False) as address:
        assert canary(address)[0].go_round() is CanaryOutcome.GONE


def test_door_that_nobody_opens_lets_nobody_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()

    assert canary(address)[0].go_round() is CanaryOutcome.CONNECT


def test_door_that_speaks_no_tls_is_said_to_be_so(serve: Serve) -> None:
    relay = serve()

    assert canary(relay.address, is_tls=True)[0].go_round() is CanaryOutcome.TLS


def test_last_place_is_left_to_a_client() -> None:
    assert canary("/nowhere", has_place=lambda: False)[0].go_round() is CanaryOutcome.FULL


def test_fault_of_ours_ends_the_round_and_not_the_rounds() -> None:
    diary = Diary()

    def fail() -> bool:
        raise RuntimeError("it is a quarter past s3cr3t")

    going, counters = canary("/nowhere", has_place=fail, diary=diary)

    assert going.go_round() is CanaryOutcome.INTERNAL
    assert counters.runs["internal"] == 1


def test_log_says_when_rounds_begin_to_fail_and_when_they_no_longer_do(serve: Serve) -> None:
    relay, diary = serve(), Diary()
    places = iter([True, False, False, True, True])
    key = relay.server.canary.door.key
    going, _ = canary(relay.address, key, has_place=lambda: next(places), diary=diary)

    outcomes = [going.go_round() for _ in range(5)]

    assert outcomes == ["ok", "full", "full", "ok", "ok"]
    assert [(record["level"], record["outcome"]) for record in diary.finish()] == [("warning", "full"), ("info", "ok")]


def test_round_that_is_stopped_in_the_middle_is_not_counted() -> None:
    asked = Event()

    def answer(accept: bytes) -> bytes:
        asked.set()
        return accepted(accept)

    with peer(answer) as address:
        going, counters = canary(address)
        going.every(3600)
        # In gevent's time: the canary waits for this loop.
        get_hub().threadpool.apply(asked.wait, (HANG_S,))
        going.stop()
        going.stop()

    assert counters.runs == dict.fromkeys(CanaryOutcome, 0)


def test_round_is_not_gone_while_none_is_wanted() -> None:
    going, counters = canary("/nowhere")

    going.every(0)
    gevent.idle()
    going.stop()

    assert counters.runs == dict.fromkeys(CanaryOutcome, 0)
