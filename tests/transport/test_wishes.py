"""The query of a request, read: each parameter, and what is wrong with those that cannot be read."""

import pytest

from roomcast.protocol.request import Request, parse
from roomcast.relay.start import NO_WISH, Position, Wish
from roomcast.transport.admission import Outcome, Refusal
from roomcast.transport.wishes import come_back, parse_wish
from tests.wire import rfc6455_head


def request(query: str) -> Request:
    return parse(rfc6455_head(f"/rooms/lobby{query}"))


@pytest.mark.parametrize("query", ["", "?", "?token=1", "?History=5&SINCE=7s", "?a=b&a=b"])
def test_query_that_says_nothing_of_it_is_no_wish(query: str) -> None:
    assert parse_wish(request(query)) is NO_WISH


@pytest.mark.parametrize(
    ("query", "wish"),
    [
        ("?history=0", Wish()),
        ("?history=20", Wish(20)),
        ("?history=999999999999999", Wish(999_999_999_999_999)),
        ("?since=k7c2m9qa:41", Wish(since=Position("k7c2m9qa", 41))),
        ("?since=k7c2m9qa%3A41", Wish(since=Position("k7c2m9qa", 41))),
        ("?since=k7c2m9qa:0&history=5", Wish(5, since=Position("k7c2m9qa", 0))),
        ("?since=30s", Wish(since_s=30)),
        ("?since=0s&gap=ok", Wish(since_s=0, may_miss=True)),
        ("?gap=ok", Wish(may_miss=True)),
        ("?room=7&history=1&x=%00", Wish(1)),
    ],
)
def test_wish_is_read_among_whatever_else_a_page_says(query: str, wish: Wish) -> None:
    assert parse_wish(request(query)) == wish


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("?history=", "history is a number of messages"),
        ("?history", "history is a number of messages"),
        ("?history=-1", "history is a number of messages"),
        ("?history=1.5", "history is a number of messages"),
        ("?history=1000000000000000", "history is a number of messages"),
        # Digits that are none in ASCII.
        ("?history=%D9%A3", "history is a number of messages"),
        ("?since=", "since is epoch:offset"),
        ("?since=30", "since is epoch:offset"),
        ("?since=30m", "since is epoch:offset"),
        ("?since=1.5s", "since is epoch:offset"),
        ("?since=-1s", "since is epoch:offset"),
        ("?since=1000000000s", "since is epoch:offset"),
        ("?since=k7c2m9qa:", "since is epoch:offset"),
        ("?since=:41", "since is epoch:offset"),
        ("?since=a:b:41", "since is epoch:offset"),
        ("?since=k7c2m9qa:-1", "since is epoch:offset"),
        ("?since=K7C2M9QA:41", "since is epoch:offset"),
        ("?since=k7c2m9qa:1000000000000000", "since is epoch:offset"),
        ("?since=k7c2m9qa:41%0A", "since is epoch:offset"),
        ("?gap=", "gap is ok, or not said"),
        ("?gap=yes", "gap is ok, or not said"),
        ("?history=1&history=1", "history, since and gap can each be said once"),
        ("?since=1s&since=k7c2m9qa:4", "history, since and gap can each be said once"),
    ],
)
def test_wish_that_cannot_be_read_is_refused_by_its_rule(query: str, rule: str) -> None:
    with pytest.raises(Refusal, match=rule) as refused:
        parse_wish(request(query))
    assert (refused.value.status, refused.value.outcome) == (400, Outcome.MALFORMED)


def test_where_a_browser_was_takes_the_place_of_what_its_url_says() -> None:
    by_time, by_position = Wish(5, since_s=30, may_miss=True), Wish(5, Position("k7c2m9qa", 41), may_miss=True)

    assert come_back(by_time, "k7c2m9qa:41") == by_position
    assert come_back(by_position, "k7c2m9qa:42") == Wish(5, Position("k7c2m9qa", 42), may_miss=True)


@pytest.mark.parametrize("last_event_id", ["30s", "41", "K7C2M9QA:41", "k7c2m9qa:1000000000000000"])
def test_place_where_no_browser_can_have_been_is_refused(last_event_id: str) -> None:
    with pytest.raises(Refusal, match="Last-Event-ID is epoch:offset"):
        come_back(NO_WISH, last_event_id)
