"""Listening sockets: where they can be, what they inherit, and what is left of them."""

from __future__ import annotations

import _socket
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent.event
import gevent.socket
import pytest
from gevent.hub import get_hub

from roomcast.transport.listener import Acceptor, SocketOptions, bind
from tests.diary import Diary

# Linux' number; Python names it from 3.12 on.
NOTSENT_LOWAT = 25


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Reception:
    """What an acceptor hands over."""

    def __init__(self, closing: ExitStack) -> None:
        self.addresses: list[str] = []
        self.connections: list[_socket.socket] = []
        self.came = gevent.event.Event()
        self._closing = closing

    def take(self, raw: _socket.socket, address: str) -> None:
        self._closing.callback(raw.close)
        assert not raw.getblocking()
        self.addresses.append(address)
        self.connections.append(raw)
        self.came.set()


def accepting(
    closing: ExitStack, listening: _socket.socket, options: SocketOptions | None = None
) -> tuple[Reception, Acceptor]:
    reception = Reception(closing)
    acceptor = Acceptor(listening, reception.take, Diary().journal, options)
    closing.callback(acceptor.close)
    acceptor.start()
    return reception, acceptor


def addresses_seen(closing: ExitStack, host: str, visitor: str) -> list[str]:
    """Return what a listener on ``host`` hands over when somebody comes to this address."""
    listening = bind(host, 0)
    reception, _ = accepting(closing, listening)
    closing.enter_context(socket.create_connection((visitor, listening.getsockname()[1])))
    assert reception.came.wait(20)
    return reception.addresses


def test_visitor_is_handed_over_with_its_address(closing: ExitStack) -> None:
    assert addresses_seen(closing, "127.0.0.1", visitor="127.0.0.1") == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("host", "visitor", "seen"),
    [
        ("::1", "::1", "::1"),
        ("::", "::1", "::1"),
        # Mapped, as the kernel says it: policies/limits.py knows.
        ("::", "127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_ipv6_visitor_is_handed_over_with_its_address(closing: ExitStack, host: str, visitor: str, seen: str) -> None:
    assert addresses_seen(closing, host, visitor) == [seen]


def test_ipv6_alone_leaves_the_port_of_ipv4_free(closing: ExitStack) -> None:
    six = bind("::1", 0)
    closing.callback(six.close)

    # To bind that port would prove less: somebody else may have it.
    assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def accepted(closing: ExitStack, options: SocketOptions) -> _socket.socket:
    """Return the relay's end of a TCP connection."""
    listening = bind("127.0.0.1", 0, options)
    reception, _ = accepting(closing, listening, options)
    closing.enter_context(socket.create_connection(listening.getsockname()))
    assert reception.came.wait(20)
    return reception.connections[0]


def test_accepted_connections_have_what_members_need(closing: ExitStack) -> None:
    connection = accepted(closing, SocketOptions(send_buffer_bytes=32_768, receive_buffer_bytes=16_384))

    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert connection.getsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT) == 32_768
    # Linux doubles it, for what it keeps beside the bytes.
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 16_384


def test_buffer_of_a_path_is_set_on_each_connection(closing: ExitStack, tmp_path: Path) -> None:
    options = SocketOptions(send_buffer_bytes=32_768)
    reception, _ = accepting(closing, bind(f"unix:{tmp_path}/public.sock", 0, options), options)
    closing.enter_context(socket.socket(socket.AF_UNIX)).connect(f"{tmp_path}/public.sock")
    assert reception.came.wait(20)

    # Linux doubles it, for what it keeps beside the bytes.
    assert reception.connections[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * 32_768


@pytest.mark.parametrize(
    ("ping_interval_s", "pong_timeout_s", "idle_s", "interval_s"),
    [(25, 10, 25, 4), (0.2, 0.1, 1, 1), (30.5, 9, 31, 3), (3600, 3600, 3600, 1200)],
)
def test_peers_that_vanish_are_probed_for_as_soon_as_pings_would_be_sent(
    closing: ExitStack, ping_interval_s: float, pong_timeout_s: float, idle_s: int, interval_s: int
) -> None:
    options = SocketOptions(ping_interval_s=ping_interval_s, pong_timeout_s=pong_timeout_s)

    assert probing(accepted(closing, options)) == (idle_s, interval_s, 3)


def test_probing_is_the_system_s_where_pings_are_off(closing: ExitStack) -> None:
    with socket.socket() as untouched:
        idle_s, interval_s, probes = probing(untouched)

    assert probing(accepted(closing, SocketOptions())) == (idle_s, interval_s, probes)
    assert probing(accepted(closing, SocketOptions(ping_interval_s=7))) == (7, interval_s, probes)


def test_probing_changes_and_goes_back_to_the_system_s(closing: ExitStack) -> None:
    listening = bind("127.0.0.1", 0, SocketOptions(ping_interval_s=7, pong_timeout_s=3))
    _, acceptor = accepting(closing, listening)
    with socket.socket() as untouched:
        system = probing(untouched)

    acceptor.change(ping_interval_s=30.5, pong_timeout_s=9)
    changed = probing(listening)
    acceptor.change(ping_interval_s=0, pong_timeout_s=0)

    assert (changed, probing(listening)) == ((31, 3, 3), system)


def test_door_that_is_closed_or_a_path_has_nothing_to_probe_with(closing: ExitStack, tmp_path: Path) -> None:
    _, closed = accepting(closing, bind("127.0.0.1", 0))
    _, of_path = accepting(closing, bind(f"unix:{tmp_path}/public.sock", 0))
    closed.close()

    for acceptor in (closed, of_path):
        acceptor.change(ping_interval_s=30, pong_timeout_s=9)


def probing(connection: _socket.socket) -> tuple[int, ...]:
    names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    return tuple(connection.getsockopt(socket.IPPROTO_TCP, name) for name in names)


def test_address_of_another_is_an_error_that_leaves_nothing_open(closing: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use") as refusal:
        bind("127.0.0.1", other.getsockname()[1])

    assert refusal.value.errno == errno.EADDRINUSE


# --- paths


def test_visitor_of_a_path_has_no_address(closing: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    reception, acceptor = accepting(closing, bind(f"unix:{path}", 0))

    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))
        assert reception.came.wait(20)

    assert reception.addresses == [""]
    acceptor.close()
    acceptor.close()


def test_path_that_a_killed_relay_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))

    listening = bind(f"unix:{path}", 0)

    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))
    listening.close()


