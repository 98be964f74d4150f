from __future__ import annotations

import pytest

from roomcast.protocol.cors import is_preflight, may_ask, may_read
from roomcast.protocol.request import Request

ORIGIN = "https://app.example"
ASKED = (("origin", ORIGIN), ("access-control-request-method", "GET"))


def test_preflight_is_an_options_of_a_page_that_wants_to_get() -> None:
    assert is_preflight(Request("/rooms/lobby", ASKED, "OPTIONS"))


@pytest.mark.parametrize(
    "request_",
    [
        Request("/rooms/lobby", ASKED),
        Request("/rooms/lobby", ASKED[:1], "OPTIONS"),
        Request("/rooms/lobby", (*ASKED, ("upgrade", "websocket")), "OPTIONS"),
        Request("/rooms/lobby", ASKED[1:], "OPTIONS"),
        Request("/rooms/lobby", (ASKED[0], ("access-control-request-method", "POST")), "OPTIONS"),
        Request("/rooms/lobby", (ASKED[0], ("access-control-request-method", "get")), "OPTIONS"),
    ],
)
def test_nothing_else_is_one(request_: Request) -> None:
    assert not is_preflight(request_)


def test_answer_is_shown_to_the_page_that_asked_and_to_no_other() -> None:
    assert may_read(ORIGIN) == (("Access-Control-Allow-Origin", ORIGIN), ("Vary", "Origin"))


def test_answer_to_nobody_in_particular_names_none() -> None:
    assert may_read(None, with_credentials=True) == (("Vary", "Origin"),)


def test_cookies_are_mentioned_where_they_mean_something() -> None:
    assert ("Access-Control-Allow-Credentials", "true") in may_read(ORIGIN, with_credentials=True)


def test_preflight_hears_what_may_be_asked_and_for_how_long_that_holds() -> None:
    assert dict(may_ask(ORIGIN)) == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Vary": "Origin",
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": "authorization, cache-control, last-event-id",
        "Access-Control-Max-Age": "7200",
    }
