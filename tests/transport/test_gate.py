"""The order of the questions: whoever breaks several rules is told of the first, whatever it speaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.event_source import stream_head
from tests.running import Serve
from tests.tokens import SECRET
from tests.wire import get, rfc6455_head

FULL = f"""
[limits]
rooms_max = 1
[tokens]
secret = "{SECRET}"
[[rooms]]
name = "open"
path = "/open/{{room}}"
[[rooms]]
name = "closed"
path = "/closed/{{room}}"
access = "token"
"""
EVIL = "Origin: https://evil.example"

BY_ORDER = [
    (("/nowhere", EVIL), 404),
    (("/closed/%ff", EVIL), 400),
    (("/closed/a", EVIL), 403),
    (("/open/a", EVIL), 403),
    (("/closed/a",), 401),
    (("/open/a",), 503),
    (("/open/here",), None),
]
"""What is asked for, and the status of the first "no"; None where there is none."""


@pytest.mark.parametrize(("asked", "status"), BY_ORDER)
@pytest.mark.parametrize(("head", "welcome"), [(rfc6455_head, 101), (stream_head, 200)], ids=["socket", "stream"])
def test_first_no_is_the_answer_whatever_is_spoken(
    serve: Serve, head: Callable[..., bytes], welcome: int, asked: tuple[str, ...], status: int | None
) -> None:
    relay = serve(FULL)
    relay.join("/open/here")
    wire = relay.connect()

    wire.send(head(*asked))

    assert wire.read_head()[0] == (welcome if status is None else status)


@pytest.mark.parametrize(("asked", "status"), BY_ORDER)
def test_plain_get_is_told_the_same(serve: Serve, asked: tuple[str, ...], status: int | None) -> None:
    relay = serve(FULL)
    relay.join("/open/here")

    assert relay.ask(get(*asked)).status == (426 if status is None else status)
