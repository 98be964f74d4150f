"""How somebody came: known while it stays, shared by all who came alike, and forgotten behind the last of them."""

from __future__ import annotations

from gc import collect

import pytest

from roomcast.transport.visit import TEXT_MAX_CHARS, Visit, Visits
from tests.running import Relay, Serve
from tests.tokens import SECRET
from tests.wire import rfc6455_head

PAGE = "https://app.example"
OPEN = f'[origins]\nallow = ["{PAGE}", "https://other.example"]\n'


def visits(relay: Relay) -> list[Visit]:
    return relay.call(lambda: [member.visit for member in relay.server.keep_alive])


def test_who_comes_alike_shares_one_object() -> None:
    known = Visits()

    one = known.of(origin=PAGE, host="chat.example", scheme="https")
    other = known.of(origin=PAGE, host="chat.example", scheme=None)

    assert known.of(origin=PAGE, host="chat.example", scheme="https") is one
    assert other is not one
    assert len(known) == 2


def test_visit_is_forgotten_with_the_last_who_came_so() -> None:
    known = Visits()
    one = known.of(origin=PAGE, host=None, scheme=None)
    assert len(known) == 1

    del one
    collect()

    assert len(known) == 0


@pytest.mark.parametrize(("chars", "kept"), [(TEXT_MAX_CHARS, TEXT_MAX_CHARS), (TEXT_MAX_CHARS + 1, TEXT_MAX_CHARS)])
def test_of_what_is_longer_than_any_origin_only_so_much_is_kept(chars: int, kept: int) -> None:
    visit = Visits().of(origin="o" * chars, host="h" * chars, scheme=None, site="s" * chars)

    assert [len(text or "") for text in (visit.origin, visit.host, visit.site)] == [kept] * 3


@pytest.mark.parametrize("chars", [400, TEXT_MAX_CHARS, 2000])
def test_origin_that_is_too_long_is_refused_however_long(serve: Serve, chars: int) -> None:
    relay = serve(OPEN)

    assert relay.ask(rfc6455_head("/rooms/lobby", f"Origin: {PAGE}/".ljust(chars, "x"))).status == 403


def test_members_of_all_kinds_know_how_they_came(serve: Serve) -> None:
    relay = serve(OPEN)
    relay.join("/rooms/lobby", f"Origin: {PAGE}")
    relay.join("/rooms/lobby", f"Origin: {PAGE}", "Sec-WebSocket-Protocol: roomcast.json")
    relay.join("/rooms/other", f"Origin: {PAGE}")
    relay.stream("/rooms/lobby", "Sec-Fetch-Site: same-origin")

    first, second, third, stream = visits(relay)

    assert first is second is third
    assert first.origin == PAGE
    assert (stream.origin, stream.host, stream.site) == (None, first.host, "same-origin")


def test_scheme_is_that_of_the_connection(serve: Serve) -> None:
    relay = serve(f'[server]\ntrusted_proxies = ["127.0.0.1"]\n[tokens]\nsecret = "{SECRET}"\n{OPEN}')
    relay.join("/rooms/lobby", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")

    assert [visit.scheme for visit in visits(relay)] == ["https"]
