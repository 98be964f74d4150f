"""The canary of whole relays, whatever they listen on and whomever they let in."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest

from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.tokens import SECRET

ONCE = "[admin]\ncanary_interval_s = 3600\n"

# What one says of itself who has a path through the loop, and no member: bytes, sizes, times, and the canary's own.
OF_THE_LOOP = ("canary_", "received_bytes", "message_size", "flush_duration", "loop_lag")


def rounds(relay: Relay, at_least: int = 1) -> dict[str, int]:
    """Return how the first rounds ended."""
    runs = relay.server.counters.canary.runs
    relay.until(lambda: sum(runs.values()) >= at_least)
    return {outcome: count for outcome, count in runs.items() if count}


@OVER_TLS_TOO
@pytest.mark.parametrize(
    "toml",
    [
        "",
        '[server]\nhost = "0.0.0.0"',
        '[server]\nhosts = ["chat.example.com"]',
        '[server]\nprotocols = ["rfc6455"]\ntrusted_proxies = ["127.0.0.0/8"]',
        '[server]\nproxy_protocol = true\ntrusted_proxies = ["127.0.0.0/8"]',
        '[server]\nproxy_protocol = true\ntrusted_proxies = ["192.0.2.1"]',
        '[origins]\nmissing = "refuse"\nallow = ["https://app.example.com"]',
        "[deflate]\nenabled = true",
        "[limits]\nrooms_max = 1\nmessage_max_bytes = 1\nhandshakes_per_address = 1",
        f'[tokens]\nsecret = "{SECRET}"\n[[rooms]]\nname = "rooms"\npath = "/rooms/{{room}}"\naccess = "token"',
        '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\npresence = true\nhistory_messages = 10',
    ],
)
def test_canary_goes_round_soon_after_the_start(serve: Serve, toml: str) -> None:
    assert rounds(serve(ONCE + toml)) == {"ok": 1}


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6_door_is_found_where_it_listens(serve: Serve, host: str) -> None:
    assert rounds(serve(f'{ONCE}[server]\nhost = "{host}"')) == {"ok": 1}


def test_ipv6_door_owes_a_header_to_whom_it_trusts(serve: Serve) -> None:
    toml = '[server]\nhost = "::"\nproxy_protocol = true\ntrusted_proxies = ["::1"]'

    assert rounds(serve(ONCE + toml)) == {"ok": 1}


@OVER_TLS_TOO
@pytest.mark.parametrize("more", ["", 'proxy_protocol = true\ntrusted_proxies = ["unix:"]'])
def test_path_is_a_door_like_any_other(serve: Serve, tmp_path: Path, more: str) -> None:
    assert rounds(serve(f'{ONCE}[server]\nhost = "unix:{tmp_path}/public.sock"\n{more}')) == {"ok": 1}


def test_numbers_of_the_operator_are_as_if_nobody_had_come(serve: Serve) -> None:
    idle, relay = serve(), serve(ONCE)
    assert rounds(relay) == {"ok": 1}
    relay.until(lambda: relay.server.canary.door.is_empty)

    def numbers(of: Relay) -> list[str]:
        lines = of.ask_admin("/metrics").body.decode().splitlines()
        return [line for line in lines if line.startswith("roomcast_") and not line[9:].startswith(OF_THE_LOOP)]

    assert [line for line in numbers(relay) if "timestamp" not in line] == [
        line for line in numbers(idle) if "timestamp" not in line
    ]
    assert relay.metric('roomcast_canary_runs_total{outcome="ok"}') == 1
    assert relay.metric("roomcast_canary_round_trip_seconds_count") == 1
    assert relay.metric("roomcast_canary_last_success_timestamp_seconds") > 1.6e9
    assert relay.diary.read() == []


def test_relay_with_one_place_left_has_none_for_its_canary(serve: Serve) -> None:
    relay = serve(f"{ONCE}[limits]\nconnections_max = 1")

    assert rounds(relay) == {"full": 1}
    assert sum(relay.counters.handshakes.values()) == 0


def test_canary_goes_round_again_and_again(serve: Serve) -> None:
    relay = serve("[admin]\ncanary_interval_s = 0.1")

    assert rounds(relay, at_least=3) == {"ok": 3}


def test_interval_can_be_changed_while_it_serves_from_none_and_to_none(serve: Serve) -> None:
    relay = serve()
    canary = relay.server.canary

    relay.call(lambda: canary.change(relay.server.forwarding, 3600))
    first = rounds(relay)
    relay.call(lambda: canary.change(relay.server.forwarding, 1800))
    second = rounds(relay, at_least=2)
    relay.call(lambda: canary.change(relay.server.forwarding, 0))

    assert (first, second) == ({"ok": 1}, {"ok": 2})


def test_reload_of_a_relay_that_ends_does_not_send_it_out_again(serve: Serve) -> None:
    relay = serve(ONCE)
    canary = relay.server.canary
    assert rounds(relay) == {"ok": 1}

    # It waits for the end of the round, as what ends the relay does.
    relay.call(lambda: gevent.spawn(canary.stop))
    relay.until(lambda: canary._canary is not None and canary._canary._greenlet is None)
    relay.call(lambda: canary.change(relay.server.forwarding, 0.1))

    assert relay.call(lambda: canary._canary is not None and canary._canary._greenlet) is None


def test_canary_of_a_relay_that_never_opened_has_nothing_to_stop(serve: Serve) -> None:
    relay = serve()
    relay.ask_to_stop()
    relay.wait_for_end()

    relay.server.canary.stop()

    assert sum(relay.server.counters.canary.runs.values()) == 0
