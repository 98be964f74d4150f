"""Batches, sent once each over refusals and broken connections; the waits are written down instead of waited for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from itertools import count
from typing import NoReturn

import pytest

from roomcast.cli.batches import Batch, Batcher, item
from roomcast.cli.door import Door
from roomcast.cli.publisher import Accepted, Publisher, RefusedError
from tests.cli.accepting import accept, json_answer, problem, texts
from tests.cli.scripted import scripted


class Sending:
    """A publisher, and what it said and waited for."""

    def __init__(self, url: str, key: str = "abc", wait: Callable[[float], None] | None = None) -> None:
        self.waits_s: list[float] = []
        self.said: list[str] = []
        self.batcher = Batcher()
        names = count(1)
        self.publisher = Publisher(
            Door.at(url),
            key,
            wait=wait or self.waits_s.append,
            roll=lambda: 0.5,
            name=lambda: f"name-{next(names)}",
            say=self.said.append,
        )

    def send(self, *batches: Batch) -> list[Accepted]:
        with closing(self.publisher):
            return [accepted for batch in batches for accepted in self.publisher.publish(batch, self.batcher)]

    def fail(self, batch: Batch) -> RefusedError:
        with pytest.raises(RefusedError) as refused:
            self.send(batch)
        return refused.value


def batch(*messages: str) -> Batch:
    return Batch([item("/a", number, text.encode(), is_binary=False) for number, text in enumerate(messages, start=1)])


def test_batch_is_sent_with_the_key_and_a_name_of_its_own() -> None:
    with scripted(accept(7), accept(9)) as door:
        first, second = Sending(door.url).send(batch("a", "b"), batch("c"))

    assert (first.epoch, first.offsets, second.offsets) == ("k7c2m9qa", [7, 8], [9])
    assert [texts(asked) for asked in door.asked] == [["a", "b"], ["c"]]
    assert [asked.headers["idempotency-key"] for asked in door.asked] == ["name-1", "name-2"]
    assert {asked.line for asked in door.asked} == {"POST /api/v1/batch HTTP/1.1"}
    assert {asked.headers["authorization"] for asked in door.asked} == {"Bearer abc"}
    assert {asked.headers["content-type"] for asked in door.asked} == {"application/json"}


def test_connection_that_was_closed_for_being_idle_is_no_failure() -> None:
    accepted = json_answer("200 OK", {"epoch": "k7c2m9qa", "offsets": [1]}, is_last=False)
    with scripted(accepted, problem("403 Forbidden", "no")) as door:
        sending = Sending(door.url)
        with closing(sending.publisher):
            list(sending.publisher.publish(batch("a"), sending.batcher))
            door.wait_for_close()
            # It is certain that this one was not accepted: it was sent once.
            assert sending.fail(batch("b")).is_known

    assert sending.said == []


@pytest.mark.parametrize(
    ("refusal", "wait_s"),
    [
        (problem("429 Too Many Requests", "sent too fast", "Retry-After: 2"), 2),
        (problem("503 Service Unavailable", "the room owes", "Retry-After: 1"), 1),
        (problem("409 Conflict", "still being served"), 0.25),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 0.25),
    ],
)
def test_refusal_that_is_about_now_is_repeated_under_the_same_name(refusal: bytes, wait_s: float) -> None:
    with scripted(refusal, accept(1)) as door:
        sending = Sending(door.url)

        assert [accepted.offsets for accepted in sending.send(batch("a"))] == [[1]]

    assert sending.waits_s == [wait_s]
    assert [asked.headers["idempotency-key"] for asked in door.asked] == ["name-1", "name-1"]


def test_rate_that_is_too_high_is_told_once_and_kept_to() -> None:
    too_fast = problem("429 Too Many Requests", "messages_per_s = 100", "Retry-After: 2")
    with scripted(too_fast, accept(1), too_fast, accept(2), problem("429 Too Many Requests", "a"), accept(3)) as door:
        sending = Sending(door.url)
        sending.send(batch("a"), batch("b"), batch("c"))

    assert sending.said == ["429 messages_per_s = 100; it goes on as fast as that allows"]
    assert sending.waits_s == [2, 2, 0.5]


def test_batch_without_an_answer_is_repeated_under_the_same_name() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n{"
    with scripted(accept(1), b"", b"HTTP/1.1 200", half, accept(2)) as door:
        sending = Sending(door.url)
        sending.send(batch("a"), batch("b"))

    assert [asked.headers["idempotency-key"] for asked in door.asked] == ["name-1", *["name-2"] * 4]


@pytest.mark.parametrize(
    ("status", "detail"),
    [("401 Unauthorized", "this key is not one of ours"), ("404 Not Found", "no room"), ("422 Unprocessable", "a\x1b")],
)
def test_refusal_that_would_come_again_is_said_in_the_relay_s_words(status: str, detail: str) -> None:
    with scripted(problem(status, detail)) as door:
        refused = Sending(door.url).fail(batch("a"))

    assert str(refused) == f"{status[:3]} {detail}".replace("\x1b", r"\x1b")
    assert refused.is_known
    assert "abc" not in str(refused)


def test_first_batch_without_an_answer_is_repeated_as_well() -> None:
    with scripted(b"", accept(1)) as door:
        sending = Sending(door.url)

        assert [accepted.offsets for accepted in sending.send(batch("a"))] == [[1]]

    assert [asked.headers["idempotency-key"] for asked in door.asked] == ["name-1", "name-1"]


def test_first_batch_whose_relay_goes_without_an_answer_may_have_been_accepted() -> None:
    with scripted(b"") as door:
        refused = Sending(door.url).fail(batch("a"))

    assert str(refused) == "Connection refused, 12 times"
    assert not refused.is_known


def test_refusal_after_a_try_without_an_answer_leaves_open_what_became_of_that() -> None:
    with scripted(accept(1), b"", b"", problem("403 Forbidden", "no")) as door:
        sending = Sending(door.url)
        sending.send(batch("a"))

        assert not sending.fail(batch("b")).is_known


def test_batch_that_is_too_large_is_sent_in_parts_and_so_is_what_follows() -> None:
    too_large = problem("413 Content Too Large", "what is sent at once may have no more")
    with scripted(too_large, accept(1), too_large, accept(3), accept(4)) as door:
        sending = Sending(door.url)
        accepted = sending.send(batch("a", "b", "c", "d"))

    assert [texts(asked) for asked in door.asked] == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert [each.offsets for each in accepted] == [[1, 2], [3], [4]]
    assert len({asked.headers["idempotency-key"] for asked in door.asked}) == 5
    assert [len(each.items) for one in batch("a", "b").items for each in sending.batcher.add(one)] == [1]


def test_message_that_is_too_large_by_itself_is_refused_and_those_before_it_are_not() -> None:
    too_large = problem("413 Content Too Large", "longer than message_max_bytes")
    accepted: list[Accepted] = []
    with scripted(too_large, accept(1), too_large) as door:
        sending = Sending(door.url)
        with pytest.raises(RefusedError, match="413 longer than message_max_bytes") as refused:
            accepted.extend(each for each in sending.publisher.publish(batch("a", "b"), sending.batcher))
        sending.publisher.close()

    assert [each.offsets for each in accepted] == [[1]]
    assert refused.value.batch.lines == "line 2"


def test_messages_whose_room_could_not_be_opened_are_refused_and_the_others_are_not() -> None:
    accepted: list[Accepted] = []
    with scripted(accept(1, lost=2)) as door:
        sending = Sending(door.url)
        with pytest.raises(RefusedError, match="rooms_max") as refused:
            accepted.extend(each for each in sending.publisher.publish(batch("a", "b", "c"), sending.batcher))
        sending.publisher.close()

    assert [each.offsets for each in accepted] == [[1, None, None]]
    assert refused.value.batch.lines == "lines 2 to 3"


@pytest.mark.parametrize(
    "value",
    [[], {"epoch": "a", "offsets": [1, 2]}, {"epoch": 1, "offsets": [1]}, {"epoch": "a", "offsets": ["1"]}, "a"],
)
def test_answer_that_is_not_a_relay_s_leaves_open_what_was_accepted(value: object) -> None:
    with scripted(json_answer("200 OK", value)) as door:
        refused = Sending(door.url).fail(batch("a"))

    assert "is this its private door?" in str(refused)
    assert not refused.is_known


def test_nobody_at_the_address_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    sending = Sending(f"http://127.0.0.1:{port}")

    assert str(sending.fail(batch("a"))) == f"127.0.0.1 port {port}: Connection refused"
    assert sending.waits_s == []


def test_relay_that_is_gone_is_given_up_after_some_minutes() -> None:
    with scripted(accept(1)) as door:
        sending = Sending(door.url)
        sending.send(batch("a"))
    refused = sending.fail(batch("b"))

    assert str(refused) == "Connection refused, 12 times"
    assert 60 < sum(sending.waits_s) < 600
    assert refused.is_known


def test_interrupt_leaves_open_what_was_accepted() -> None:
    def interrupt(_: float) -> NoReturn:
        raise KeyboardInterrupt

    with scripted(problem("503 Service Unavailable", "stopping")) as door:
        refused = Sending(door.url, wait=interrupt).fail(batch("a"))

    assert str(refused) == "interrupted"
    assert not refused.is_known
