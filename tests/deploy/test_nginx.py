"""nginx with the configuration that deploy/proxy has for it, in front of a relay: both dialects, TLS, who is who.

Debian's package `nginx` has it; where it is missing, tests/skips.toml leaves this file out.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.checks import (
    EIGHT_BYTES,
    LOBBY,
    check_drain,
    check_event_stream,
    check_heads,
    check_hixie76,
    check_refusals,
    check_spoofing,
    check_tls,
)
from tests.deploy.front import CLIENT, Front, nginx
from tests.running import Serve
from tests.wire import HANG_S, KEY3, get, hixie76_head

TRUSTING = """
[server]
trusted_proxies = ["127.0.0.1"]
drain_s = 10
[limits]
close_timeout_s = 10
ping_interval_s = 1
pong_timeout_s = 0
"""


@pytest.fixture
def front(serve: Serve, tmp_path: Path) -> Iterator[Front]:
    with nginx(serve(TRUSTING), tmp_path) as front:
        yield front


def test_refusals_arrive_as_they_are_and_name_the_client(front: Front) -> None:
    check_refusals(front)


def test_client_is_not_believed(front: Front) -> None:
    check_spoofing(front)


def test_tls_of_the_proxy_is_tls(front: Front) -> None:
    check_tls(front)


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
def test_event_stream_passes_at_once(front: Front, is_secure: bool) -> None:
    check_event_stream(front, is_secure=is_secure)


def test_heads_pass_up_to_head_max_bytes(front: Front) -> None:
    check_heads(front)


def test_drain_is_seen_through_it(front: Front) -> None:
    check_drain(front)


def test_log_keeps_no_query_string(front: Front, tmp_path: Path) -> None:
    assert front.ask(get("/nowhere?token=s3cr3t")).status == 404
    # A connection later, the line is written.
    assert front.ask(get("/")).status == 200

    log = (tmp_path / "roomcast.log").read_text()
    assert f"{CLIENT} " in log
    assert '"GET /nowhere" 404' in log
    assert "s3cr3t" not in log


def test_relay_may_be_a_socket_on_the_same_machine(serve: Serve, tmp_path: Path) -> None:
    relay = serve(f'[server]\nhost = "unix:{tmp_path}/public.sock"\ntrusted_proxies = ["unix:"]\n')
    with nginx(relay, tmp_path) as front:
        check_spoofing(front)


# --- hixie-76


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("eight_bytes", EIGHT_BYTES.values(), ids=EIGHT_BYTES.keys())
def test_both_dialects_meet(front: Front, eight_bytes: tuple[tuple[str, ...], bytes, bytes], is_secure: bool) -> None:
    check_hixie76(front, eight_bytes, is_secure=is_secure)


def test_eight_bytes_are_held_back_until_the_101(serve: Serve, tmp_path: Path) -> None:
    """Why the relay answers before they are there: it would wait for ever."""
    with ExitStack() as stack:
        relay = serve(TRUSTING)
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listening.settimeout(HANG_S)
        relay.address = listening.getsockname()
        front = stack.enter_context(nginx(relay, tmp_path))

        front.connect().send(hixie76_head(LOBBY) + KEY3)
        asked = stack.enter_context(listening.accept()[0])
        head = asked.recv(10_000)
        asked.send(b"HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n")

        assert head.endswith(b"\r\n\r\n")
        assert asked.recv(100) == KEY3
