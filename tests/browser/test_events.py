"""Roomcast.events: a stream that comes back, with a key, and after answers that EventSource gives up on."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.standin import StandIn, Stream
from tests.browser.test_client import is_state, still, told, wait_s

FOLLOW = """(options) => {
  globalThis.told = [];
  globalThis.room = Roomcast.events("/api/v1/events", {
    ...options,
    onEvent: (event) => told.push(["event", event]),
    onState: (...state) => told.push(["state", ...state]),
  });
}"""


def follow(desk: BrowserContext, stand_in: StandIn, *streams: Stream, **options: Any) -> Page:
    stand_in.streams = list(streams)
    page = still(desk, stand_in)
    page.evaluate("Math.random = () => 0.5")
    page.evaluate(FOLLOW, options)
    return page


def events(page: Page, count: int) -> list[dict[str, Any]]:
    until = f"told.filter(([name]) => name === 'event').length >= {count}"
    return [event for _, event in told(page, "event", until=until)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_are_read_as_the_standard_says(desk: BrowserContext, stand_in: StandIn, end: str) -> None:
    lines = [
        ":a comment",
        "id: 7",
        "event: stats",
        "data: one",
        "data:two",
        "data",
        "",
        "data:  spaced: twice",
        "",
        "event: nothing",
        "",
        "event: nothing",
        "event:",
        "data: of no type",
        "",
        "data: never whole",
    ]

    page = follow(desk, stand_in, (200, {}, end.join(lines)), (403, {}, ""))

    assert events(page, 3) == [
        {"type": "stats", "data": "one\ntwo\n", "id": "7"},
        {"type": "message", "data": " spaced: twice", "id": "7"},
        {"type": "message", "data": "of no type", "id": "7"},
    ]


LONGEST = 4_194_304
"""Characters of one event, each line with its end."""


@pytest.mark.parametrize("line_chars", [LONGEST, 2_048])
def test_longest_event_is_read_whole(desk: BrowserContext, stand_in: StandIn, line_chars: int) -> None:
    lines = [f"data:{'x' * (line_chars - 1)}\n"] * (LONGEST // line_chars)

    page = follow(desk, stand_in, (200, {}, "".join(lines) + "\n"), (403, {}, ""))

    [event] = events(page, 1)
    assert len(event["data"]) == LONGEST - 1


@pytest.mark.parametrize(
    "lines",
    [
        f"data:{'x' * LONGEST}\n",
        f"data:{'x' * 2_047}\n" * (LONGEST // 2_048 + 1),
        # It has no end, and need not have one to be too long.
        f"data: {'x' * (LONGEST + 1)}",
    ],
)
def test_event_that_is_longer_is_given_up(desk: BrowserContext, stand_in: StandIn, lines: str) -> None:
    page = follow(desk, stand_in, (200, {}, lines))

    _, state, why = told(page, "state", until=is_state("waiting"))[-1]

    assert (state, why["reason"], why["detail"]) == ("waiting", "gone", "an event of the stream is too long")


def test_stream_that_ends_is_asked_for_again_from_its_last_event(desk: BrowserContext, stand_in: StandIn) -> None:
    page = follow(desk, stand_in, (200, {}, "retry: 3000\nid: k7:1\ndata: 1\n\n"), (200, {}, "data: 2\n\n"))

    # What is drawn comes on top: a stream says the same to all who read it.
    assert wait_s(page) == 3.5
    page.clock.run_for(3_500)

    assert [event["data"] for event in events(page, 2)] == ["1", "2"]
    assert "Last-Event-ID" not in stand_in.asked[0]
    assert stand_in.asked[1]["Last-Event-ID"] == "k7:1"
    assert stand_in.asked[0]["Accept"] == "text/event-stream"


def test_stream_that_says_goodbye_is_asked_for_again_when_it_said_and_not_waited_for_as_long_once_more(
    desk: BrowserContext, stand_in: StandIn
) -> None:
    goodbye = 'retry: 7000\nevent: goodbye\ndata: {"reason":"restart","code":1012,"reconnect_after_ms":7000}\n\n'
    page = follow(
        desk, stand_in, (200, {}, f"retry: 2000\n\n{goodbye}"), (503, {}, "away"), (200, {}, "data: here\n\n")
    )

    assert wait_s(page) == pytest.approx(7.05)
    page.clock.run_for(7_050)
    page.wait_for_function("told.at(-1)[1] === 'waiting' && told.at(-1)[2].reason === 'refused'")
    assert wait_s(page) == 1.0


@pytest.mark.parametrize(
    ("status", "headers", "expected_s"), [(503, {"Retry-After": "5"}, 5.5), (429, {}, 0.5), (500, {}, 0.5)]
)
def test_refusal_for_now_is_waited_out(
    desk: BrowserContext, stand_in: StandIn, status: int, headers: dict[str, str], expected_s: float
) -> None:
    page = follow(desk, stand_in, (status, headers, "later"), (200, {}, "data: here\n\n"))

    assert wait_s(page) == expected_s
    assert told(page, "state", until="true")[-1][2] | {"delay_ms": 0} == {
        "reason": "refused",
        "code": status,
        "detail": "later",
        "delay_ms": 0,
    }
    page.clock.run_for(int(expected_s * 1_000))
    assert [event["data"] for event in events(page, 1)] == ["here"]


def test_refusal_for_good_is_the_end_until_there_is_another_key(desk: BrowserContext, stand_in: StandIn) -> None:
    page = follow(desk, stand_in, (401, {}, '{"detail": "a key is wanted"}'), (200, {}, "data: here\n\n"), key="first")

    ended = told(page, "state", until=is_state("ended"))[-1]
    page.clock.fast_forward(3_600_000)
    page.evaluate("room.options.key = () => Promise.resolve('second')")
    page.evaluate("room.retry()")

    assert ended[2] == {"reason": "refused", "code": 401, "detail": '{"detail": "a key is wanted"}'}
    assert [event["data"] for event in events(page, 1)] == ["here"]
    assert [headers["Authorization"] for headers in stand_in.asked] == ["Bearer first", "Bearer second"]


def test_door_that_is_away_is_tried_again(desk: BrowserContext, stand_in: StandIn) -> None:
    page = follow(desk, stand_in, (200, {}, "data: here\n\n"))
    come_here = "**/api/v1/events"
    told(page, until=is_state("waiting"))
    page.route(come_here, lambda route: route.abort())
    page.clock.run_for(1_000)
    page.wait_for_function("told.at(-1)[1] === 'waiting' && told.at(-1)[2].reason === 'gone'")

    page.unroute(come_here)
    page.clock.run_for(2_000)

    assert len(events(page, 2)) == 2


def test_silent_stream_is_given_up(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.streams = [(200, {}, "data: here\n\n")]
    page = still(desk, stand_in)
    # Held where it is: neither answered nor refused.
    page.route("**/api/v1/events", lambda route: None, times=1)
    with page.expect_request("**/api/v1/events"):
        page.evaluate(FOLLOW, {})

    page.clock.run_for(30_000)

    assert told(page, "state", until=is_state("waiting"))[-1][2]["reason"] == "silence"


def test_closed_stream_stays_closed(desk: BrowserContext, stand_in: StandIn) -> None:
    page = follow(desk, stand_in, (200, {}, "data: here\n\n"))
    told(page, until=is_state("waiting"))

    page.evaluate("room.close()")
    page.clock.fast_forward(3_600_000)

    assert page.evaluate("told.at(-1)") == ["state", "ended", {"reason": "closed"}]
    assert len(stand_in.asked) == 1
