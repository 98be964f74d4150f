"""A relay that may open few files: it says how many connections that makes, and serves those."""

import contextlib
import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from typing import Final

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.container.conftest import LOCKED_UP
from tests.container.engine import Container, running

# Where the 256 that are kept for what is no connection would be more than half, half of them are.
FILES: Final = 300
PLACES: Final = 150


@pytest.fixture(scope="module")
def small_relay(image: str) -> Iterator[Container]:
    with running(image, *LOCKED_UP, "--ulimit", f"nofile={FILES}:{FILES}") as container:
        container.wait_until_healthy()
        yield container


@contextlib.contextmanager
def members(relay: Container, count: int) -> Iterator[list[ClientConnection]]:
    room = f"ws://{relay.address(8080)}/rooms/lobby"
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(room)) for _ in range(count)]


def ask(relay: Container, path: str) -> str:
    with urllib.request.urlopen(f"http://{relay.address(8081)}{path}", timeout=10) as answer:
        said: str = answer.read().decode()
    return said


def test_it_says_how_many_it_can_take(small_relay: Container) -> None:
    [serving] = [json.loads(line) for line in small_relay.logs().splitlines() if '"serving"' in line]

    assert serving["connections_max"] == PLACES
    assert f"roomcast_connections_limit {PLACES}.0" in ask(small_relay, "/metrics")
    assert f"process_max_fds {FILES}.0" in ask(small_relay, "/metrics")


def test_it_takes_as_many_and_refuses_the_next_with_503(small_relay: Container) -> None:
    host, port = small_relay.address(8080).rsplit(":", 1)
    with members(small_relay, PLACES) as inside:
        # Who finds no place is told so without being asked what it wants. `websockets` stumbles over an answer that
        # is there before its request, in one of ten handshakes, so it is a socket that listens.
        with socket.create_connection((host, int(port)), timeout=10) as late:
            head = late.makefile("rb").read().decode().partition("\r\n\r\n")[0]
        inside[0].send("hello")

        assert inside[-1].recv(timeout=10) == "hello"
        assert head.startswith("HTTP/1.1 503 ")
        assert re.search(r"^Retry-After: [1-9]", head, re.MULTILINE)


def test_private_door_answers_while_it_is_full(small_relay: Container) -> None:
    with members(small_relay, PLACES):
        assert ask(small_relay, "/healthz") == "ok\n"
        assert ask(small_relay, "/readyz") == "ready\n"
        assert f'roomcast_connections{{dialect="rfc6455"}} {PLACES}.0' in ask(small_relay, "/metrics")
        assert small_relay.inspect("State.Health.Status") == "healthy"
