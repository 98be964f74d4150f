"""Sockets that were passed on: those that fit, and an error that names the descriptor for each that does not."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from roomcast.server import DoorError
from roomcast.server.activation import take_sockets

US = 4711
# Where the descriptors are put: higher than any that this process has open.
FIRST = 900

Opens = Callable[[], socket.socket]


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def tcp() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def end_of_a_pair(kind: socket.SocketKind) -> socket.socket:
    one, other = socket.socketpair(socket.AF_UNIX, kind)
    other.close()
    return one


def environment(names: str, count: int | str | None = None, pid: int = US) -> dict[str, str]:
    number = len(names.split(":")) if count is None else count
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(number), "LISTEN_FDNAMES": names, "HOME": "/"}


def pass_on(closing: ExitStack, *descriptors: int) -> None:
    """Put these where a manager would have put them."""
    for number, descriptor in enumerate(descriptors, start=FIRST):
        os.dup2(descriptor, number)
        closing.callback(_close, number)


def _close(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        return


def test_sockets_are_taken_by_name_and_the_environment_says_no_more_of_them(closing: ExitStack) -> None:
    public, private = closing.enter_context(tcp()), closing.enter_context(tcp())
    pass_on(closing, private.fileno(), public.fileno())
    told = environment("private:public")

    taken = take_sockets(told, pid=US, first=FIRST)

    assert {section: sock.getsockname() for section, sock in taken.items()} == {
        "server": public.getsockname(),
        "admin": private.getsockname(),
    }
    assert told == {"HOME": "/"}
    assert all(fcntl.fcntl(sock.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC for sock in taken.values())
    for sock in taken.values():
        sock.close()


@pytest.mark.parametrize("told", [{}, environment("public", pid=US + 1), environment("", count=0)])
def test_sockets_of_another_process_or_none_are_left_alone(told: dict[str, str]) -> None:
    assert take_sockets(told, pid=US, first=FIRST) == {}
    assert "LISTEN_FDS" not in told


def test_path_is_as_good_as_a_port(closing: ExitStack, tmp_path: Path) -> None:
    listening = closing.enter_context(socket.socket(socket.AF_UNIX))
    listening.bind(str(tmp_path / "public.sock"))
    listening.listen()
    pass_on(closing, listening.fileno())

    taken = take_sockets(environment("public"), pid=US, first=FIRST)

    assert taken["server"].getsockname() == str(tmp_path / "public.sock")
    taken["server"].close()


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (environment("public", count="many"), "LISTEN_FDS=many is not the number of descriptors"),
        (environment("public", count="9" * 5000), "and LISTEN_FDNAMES names 1"),
        (environment("public", count=2), "LISTEN_FDS=2 descriptors were passed on, and LISTEN_FDNAMES names 1"),
        (environment("unknown"), 'descriptor 900, which was passed on as "unknown", is named neither "public" nor'),
        (environment("public:public"), 'descriptor 901, which was passed on as "public", is the second of this name'),
    ],
)
def test_what_is_said_of_sockets_has_to_fit(closing: ExitStack, told: dict[str, str], rule: str) -> None:
    pass_on(closing, closing.enter_context(tcp()).fileno())

    with pytest.raises(DoorError, match=re.escape(rule)):
        take_sockets(told, pid=US, first=FIRST)


@pytest.mark.parametrize(
    ("opens", "rule"),
    [
        (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "is no stream of TCP, nor of a unix path"),
        (lambda: end_of_a_pair(socket.SOCK_SEQPACKET), "is no stream of TCP, nor of a unix"),
        (lambda: end_of_a_pair(socket.SOCK_STREAM), "does not listen: it is a connection, as Accept=yes passes on"),
    ],
)
def test_socket_of_a_wrong_kind_is_an_error_that_names_its_descriptor(
    closing: ExitStack, opens: Opens, rule: str
) -> None:
    pass_on(closing, closing.enter_context(opens()).fileno())

    with pytest.raises(DoorError, match=f'descriptor 900, which was passed on as "public", {rule}'):
        take_sockets(environment("public"), pid=US, first=FIRST)


def test_file_is_no_socket_and_what_is_closed_is_nothing(closing: ExitStack) -> None:
    with pytest.raises(DoorError, match=r"descriptor 900, .+ cannot be used: Bad file descriptor"):
        take_sockets(environment("public"), pid=US, first=FIRST)
    with open(os.devnull, encoding="ascii") as file:
        pass_on(closing, file.fileno())

    with pytest.raises(DoorError, match=r"descriptor 900, .+ is no socket"):
        take_sockets(environment("public"), pid=US, first=FIRST)
