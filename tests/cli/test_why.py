"""``roomcast why`` and the relay that it asks."""

from __future__ import annotations

import json
import re

import pytest

from roomcast.cli.why import WHAT_TO_DO
from roomcast.relay.reasons import Reason
from tests.api.calls import KEY, WITH_KEY
from tests.cli.runner import run
from tests.running import Relay, Serve
from tests.wire import get


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", KEY)


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(WITH_KEY)


def url(relay: Relay) -> str:
    address = relay.server.private_address
    assert isinstance(address, tuple)
    return f"http://{address[0]}:{address[1]}"


def test_refused_origin_is_explained_with_the_key_to_change(relay: Relay) -> None:
    relay.ask(get("/rooms/lobby", "Origin: https://evil.example"))

    result = run("why", "https://evil.example", "--url", url(relay))

    assert result.exit_code == 0
    first, message, hint = result.stdout.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d UTC, \d+\.\d s ago: \w{8}\.1 was answered 403", first)
    assert "was answered 403, origin, in /rooms/lobby, from 127.0.0.1, of https://evil.example" in first
    assert message == "    origin https://evil.example may not enter: not same_origin, not in allow"
    assert hint == '    add "https://evil.example" to [origins] allow'


def test_close_is_explained_with_what_to_do(relay: Relay) -> None:
    relay.join().close()
    relay.until(relay.is_empty)

    result = run("why", "127.0.0.1", "--url", url(relay))

    assert result.exit_code == 0
    first, lasted, advice = result.stdout.splitlines()
    assert "was closed without a close frame, gone, in /rooms/lobby, by rfc6455, from 127.0.0.1" in first
    assert re.fullmatch(r"    it had been there for 0\.\d s, took \d+ bytes, sent \d+", lasted)
    assert advice == f"    {WHAT_TO_DO[Reason.GONE]}"


def test_connection_that_is_there_is_said_to_be(relay: Relay) -> None:
    relay.join()
    epoch = relay.call(lambda: relay.server.hub.epoch)

    result = run("why", f"{epoch}.1", "--url", url(relay))

    assert (result.exit_code, result.stdout.split(" for ")[0]) == (0, f"{epoch}.1 is connected: in /rooms/lobby")


@pytest.mark.parametrize(
    ("members", "last"), [(6, "1 more of that address is connected"), (7, "2 more of that address are connected")]
)
def test_crowd_of_an_address_is_counted_and_the_first_of_it_told(relay: Relay, members: int, last: str) -> None:
    for _ in range(members):
        relay.join()

    lines = run("why", "127.0.0.1", "--url", url(relay)).stdout.splitlines()

    assert [" is connected: in /rooms/lobby for " in line for line in lines] == [True] * 5 + [False]
    assert lines[-1] == last


def test_nothing_known_is_said_and_exits_with_1(relay: Relay) -> None:
    result = run("why", "203.0.113.9", "--url", url(relay))

    assert result.exit_code == 1
    assert (
        result.stdout == "nothing is remembered of that; endings are, for 1 h 0 min at most, and not over a restart\n"
    )


def test_json_is_the_answer_as_it_is(relay: Relay) -> None:
    relay.ask(get("/nothing"))

    result = run("why", "127.0.0.1", "--json", "--url", url(relay))

    assert [one["reason"] for one in json.loads(result.stdout)["endings"]] == ["not_found"]


def test_wrong_key_is_told_and_exits_with_2(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", "x" * 32)

    result = run("why", "127.0.0.1", "--url", url(relay))

    assert (result.exit_code, result.stderr[:13]) == (2, "roomcast: 401")


def test_every_reason_has_its_advice() -> None:
    assert set(WHAT_TO_DO) == set(Reason)
