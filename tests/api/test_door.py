from __future__ import annotations

import errno
import os
import socket as native
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
import pytest
from gevent.event import Event

from roomcast.api.door import PrivateDoor
from tests.api.visit import HANG_S, Connect, Diary, OpenDoor, ask, greet, host_and_port, read_all

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Doorstep:
    """A WSGI application that answers when it is told to."""

    def __init__(self) -> None:
        self.is_asked = Event()
        self.may_answer = Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.is_asked.set()
        self.may_answer.wait()
        return greet(environ, start_response)


def test_door_on_port_0_says_where_it_is(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(greet)

    host, port = host_and_port(door)
    assert host == "127.0.0.1"
    assert port != 0
    assert ask(connect(door)).read() == b"hello\n"


def test_clients_that_come_between_bind_and_start_are_answered(connect: Connect, diary: Diary) -> None:
    door = PrivateDoor("127.0.0.1", 0, greet, diary.journal)
    door.bind()
    client = connect(door)

    door.start()

    assert ask(client).read() == b"hello\n"
    door.stop()


def test_address_that_is_taken_is_an_error_and_leaks_no_socket(open_door: OpenDoor, diary: Diary) -> None:
    host, port = host_and_port(open_door(greet))
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(OSError, match="in use") as caught:
        PrivateDoor(host, port, greet, diary.journal).bind()

    assert caught.value.errno == errno.EADDRINUSE
    assert len(os.listdir("/proc/self/fd")) == before


def test_port_is_free_again_as_soon_as_the_door_is_closed(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    door = open_door(greet)
    host, port = host_and_port(door)
    client = connect(door)
    ask(client).read()
    door.stop()

    successor = PrivateDoor(host, port, greet, diary.journal)
    successor.start()

    assert ask(connect(successor)).read() == b"hello\n"
    successor.stop()


def test_ipv6_address_is_listened_on(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(greet, host="::1")

    assert host_and_port(door)[0] == "::1"
    assert ask(connect(door)).read() == b"hello\n"


@pytest.mark.parametrize(("family", "address"), [(native.AF_INET, "127.0.0.1"), (native.AF_INET6, "::1")])
def test_ipv6_wildcard_serves_both_families(connect: Connect, open_door: OpenDoor, family: int, address: str) -> None:
    door = open_door(greet, host="::")

    with gevent.socket.socket(family) as client:
        client.connect((address, host_and_port(door)[1]))

        assert ask(client).read() == b"hello\n"


def test_unix_socket_is_served_and_removed(connect: Connect, open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "private.sock"
    door = open_door(greet, host=f"unix:{path}")

    assert door.address == str(path)
    assert ask(connect(door)).read() == b"hello\n"
    door.stop()
    assert not path.exists()


def test_unix_socket_that_a_killed_relay_left_behind_is_replaced(
    connect: Connect, open_door: OpenDoor, tmp_path: Path
) -> None:
    path = tmp_path / "private.sock"
    with native.socket(native.AF_UNIX) as dead:
        dead.bind(str(path))

    door = open_door(greet, host=f"unix:{path}")

    assert ask(connect(door)).read() == b"hello\n"


def test_unix_socket_that_somebody_listens_on_is_left_alone(
    connect: Connect, open_door: OpenDoor, tmp_path: Path
) -> None:
    path = tmp_path / "private.sock"
    first = open_door(greet, host=f"unix:{path}")

    with pytest.raises(OSError, match="in use") as caught:
        open_door(greet, host=f"unix:{path}")

    assert (caught.value.errno, caught.value.filename) == (errno.EADDRINUSE, str(path))
    assert ask(connect(first)).read() == b"hello\n"


def test_file_that_is_no_socket_is_never_removed(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a socket")

    with pytest.raises(OSError, match="in use"):
        open_door(greet, host=f"unix:{path}")

    assert path.read_text() == "not a socket"


def test_stopping_sends_idle_connections_home_at_once(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(greet)
    idle = connect(door)
    ask(idle).read()

    with gevent.Timeout(HANG_S):
        door.stop(timeout_s=2 * HANG_S)

    assert read_all(idle) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(door)


def test_stopping_lets_an_answer_under_way_end(connect: Connect, open_door: OpenDoor) -> None:
    doorstep = Doorstep()
    door = open_door(doorstep)
    answer = gevent.spawn(lambda: ask(connect(door)).read())
    doorstep.is_asked.wait()

    stopping = gevent.spawn(door.stop, HANG_S)
    gevent.idle()
    doorstep.may_answer.set()

    assert answer.get(timeout=HANG_S) == b"hello\n"
    stopping.get(timeout=HANG_S)


def test_stopping_waits_no_longer_than_it_was_told_to(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    doorstep = Doorstep()
    door = open_door(doorstep)
    client = connect(door)
    client.sendall(b"GET / HTTP/1.1\r\nHost: roomcast\r\n\r\n")
    doorstep.is_asked.wait()

    with gevent.Timeout(HANG_S):
        door.stop(timeout_s=0.01)

    assert read_all(client) == b""
    assert diary.read() == []


def test_door_that_was_never_opened_can_be_closed(diary: Diary) -> None:
    PrivateDoor("127.0.0.1", 0, greet, diary.journal).stop()
