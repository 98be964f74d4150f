"""What PROTOCOL.md says beside the subprotocol: its example of an event stream, its queries, its table of dialects."""

from __future__ import annotations

import re

import pytest

from roomcast.cli.sse import SseDecoder
from roomcast.relay.start import POSITION_PATTERN
from tests.running import Serve
from tests.schemas.documents import ASYNCAPI, PROTOCOL
from tests.wire import get

QUERY = ASYNCAPI["channels"]["raw"]["bindings"]["ws"]["query"]["properties"]


def test_event_stream_reads_as_it_is_described() -> None:
    [stream] = re.findall(r"^```text\n(.*?)^```", PROTOCOL, re.DOTALL | re.MULTILINE)
    decoder = SseDecoder(line_max_bytes=1000, event_max_bytes=1000)

    events = list(decoder.receive(stream.encode()))

    assert [event.type for event in events] == ["message", "binary", "gap", "expiring", "goodbye"]
    assert events[0].data == "hello\nin two lines"
    assert events[0].id == "k7c2m9qa:42"
    assert decoder.retry_ms == 1200


def test_parameters_are_those_of_the_asyncapi_document() -> None:
    _, _, table = PROTOCOL.partition("| parameter | |")

    assert set(re.findall(r"^\| `(\w+)=", table, re.MULTILINE)) == set(QUERY)


def test_positions_are_written_in_one_way_everywhere() -> None:
    events = [ASYNCAPI["components"]["messages"][name] for name in ("eventText", "eventBinary")]

    assert {event["headers"]["properties"]["id"]["pattern"] for event in events} == {f"^{POSITION_PATTERN}$"}
    assert QUERY["since"]["pattern"] == f"^({POSITION_PATTERN}|[0-9]{{1,9}}s)$"


@pytest.mark.parametrize("name", ["since=k7c2m9qa:41", "since=30s", "since=0s"])
def test_position_that_is_documented_is_understood(serve: Serve, name: str) -> None:
    value = name.partition("=")[2]

    assert re.search(QUERY["since"]["pattern"], value)
    serve().join(f"/rooms/a?{name}&gap=ok").close()


@pytest.mark.parametrize("value", ["41", "k7c2m9qa", "k7c2m9qa:", ":41", "30", "30m", "-1s", "k7c2m9qa:4.1"])
def test_position_that_is_not_documented_is_refused_with_its_rule(serve: Serve, value: str) -> None:
    answer = serve().ask(
        get(
            f"/rooms/a?since={value}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
    )

    assert not re.search(QUERY["since"]["pattern"], value)
    assert answer.status == 400
    assert "since is epoch:offset" in answer.body.decode()