def test_path_where_somebody_listens_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        with pytest.raises(OSError, match="in use") as refusal:
            bind(f"unix:{path}", 0)

        assert refusal.value.errno == errno.EADDRINUSE
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(path))


def test_path_of_somebody_who_is_too_busy_to_accept_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(0)
        waiting.connect(str(path))

        # Another visitor would have to wait; we do not.
        with pytest.raises(OSError, match="in use"):
            bind(f"unix:{path}", 0)

        assert path.is_socket()


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("keep me")

    with pytest.raises(OSError, match="in use"):
        bind(f"unix:{path}", 0)

    assert path.read_text() == "keep me"


def test_path_in_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bind(f"unix:{tmp_path}/none/public.sock", 0)


# --- accepting


def test_closed_acceptor_does_not_start_again(closing: ExitStack) -> None:
    # A pause for want of descriptors may end after the relay has.
    watchers = get_hub().loop.activecnt
    _, acceptor = accepting(closing, bind("127.0.0.1", 0))
    assert get_hub().loop.activecnt == watchers + 1

    acceptor.close()
    acceptor.start()

    assert get_hub().loop.activecnt == watchers


def test_fault_of_ours_costs_one_visitor_and_the_next_is_taken(closing: ExitStack) -> None:
    listening, diary = bind("127.0.0.1", 0), Diary()
    reception = Reception(closing)
    writer = gevent.spawn(diary.journal.run)

    def take(raw: _socket.socket, address: str) -> None:
        takes.pop()(raw, address)

    def fail(raw: _socket.socket, address: str) -> None:
        raise ValueError("s3cr3t")

    takes = [reception.take, fail]
    acceptor = Acceptor(listening, take, diary.journal)
    closing.callback(acceptor.close)
    acceptor.start()

    first = closing.enter_context(gevent.socket.create_connection(listening.getsockname()))
    assert first.recv(1) == b""
    closing.enter_context(socket.create_connection(listening.getsockname()))

    assert reception.came.wait(20)
    diary.journal.stop()
    writer.join()
    [record] = diary.read()
    assert (record["event"], record["error"]) == ("internal fault", "ValueError")
    assert "s3cr3t" not in str(record)


def test_error_that_is_no_shortage_costs_nobody_anything(closing: ExitStack) -> None:
    failing, working = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    nobody, _ = accepting(closing, failing)
    somebody, _ = accepting(closing, working)

    # Accepting fails from now on, with EINVAL.
    failing.shutdown(socket.SHUT_RDWR)
    closing.enter_context(socket.create_connection(working.getsockname()))

    assert somebody.came.wait(20)
    assert nobody.addresses == []
