"""What a member is told of its own connection: the same facts, whichever way they travel."""

from __future__ import annotations

import json

import pytest

from roomcast.protocol import event_stream, json_messages, notices
from roomcast.protocol.notices import Notice
from tests.event_source import EventSource


@pytest.mark.parametrize(
    ("notice", "kind", "fields"),
    [
        (notices.gap("epoch", 7), "gap", {"reason": "epoch", "offset": 7}),
        (notices.expiring(30_000), "expiring", {"expires_in_ms": 30_000}),
        (
            notices.goodbye("restart", 1012, reconnect_after_ms=1200, connection_id="k7c2m9qa.41"),
            "goodbye",
            {"reason": "restart", "code": 1012, "reconnect_after_ms": 1200, "id": "k7c2m9qa.41"},
        ),
        (
            notices.goodbye(
                "rate", 1008, reconnect_after_ms=0, connection_id="k7c2m9qa.41", detail="limit=bytes_per_s"
            ),
            "goodbye",
            {
                "reason": "rate",
                "code": 1008,
                "reconnect_after_ms": 0,
                "id": "k7c2m9qa.41",
                "detail": "limit=bytes_per_s",
            },
        ),
        (
            notices.goodbye("kicked", 4403, reconnect_after_ms=None, connection_id="k7c2m9qa.41"),
            "goodbye",
            {"reason": "kicked", "code": 4403, "reconnect_after_ms": None, "id": "k7c2m9qa.41"},
        ),
    ],
)
def test_object_and_event_say_the_same(notice: Notice, kind: str, fields: dict[str, object]) -> None:
    assert json.loads(json_messages.notice(notice)) == {"type": kind} | fields
    [event] = EventSource().receive(event_stream.notice_event(notice))
    assert (event.type, json.loads(event.data)) == (kind, fields)
