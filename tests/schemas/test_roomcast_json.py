"""The subprotocol as it is written down, held against what the program says and takes."""

from __future__ import annotations

import ast
import json
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roomcast.protocol import json_messages
from roomcast.relay.reasons import Reason
from roomcast.relay.start import Gap
from roomcast.transport.json_member import JsonMember
from tests.running import Relay, Serve
from tests.schemas.documents import (
    FROM_CLIENT,
    FROM_RELAY,
    ROOT,
    SCHEMA,
    examples,
    types_from,
    undocumented,
    words,
)
from tests.tokens import SECRET, fresh_token
from tests.transport.rooms import SMALL_BUFFER, numbered
from tests.wire import BINARY, CLOSE, TEXT, Rfc6455Client, frame

JSON = "Sec-WebSocket-Protocol: roomcast.json"
KEEPING = f"""
[server]
drain_s = 5
[tokens]
secret = "{SECRET}"
[[rooms]]
name = "rooms"
path = "/rooms/{{room}}"
history_messages = 2
greeting = "hello"
presence = true
presence_interval_s = 0.1
[[rooms]]
name = "busy"
path = "/busy/{{room}}"
presence = true
messages_per_s = 0
bytes_per_s = 0
[[rooms]]
name = "closed"
path = "/closed/{{room}}"
access = "token"
presence = true
"""

# Whom nothing can be told any more; and what closes nobody.
UNSAID = {Reason.PEER, Reason.GONE, Reason.WRITE_TIMEOUT, Reason.UNSUPPORTED}


def test_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("example", examples("What the relay says"), ids=json.dumps)
def test_example_of_the_relay_s_words_is_as_the_schema_says(example: dict[str, Any]) -> None:
    FROM_RELAY.validate(example)
    assert not undocumented(example)


@pytest.mark.parametrize("example", examples("What a client says"), ids=json.dumps)
def test_example_of_a_client_s_words_is_as_the_schema_says_and_the_relay_takes_it(example: dict[str, Any]) -> None:
    FROM_CLIENT.validate(example)
    assert not undocumented(example)
    assert json_messages.parse(json.dumps(example).encode())


def test_every_type_has_an_example() -> None:
    assert {example["type"] for example in examples("What the relay says")} == types_from("fromRelay")
    assert {example["type"] for example in examples("What a client says")} == types_from("fromClient")


@pytest.mark.parametrize(
    "said",
    [
        {"type": "publish"},
        {"type": "publish", "text": "a", "base64": ""},
        {"type": "publish", "text": 1},
        {"type": "publish", "base64": "AP8"},
        {"type": "publish", "base64": "A P8="},
        {"type": "publish", "text": "a", "ref": "x" * 65},
        {"type": "publish", "text": "a", "ref": True},
        {"type": "publish", "text": "a", "ref": 1 << 53},
        {"type": "publish", "text": "a", "ref": []},
        {"type": "welcome"},
        {"text": "a"},
        [],
    ],
    ids=json.dumps,
)
def test_what_the_schema_refuses_the_relay_does_not_take(said: Any) -> None:
    assert not FROM_CLIENT.is_valid(said)
    with pytest.raises(json_messages.UnreadableError):
        json_messages.parse(json.dumps(said).encode())


@pytest.mark.parametrize(
    "said",
    [
        {"type": "publish", "text": "", "ref": "x" * 64},
        {"type": "publish", "base64": "", "ref": -((1 << 53) - 1)},
        {"type": "publish", "text": "a", "later": 1},
    ],
    ids=json.dumps,
)
def test_what_the_schema_allows_the_relay_takes(said: Any) -> None:
    FROM_CLIENT.validate(said)
    assert json_messages.parse(json.dumps(said).encode())


def test_schema_has_the_words_for_every_goodbye_and_no_others() -> None:
    assert words("goodbye", "reason") == set(Reason) - UNSAID


def test_schema_has_the_words_for_every_gap_and_no_others() -> None:
    assert words("gap", "reason") == {*Gap, Reason.LAGGING}


