from __future__ import annotations

import io
import time
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from roomcast.api.body import Body, part
from tests.wire import HANG_S


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(HANG_S)
    with ours, theirs:
        yield ours, theirs


def body(data: bytes, length_bytes: int | None, told: list[str]) -> Body:
    return Body(io.BufferedReader(io.BytesIO(data)), length_bytes, None, lambda: told.append("whole"))


def test_body_is_owed_until_its_last_byte_was_read() -> None:
    told: list[str] = []
    three_lines = body(b"a\nbc\nrest, and the next request", 9, told)

    assert (three_lines.readline(), three_lines.read(3), three_lines.is_owed, told) == (b"a\n", b"bc\n", True, [])
    assert (three_lines.read(), three_lines.is_owed, told) == (b"rest", False, ["whole"])


@pytest.mark.parametrize("length_bytes", [None, 0])
def test_without_a_length_nothing_is_owed(length_bytes: int | None) -> None:
    assert not body(b"the next request", length_bytes, []).is_owed


def test_body_that_breaks_off_stays_owed() -> None:
    told: list[str] = []
    broken = body(b"four", 5, told)

    with pytest.raises(OSError, match="unexpected end"):
        broken.read()

    assert (broken.is_owed, told) == (True, [])


def test_what_nobody_wants_is_not_read() -> None:
    unwanted = body(b"body", 4, [])

    unwanted._discard()

    assert unwanted.rfile.read() == b"body"


def test_peer_has_its_answer_before_the_connection_goes(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.sendall(b"answer")
    parting = gevent.spawn(part, ours, HANG_S)
    theirs.sendall(b"x" * 1000)

    assert theirs.recv(100) == b"answer"
    assert theirs.recv(100) == b""
    theirs.close()
    assert parting.get(timeout=HANG_S) is None


def test_peer_that_never_stops_is_listened_to_no_longer_than_that(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends

    def send_on() -> None:
        while True:
            theirs.sendall(b"x" * 65_536)

    sending = gevent.spawn(send_on)
    began_s = time.monotonic()
    part(ours, 0.05)
    sending.kill()

    assert 0.05 <= time.monotonic() - began_s < HANG_S


def test_peer_that_is_gone_is_not_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.close()

    part(ours, HANG_S)

    assert theirs.recv(1) == b""
