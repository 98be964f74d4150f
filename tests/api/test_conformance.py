"""The API is what its document says: schemathesis makes up requests, good and bad, and judges each answer by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from roomcast.api.configuration import TOML
from roomcast.api.idempotency import HEADER
from roomcast.api.messages import TEXT
from roomcast.api.openapi import document
from roomcast.policies.templates import ROOM_NAME_MAX_BYTES
from tests.api.calls import KEY, WITH_KEY, Caller
from tests.running import Relay
from tests.running import settings as relay_settings
from tests.transport.rooms import rooms

EXAMPLES = 30
"""Made up for each operation, half of them good: a few seconds in all."""

# A file is sent as any text is.
schemathesis.serializer.alias(TOML, TEXT)

# Which status it is that refuses, the document says; that a bad request is refused is asked here.
# And no schema says what TOML is, or a good configuration: made up texts are neither.
_PLAN = {"include-path": "/api/v1/plan", "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}}}
_CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}, "operations": [_PLAN]}
)
_FOUND: Any = schemathesis.openapi.from_dict(document(), config=_CONFIG).get_all_operations()
# Without those whose answer does not end.
OPERATIONS = [found.ok() for found in _FOUND if found.ok().path not in ("/api/v1/events", "/api/v1/presence")]

QUERY_MAX_BYTES = 7_000
"""A request line has 8 KiB."""

_NUMBER = count()


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    """A relay with rooms of which some are open, and without rates: nobody waits for the next example."""
    running = Relay(relay_settings(WITH_KEY + rooms(history_messages=10)))
    for name in ("lobby", "other"):
        Caller(running).say("hello", f"/rooms/{name}")
    yield running
    running.stop()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_answers_are_those_that_the_document_foresees(operation: Any, relay: Relay) -> None:
    assert isinstance(relay.server.private_address, tuple)
    host, port = relay.server.private_address
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def judge(case: Any) -> None:
        stay_within_what_no_schema_can_say(case)
        case.call_and_validate(base_url=f"http://{host}:{port}", headers={"Authorization": f"Bearer {KEY}"})

    judge()


def stay_within_what_no_schema_can_say(case: Any) -> None:
    """Leave out what is refused for reasons that the document has no words for, and let no two requests share a key."""
    # A made up Host or Content-Length makes it another request. The key of the API is ours, whatever is made up.
    assume({name.lower() for name in case.headers or {}} <= {"authorization", HEADER.lower()})
    assume(len(urlencode(case.query or {}, doseq=True)) < QUERY_MAX_BYTES)
    assume(all(len(name.encode()) <= ROOM_NAME_MAX_BYTES for name in room_names(case)))
    key = (case.headers or {}).get(HEADER)
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        case.headers[HEADER] = f"made-up-{next(_NUMBER)}"


def room_names(case: Any) -> Iterator[str]:
    """Yield the names of rooms in a request, or whatever stands where one should."""
    yield str((case.query or {}).get("room", ""))
    messages = case.body.get("messages") if isinstance(case.body, dict) else None
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            yield str(message.get("room", ""))
