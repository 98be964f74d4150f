from __future__ import annotations

import json
import socket as native
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import gevent
import pytest
from gevent.event import Event

from roomcast.api.app import create_app
from roomcast.api.door import PrivateDoor
from roomcast.api.wsgi import BODY_MAX_BYTES, HEAD_MAX_BYTES, HEADERS_MAX, KEEP_OPEN, Patience
from roomcast.settings import AdminSettings
from roomcast.transport.listener import bind
from tests.api.visit import Connect, OpenDoor, ask, greet, read_all, send
from tests.diary import Diary
from tests.idle import idle_access, idle_counters, idle_hub
from tests.wire import HANG_S

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

START = b"GET / HTTP/1.1\r\nHost: roomcast\r\n"


class Spout:
    """A WSGI application whose answer does not end before its connection does."""

    def __init__(self) -> None:
        self.is_over = Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            while True:
                yield b"x" * 65_536
        finally:
            self.is_over.set()


def echo_length(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the length of the body."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % len(environ["wsgi.input"].read())]


def parse(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and the problem of an answer that closed its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"Connection: close" in head
    return int(head.split()[1]), json.loads(body)


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterable[None]:
    """Whatever happens here, standard output and error stay empty: all has to go to the journal."""
    yield
    assert capfd.readouterr() == ("", "")


# --- keep-alive, and how long we wait


def test_connection_serves_one_request_after_another(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(greet))

    assert [ask(client).read() for _ in range(3)] == [b"hello\n"] * 3


def test_requests_sent_in_one_go_are_answered_in_turn(connect: Connect, open_door: OpenDoor) -> None:
    answers = send(connect(open_door(greet)), (START + b"\r\n") * 2 + START + b"Connection: close\r\n\r\n")

    assert answers.count(b"hello\n") == 3


def test_requests_sent_in_one_go_leave_the_loop_to_others_in_between(connect: Connect, open_door: OpenDoor) -> None:
    turns: list[int] = []

    def note_turn(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        turns.append(gevent.get_hub().loop.iteration)
        start_response("204 No Content", [])
        return []

    client = connect(open_door(note_turn))
    client.sendall((START + b"\r\n") * 5 + START + b"Connection: close\r\n\r\n")
    read_all(client)

    assert len(set(turns)) == 6


def test_head_is_answered_without_a_body_and_the_connection_goes_on(
    connect: Connect, open_door: OpenDoor, diary: Diary
) -> None:
    door = open_door(create_app(idle_hub("rooms"), idle_counters(), lambda: True, diary.journal, idle_access()))
    client = connect(door)

    client.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: roomcast\r\n\r\n")
    answers = send(client, b"GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n")

    first, second, body = answers.split(b"\r\n\r\n")
    assert b"content-type: text/plain; version=0.0.4" in first
    assert second.startswith(b"HTTP/1.1 200 OK")
    assert body == b"ready\n"


def test_connection_that_asks_for_nothing_is_closed(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(greet, patience=Patience(request_timeout_s=0.05, idle_timeout_s=HANG_S)))

    assert read_all(client) == b""


def test_connection_that_asks_for_nothing_more_is_closed(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(greet, patience=Patience(request_timeout_s=HANG_S, idle_timeout_s=0.05)))

    assert ask(client).read() == b"hello\n"
    assert read_all(client) == b""


@pytest.mark.parametrize("beginning", [b"GET", START, START + b"X: "])
def test_head_that_drips_has_no_longer_than_any_other(connect: Connect, open_door: OpenDoor, beginning: bytes) -> None:
    client = connect(open_door(greet, patience=Patience(request_timeout_s=0.2)))
    client.sendall(beginning)
    # Each byte comes long before a timeout that counts from the byte before.
    client.settimeout(0.01)
    answer = b""
    while not answer:
        try:
            answer = client.recv(65_536)
        except TimeoutError:
            client.sendall(b"x")

    status, _ = parse(answer)
    assert status == 408


def test_body_that_does_not_come_holds_nothing(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(greet, patience=Patience(request_timeout_s=0.05)))

    answer = send(client, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nfive")

    assert answer.endswith(b"hello\n")


def test_answer_that_is_not_taken_is_given_up(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    spout = Spout()
    client = connect(open_door(spout, patience=Patience(request_timeout_s=0.1)))

    client.sendall(START + b"\r\n")

    assert spout.is_over.wait(timeout=HANG_S)
    assert diary.finish() == []


# --- how many


def test_newcomer_takes_the_place_of_who_has_been_idle_longest(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(greet, patience=Patience(connections_max=2))
    first, second = connect(door), connect(door)
    ask(first).read()
    ask(second).read()
    ask(first).read()

    newcomer = connect(door)

    assert ask(newcomer).read() == b"hello\n"
    assert read_all(second) == b""
    assert ask(first).read() == b"hello\n"


def test_newcomer_takes_the_place_of_a_head_that_drips(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(greet, patience=Patience(connections_max=1))
    dripping = connect(door)
    dripping.sendall(START)

    assert ask(connect(door)).read() == b"hello\n"
    assert read_all(dripping) == b""


def test_newcomer_is_told_when_all_are_at_work(connect: Connect, open_door: OpenDoor) -> None:
    is_asked, may_answer = Event(), Event()

    def work(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_asked.set()
        may_answer.wait()
        return greet(environ, start_response)

    door = open_door(work, patience=Patience(connections_max=1))
    at_work = gevent.spawn(lambda: ask(connect(door)).read())
    is_asked.wait()

    status, _ = parse(read_all(connect(door)))

    assert status == 503
    may_answer.set()
    assert at_work.get(timeout=HANG_S) == b"hello\n"


def test_hundreds_of_idle_connections_do_not_keep_a_prober_out(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(greet)
    crowd = [connect(door) for _ in range(300)]

    assert ask(connect(door)).read() == b"hello\n"
    assert sum(read_all(client) == b"" for client in crowd[:200]) == 200


UNSENT = b"Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /api/v1/messages?room=/rooms/a HTTP/1.1\r\n" + UNSENT,
        b"POST /metrics HTTP/1.1\r\n" + UNSENT,
        b"POST /metrics HTTP/1.1\r\nConnection: Upgrade\r\n" + UNSENT,
        b"POST /metrics HTTP/1.1\r\nExpect: 100-continue\r\n" + UNSENT,
        b"GET /healthz HTTP/1.1\r\n" + UNSENT,
    ],
)
def test_bodies_that_do_not_come_keep_no_prober_out(
    connect: Connect, open_door: OpenDoor, diary: Diary, head: bytes
) -> None:
    app = create_app(idle_hub("rooms"), idle_counters(), lambda: True, diary.journal, idle_access("k" * 32))
    door = open_door(app, patience=Patience(request_timeout_s=HANG_S, connections_max=4))
    crowd = [connect(door) for _ in range(4)]
    for client in crowd:
        client.sendall(head)
        # Its answer is there, and the body is still owed.
        assert client.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 405")

    assert ask(connect(door), "/healthz").status == 200


def test_newcomer_takes_the_place_of_a_body_that_drips(connect: Connect, open_door: OpenDoor) -> None:
    is_asked = Event()

    def ask_for_body(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_asked.set()
        return echo_length(environ, start_response)

    door = open_door(ask_for_body, patience=Patience(request_timeout_s=HANG_S, connections_max=1))
    dripping = connect(door)
    dripping.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nfive")
    is_asked.wait()

    assert ask(connect(door)).read() == b"0"
    assert read_all(dripping) == b""


def test_connection_whose_body_is_there_is_at_work(connect: Connect, open_door: OpenDoor) -> None:
    is_asked, may_answer = Event(), Event()

    def work(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        is_asked.set()
        may_answer.wait()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    door = open_door(work, patience=Patience(connections_max=1))
    client = connect(door)
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
    is_asked.wait()

    status, _ = parse(read_all(connect(door)))

    may_answer.set()
    assert status == 503
    assert client.recv(65_536).endswith(b"\r\n\r\nbody")
    # And the connection goes on.
    assert send(client, b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\n!").endswith(b"\r\n\r\n!")


def test_answer_that_leaves_before_the_body_is_the_last_and_arrives(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(greet))
    body = b"x" * BODY_MAX_BYTES

    answer = send(client, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"hello\n")


# --- what is refused


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/3\r\n\r\n", 400),
        (b"GET / HTTP/1.one\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"DELETE / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"HEAD / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX_BYTES + 1), 413),
        (START + b"X: " + b"x" * HEAD_MAX_BYTES + b"\r\n\r\n", 431),
        (START + b"X: x\r\n" * HEADERS_MAX + b"\r\n", 431),
    ],
)
def test_malformed_request_is_answered_and_noted(
    connect: Connect, open_door: OpenDoor, diary: Diary, request_bytes: bytes, expected: int
) -> None:
    answer = send(connect(open_door(greet)), request_bytes)

    status, problem = parse(answer)
    assert status == problem["status"] == expected
    [record] = diary.finish()
    assert (record["event"], record["status"]) == ("private door refused", expected)


def test_request_line_that_is_too_long_is_414(connect: Connect, open_door: OpenDoor) -> None:
    answer = send(connect(open_door(greet)), b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\n\r\n")

    status, problem = parse(answer)
    assert status == problem["status"] == 414


@pytest.mark.parametrize("beginning", [START, START + b"X: half a li"])
def test_head_that_breaks_off_is_no_request(connect: Connect, open_door: OpenDoor, beginning: bytes) -> None:
    client = connect(open_door(greet))
    client.sendall(beginning)
    client.shutdown(native.SHUT_WR)

    status, _ = parse(read_all(client))

    assert status == 400


def test_head_at_its_bounds_is_served(connect: Connect, open_door: OpenDoor) -> None:
    lines = b"X: x\r\n" * (HEADERS_MAX - 1)
    padding = b"Y: " + b"y" * (HEAD_MAX_BYTES - len(lines) - len(b"Y: \r\n\r\n") - 1) + b"\r\n"

    client = connect(open_door(greet))
    client.sendall(b"GET / HTTP/1.1\r\n" + lines + padding + b"\r\n")

    assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_answer_leaves_in_one_piece(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(greet))
    client.setsockopt(native.IPPROTO_TCP, native.TCP_NODELAY, 1)
    for _ in range(20):
        client.sendall(START + b"\r\n")

        assert client.recv(65_536).endswith(b"\r\n\r\nhello\n")


def test_door_is_told_how_long_a_body_may_be(connect: Connect, diary: Diary) -> None:
    door = PrivateDoor(bind("127.0.0.1", 0), echo_length, diary.journal, body_max_bytes=3)
    door.start()
    head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"

    assert send(connect(door), head % 3 + b"abc").endswith(b"\r\n\r\n3")
    assert b"a body may have body_max_bytes = 3" in send(connect(door), head % 4 + b"abcd")
    door.stop()


def test_body_that_is_longest_by_default_is_the_setting_s() -> None:
    assert AdminSettings().body_max_bytes == BODY_MAX_BYTES


def test_body_at_its_bound_is_read(connect: Connect, open_door: OpenDoor) -> None:
    body = b"x" * BODY_MAX_BYTES
    head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    assert send(connect(open_door(echo_length)), head + body).endswith(b"%d" % len(body))


def test_nothing_of_a_refused_request_is_written_down(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    send(connect(open_door(greet)), b"GET /?token=a-secret HTTP/9\r\nCookie: a-secret\r\n\r\n")

    assert "a-secret" not in str(diary.finish())


# --- whose fault it is


def test_application_that_fails_costs_one_answer_and_is_written_down(
    connect: Connect, open_door: OpenDoor, diary: Diary
) -> None:
    def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise ZeroDivisionError("a-secret")

    door = open_door(fail)

    assert send(connect(door), START + b"\r\n").startswith(b"HTTP/1.1 500 ")
    assert send(connect(door), START + b"\r\n").startswith(b"HTTP/1.1 500 ")
    first, second = diary.finish()
    assert (first["level"], first["event"], first["error"]) == ("error", "private door failed", "ZeroDivisionError")
    assert first["where"].startswith("test_wsgi.py:")
    assert "a-secret" not in str(first)
    assert second["event"] == first["event"]


def test_peer_that_goes_while_it_is_answered_is_no_news(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    spout = Spout()
    client = connect(open_door(spout))
    client.sendall(START + b"\r\n")
    client.recv(65_536)

    # A reset, not a goodbye.
    client.setsockopt(native.SOL_SOCKET, native.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    assert spout.is_over.wait(timeout=HANG_S)
    assert diary.finish() == []


def test_what_the_application_complains_of_is_written_down(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    def complain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.errors"].writelines(["one\n", "two\n"])
        environ["wsgi.errors"].flush()
        return greet(environ, start_response)

    ask(connect(open_door(complain))).read()

    assert [(record["event"], record["text"]) for record in diary.finish()] == [
        ("private door complained", "one"),
        ("private door complained", "two"),
    ]


# --- answers without an end


def endless(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a piece every few milliseconds, if that may be."""
    if not environ[KEEP_OPEN]():
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"no\n"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter(_idle_piece, b"")


def _idle_piece() -> bytes:
    gevent.spawn_later(0.01, str).join()
    return b"piece\n"


def test_stream_goes_on_when_the_time_of_a_request_is_over(connect: Connect, open_door: OpenDoor) -> None:
    client = connect(open_door(endless, patience=Patience(request_timeout_s=0.05)))

    stream = ask(client)

    assert [stream.readline() for _ in range(20)] == [b"piece\n"] * 20


def test_stream_that_is_not_taken_is_given_up(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    is_over = Event()

    def flood(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert environ[KEEP_OPEN]()
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            while True:
                yield b"x" * 65_536
        finally:
            is_over.set()

    client = connect(open_door(flood, patience=Patience(request_timeout_s=0.1)))

    client.sendall(START + b"\r\n")

    assert is_over.wait(timeout=HANG_S)
    assert diary.finish() == []


def test_one_stream_too_many_is_refused_and_has_a_place_when_another_has_ended(
    connect: Connect, open_door: OpenDoor
) -> None:
    door = open_door(endless, patience=Patience(streams_max=1))
    first = connect(door)
    assert ask(first).readline() == b"piece\n"

    refused = ask(connect(door))
    first.close()

    assert (refused.status, refused.read()) == (503, b"no\n")
    with gevent.Timeout(HANG_S):
        while ask(connect(door)).status != 200:
            gevent.idle()


def test_stream_is_no_place_for_a_newcomer(connect: Connect, open_door: OpenDoor) -> None:
    door = open_door(endless, patience=Patience(connections_max=1))
    stream = ask(connect(door))

    status, _ = parse(read_all(connect(door)))

    assert status == 503
    assert stream.readline() == b"piece\n"


def test_stopping_ends_streams_at_once(connect: Connect, open_door: OpenDoor, diary: Diary) -> None:
    door = open_door(endless)
    client = connect(door)
    assert ask(client).readline() == b"piece\n"

    with gevent.Timeout(HANG_S):
        door.stop(timeout_s=2 * HANG_S)

    read_all(client)
    assert diary.finish() == []
