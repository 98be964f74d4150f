from __future__ import annotations

import os
import socket as native
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
import pytest
from gevent.event import Event

from roomcast.api.door import PrivateDoor
from roomcast.transport.listener import bind
from tests.api.visit import Connect, OpenDoor, ask, greet, host_and_port, read_all
from tests.diary import Diary
from tests.wire import HANG_S

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


def test_clients_that_come_before_the_door_opens_are_answered(connect: Connect, diary: Diary) -> None:
    door = PrivateDoor(bind("127.0.0.1", 0), greet, diary.journal)
    client = connect(door)

    door.start()

    assert ask(client).read() == b"hello\n"
    door.stop()


def test_port_is_free_again_as_soon_as_the_door_is_closed(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    door = open_door(greet)
    host, port = host_and_port(door)
    client = connect(door)
    ask(client).read()
    door.stop()

    successor = PrivateDoor(bind(host, port), greet, diary.journal)
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


def test_unix_socket_is_served(connect: Connect, open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "private.sock"
    door = open_door(greet, host=f"unix:{path}")

    assert door.address == str(path)
    assert ask(connect(door)).read() == b"hello\n"


def test_door_that_cannot_accept_says_so_and_waits(diary: Diary, capfd: pytest.CaptureFixture[str]) -> None:
    listening = bind("127.0.0.1", 0)
    with native.socket(fileno=os.dup(listening.fileno())) as twin:
        door = PrivateDoor(listening, greet, diary.journal)
        door.start()

        # Accepting fails from now on, with EINVAL.
        twin.shutdown(native.SHUT_RDWR)

        with gevent.Timeout(HANG_S):
            while not diary.finish():
                gevent.idle()
        door.stop()
    [record] = diary.read()
    assert (record["event"], record["door"], record["error"]) == ("cannot accept", "private", "Invalid argument")
    assert capfd.readouterr() == ("", "")


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
    assert diary.finish() == []


def test_door_that_was_never_opened_can_be_closed(connect: Connect, diary: Diary) -> None:
    door = PrivateDoor(bind("127.0.0.1", 0), greet, diary.journal)

    door.stop()
    door.stop()

    with pytest.raises(ConnectionRefusedError):
        connect(door)
