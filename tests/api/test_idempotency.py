from __future__ import annotations

from collections.abc import Callable

import pytest
from falcon import HTTPBadRequest, HTTPConflict, HTTPUnprocessableEntity, Request
from falcon.testing import create_environ

from roomcast.api.idempotency import OVERHEAD_BYTES, WINDOW_S, Idempotency


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Work:
    """What is asked for: each time it is done, the answer is another."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> bytes:
        self.done += 1
        return b"%d" % self.done


def request(key: str | None, target: str = "/a?room=b", method: str = "POST", kind: str = "text/plain") -> Request:
    path, _, query = target.partition("?")
    headers = {"Content-Type": kind} | ({} if key is None else {"Idempotency-Key": key})
    return Request(create_environ(path, query_string=query, method=method, headers=headers))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def work() -> Work:
    return Work()


def test_request_without_a_key_is_served_each_time(clock: Clock, work: Work) -> None:
    kept = Idempotency(clock)

    assert [kept.serve(request(None), "holder", b"x", work) for _ in range(2)] == [b"1", b"2"]


def test_repeated_request_gets_the_first_answer(clock: Clock, work: Work) -> None:
    kept = Idempotency(clock)

    assert [kept.serve(request("k"), "holder", b"x", work) for _ in range(3)] == [b"1"] * 3
    assert work.done == 1


def test_key_is_its_holder_s_own(clock: Clock, work: Work) -> None:
    kept = Idempotency(clock)

    assert [kept.serve(request("k"), holder, b"x", work) for holder in ("one", "other")] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("other", "body"),
    [
        (request("k"), b"y"),
        (request("k", "/a?room=c"), b"x"),
        (request("k", "/b?room=b"), b"x"),
        (request("k", method="PUT"), b"x"),
        (request("k", kind="text/html"), b"x"),
    ],
)
def test_key_of_another_request_is_422(clock: Clock, work: Work, other: Request, body: bytes) -> None:
    kept = Idempotency(clock)
    kept.serve(request("k"), "holder", b"x", work)

    with pytest.raises(HTTPUnprocessableEntity):
        kept.serve(other, "holder", body, work)

    assert work.done == 1


@pytest.mark.parametrize("key", ["k" * 256, "a b", "é", " "])
def test_key_that_is_none_is_400(clock: Clock, work: Work, key: str) -> None:
    with pytest.raises(HTTPBadRequest):
        Idempotency(clock).serve(request(key), "holder", b"x", work)

    assert work.done == 0


def test_repeat_while_the_first_is_being_served_is_409(clock: Clock, work: Work) -> None:
    kept = Idempotency(clock)
    refusals: list[type[Exception]] = []

    def ask_again() -> bytes:
        for body in (b"x", b"y"):
            with pytest.raises((HTTPConflict, HTTPUnprocessableEntity)) as caught:
                kept.serve(request("k"), "holder", body, work)
            refusals.append(caught.type)
        return work()

    kept.serve(request("k"), "holder", b"x", ask_again)

    assert refusals == [HTTPConflict, HTTPUnprocessableEntity]
    assert work.done == 1


def test_request_that_was_refused_is_served_when_it_is_repeated(clock: Clock, work: Work) -> None:
    kept = Idempotency(clock)

    def refuse() -> bytes:
        raise HTTPBadRequest

    with pytest.raises(HTTPBadRequest):
        kept.serve(request("k"), "holder", b"x", refuse)

    assert kept.serve(request("k"), "holder", b"x", work) == b"1"


@pytest.mark.parametrize(("now_s", "answer"), [(WINDOW_S - 1, b"1"), (WINDOW_S, b"2")])
def test_answer_is_kept_for_its_time(clock: Clock, work: Work, now_s: float, answer: bytes) -> None:
    kept = Idempotency(clock)
    kept.serve(request("k"), "holder", b"x", work)

    clock.now_s = now_s

    assert kept.serve(request("k"), "holder", b"x", work) == answer


@pytest.mark.parametrize(
    "bounded",
    [
        lambda clock: Idempotency(clock, answers_max=2),
        lambda clock: Idempotency(clock, answers_max_bytes=2 * OVERHEAD_BYTES + 2),
    ],
)
def test_oldest_answer_makes_place_for_the_newest(
    clock: Clock, work: Work, bounded: Callable[[Clock], Idempotency]
) -> None:
    kept = bounded(clock)
    for key in "abc":
        kept.serve(request(key), "holder", b"x", work)

    assert [kept.serve(request(key), "holder", b"x", work) for key in "cba"] == [b"3", b"2", b"4"]