def said_in_errors() -> set[str]:
    """Return the words with which the program answers what it does not take: they are in no enum."""
    found = set()
    for path in (ROOT / "app" / "roomcast").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                match ast.unparse(node.func), node.args:
                    case "UnreadableError", [ast.Constant(word), *_]:
                        found.add(word)
                    case "json_messages.error" | "self._answer_no", [_, ast.Constant(word), *_]:
                        found.add(word)
    return {str(word) for word in found}


def test_schema_has_the_words_for_every_error_and_no_others() -> None:
    assert words("error", "reason") == said_in_errors()


class Listener:
    """A member that keeps all that it is told."""

    def __init__(self, client: Rfc6455Client) -> None:
        self.client = client
        self.told: list[dict[str, Any]] = []

    def hear(self, **expected: Any) -> None:
        """Listen up to the next that has these members."""
        while not self.told or not all(self.told[-1].get(key) == value for key, value in expected.items()):
            self.told.append(json.loads(self.client.hear()))

    def say(self, **said: Any) -> None:
        self.client.say(json.dumps(said))

    def hear_the_end(self) -> None:
        while (heard := self.client.read_frame()).opcode != CLOSE:
            assert heard.opcode == TEXT
            self.told.append(json.loads(heard.payload))


def alice_in_a_closed_room(relay: Relay) -> Listener:
    """Return a member that is told what only those are told who have a token."""
    # It has as much time left as warn_s is, so that its bearer is warned at once.
    token = fresh_token(exp=time.time() + 30, rooms=["/closed/a"], actions=["subscribe"], sub="alice")
    alice = Listener(relay.join("/closed/a", JSON, f"Authorization: Bearer {token}"))
    alice.hear(type="expiring")
    alice.say(type="publish", text="may only listen", ref="c")
    alice.hear(type="error")
    return alice


def one_that_does_not_read(relay: Relay) -> Listener:
    """Return a member that others came to while it did not read."""
    writer = relay.join("/busy/a")
    slow = Listener(relay.join("/busy/a", JSON, receive_buffer_bytes=SMALL_BUFFER))
    sent = 0
    while not relay.template("busy").laggards:
        writer.say(numbered(sent))
        sent += 1
    [laggard] = relay.call(lambda: list(relay.server.hub.rooms["/busy/a"].laggards))
    assert isinstance(laggard, JsonMember)
    relay.join("/busy/a")
    relay.until(lambda: laggard._has_missed_news)
    slow.hear(type="present")
    return slow


def everything_told(relay: Relay) -> list[dict[str, Any]]:
    """Have a member told all that there is to be told, one way or another."""
    listener = Listener(relay.join("/rooms/a?since=aaaaaaaa:1", JSON))
    listener.hear(type="gap")
    raw = relay.join("/rooms/a")
    # Not before: the room might first hear of the listener alone, and of one who came and went not at all.
    listener.hear(type="joined", count=2)
    raw.say("hello")
    raw.wire.send(frame(BINARY, b"\x00\xff"))
    for said in ({"type": "publish", "text": "a", "ref": 1}, {"type": "shout", "ref": "b"}, {"type": "publish"}):
        listener.say(**said)
    late = Listener(relay.join("/rooms/a?history=2", JSON))
    late.hear(type="message")
    raw.close()
    listener.hear(type="left")
    others = [late, alice_in_a_closed_room(relay), one_that_does_not_read(relay)]
    relay.ask_to_stop()
    for each in (listener, *others):
        each.hear_the_end()
    return [told for each in (listener, *others) for told in each.told]


def test_everything_that_a_relay_says_is_as_the_schema_says(serve: Serve) -> None:
    told = everything_told(serve(KEEPING))

    for each in told:
        FROM_RELAY.validate(each)
        assert not undocumented(each), f"{each} has members that the schema does not name"
    assert {each["type"] for each in told} == types_from("fromRelay")
    assert {each["reason"] for each in told if each["type"] == "error"} == words("error", "reason") - {"rate"}
    assert any("present" in each for each in told)
    assert any(person.get("subject") == "alice" for each in told for person in each.get("present", []))
