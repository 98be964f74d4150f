"""HAProxy with both configurations that deploy/proxy has for it, in front of a relay.

Debian's package `haproxy` has it; where it is missing, tests/skips.toml leaves this file out.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from tests.deploy.front import CLIENT, EVIL, Front, haproxy
from tests.running import Serve
from tests.wire import KEY3, get, hixie76_head, rfc6455_head

TRUSTING = 'trusted_proxies = ["127.0.0.1"]\ndrain_s = 10\n'
LIMITS = "[limits]\nclose_timeout_s = 10\nping_interval_s = 1\npong_timeout_s = 0\nconnections_per_address = 2\n"
SETTINGS = {
    "haproxy.cfg": f"[server]\n{TRUSTING}{LIMITS}",
    "haproxy-tcp.cfg": f"[server]\n{TRUSTING}proxy_protocol = true\n{LIMITS}",
}
BY_REQUEST, BY_CONNECTION = SETTINGS


@pytest.fixture(params=SETTINGS)
def front(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Iterator[Front]:
    with haproxy(serve(SETTINGS[request.param]), tmp_path, request.param) as front:
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


def test_health_check_finds_the_relay_ready(front: Front) -> None:
    relay = front.relay

    relay.until(lambda: relay.server.counters.handshakes["none", "page"] > 0)

    assert relay.diary.read() == []


def test_log_keeps_no_query_string(serve: Serve, tmp_path: Path) -> None:
    with haproxy(serve(SETTINGS[BY_REQUEST]), tmp_path, BY_REQUEST) as front:
        assert front.ask(get("/nowhere?token=s3cr3t")).status == 404

    log = (tmp_path / "haproxy.log").read_text()
    assert f"{CLIENT}:" in log
    assert "404" in log
    assert "GET /nowhere\n" in log
    assert "s3cr3t" not in log


@pytest.mark.parametrize(("name", "key"), [(BY_REQUEST, ""), (BY_CONNECTION, "proxy_protocol = true\n")])
def test_relay_may_be_a_socket_on_the_same_machine(serve: Serve, tmp_path: Path, name: str, key: str) -> None:
    relay = serve(f'[server]\nhost = "unix:{tmp_path}/public.sock"\ntrusted_proxies = ["unix:"]\n{key}')
    with haproxy(relay, tmp_path, name) as front:
        check_spoofing(front)


# --- hixie-76


def test_by_request_hixie76_is_refused_by_haproxy_itself(serve: Serve, tmp_path: Path) -> None:
    with haproxy(serve(SETTINGS[BY_REQUEST]), tmp_path, BY_REQUEST) as front:
        assert front.ask(hixie76_head(LOBBY) + KEY3).status == 400
        assert front.relay.diary.read() == []


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("eight_bytes", EIGHT_BYTES.values(), ids=EIGHT_BYTES.keys())
def test_by_connection_both_dialects_meet(
    serve: Serve, tmp_path: Path, eight_bytes: tuple[tuple[str, ...], bytes, bytes], is_secure: bool
) -> None:
    with haproxy(serve(SETTINGS[BY_CONNECTION]), tmp_path, BY_CONNECTION) as front:
        check_hixie76(front, eight_bytes, is_secure=is_secure)


# --- a chain


def test_by_connection_clients_of_a_proxy_in_front_are_counted_each_for_itself(serve: Serve, tmp_path: Path) -> None:
    """Those who connect here are trusted in their turn, as a load balancer would be."""
    trusting = SETTINGS[BY_CONNECTION].replace("127.0.0.1", f'127.0.0.1", "{CLIENT}')
    with haproxy(serve(trusting), tmp_path, BY_CONNECTION) as front:

        def forwarded_for(address: str) -> str:
            return f"X-Forwarded-For: {EVIL}, {address}"

        for address in ("203.0.113.9", "203.0.113.10"):
            assert [front.join(LOBBY, forwarded_for(address)) for _ in range(2)]
            assert front.ask(rfc6455_head(LOBBY, forwarded_for(address))).status == 429
            assert front.relay.diary.wait_for("refused", address=address)["outcome"] == "address_limit"
