"""What one is told that speaks ``roomcast.json``, and in which order."""

from __future__ import annotations

import gc
import json
from base64 import b64encode
from typing import Any

import pytest

from roomcast.transport.json_member import JsonMember
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import SMALL_BUFFER, numbered, rooms
from tests.wire import BINARY, CLOSE, TEXT, Hixie76Client, Rfc6455Client, frame

LOBBY = "/rooms/lobby"
JSON = "Sec-WebSocket-Protocol: roomcast.json"
KEEPING = '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\nhistory_messages = 10\n'
TELLING = '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\npresence = true\npresence_interval_s = 0.1\n'
ECHOING = '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\necho = true\n'


class JsonClient:
    """A member that speaks the subprotocol, in either dialect."""

    def __init__(self, client: Rfc6455Client | Hixie76Client) -> None:
        self.client = client
        self.welcome = self.hear()

    def hear(self) -> dict[str, Any]:
        """Return the next object."""
        return dict(json.loads(self.client.hear()))

    def say(self, **said: Any) -> None:
        self.client.say(json.dumps(said))

    def publish(self, text: str, **said: Any) -> None:
        self.say(type="publish", text=text, **said)

    @property
    def position(self) -> str:
        """Where it is, if it has heard nothing since its welcome."""
        return f"{self.welcome['epoch']}:{self.welcome['offset']}"


def join(relay: Relay, path: str = LOBBY) -> JsonClient:
    return JsonClient(relay.join(path, JSON))


def join_hixie76(relay: Relay, path: str = LOBBY) -> JsonClient:
    return JsonClient(relay.join_hixie76(path, JSON))


@OVER_TLS_TOO
def test_newcomer_is_told_who_it_is_where_it_begins_and_how_many_are_there(serve: Serve) -> None:
    relay = serve()
    relay.join()

    welcome = join(relay).welcome

    epoch = relay.call(lambda: relay.server.hub.epoch)
    assert welcome == {
        "type": "welcome",
        "id": f"{epoch}.2",
        "epoch": epoch,
        "offset": 0,
        "head": 0,
        "members": 2,
    }


def test_greeting_of_the_template_is_in_the_welcome(serve: Serve) -> None:
    relay = serve('[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\ngreeting = "hello"\n')

    assert join(relay).welcome["greeting"] == "hello"


@OVER_TLS_TOO
@pytest.mark.parametrize("enter", [join, join_hixie76])
def test_message_says_where_it_stands_and_who_sent_it(serve: Serve, enter: Any) -> None:
    relay = serve()
    reader, writer = enter(relay), relay.join()

    writer.say('naïve "quotes" and \x7f')

    heard = reader.hear()
    assert heard.pop("time_ms") > 1_700_000_000_000
    assert heard == {
        "type": "message",
        "offset": 1,
        "from": f"{reader.welcome['epoch']}.2",
        "text": 'naïve "quotes" and \x7f',
    }


@pytest.mark.parametrize("enter", [join, join_hixie76])
def test_binary_message_comes_as_base64_in_both_dialects(serve: Serve, enter: Any) -> None:
    relay = serve()
    reader, writer = enter(relay), relay.join()

    writer.wire.send(frame(BINARY, b"\x00\xff"))

    assert reader.hear()["base64"] == b64encode(b"\x00\xff").decode()


@OVER_TLS_TOO
@pytest.mark.parametrize("enter", [join, join_hixie76])
def test_what_it_publishes_is_heard_raw_and_answered_with_its_offset(serve: Serve, enter: Any) -> None:
    relay = serve()
    reader = relay.join()
    writer = enter(relay)

    writer.publish("hello", ref="a1")

    assert reader.hear() == "hello"
    assert writer.hear() == {"type": "ack", "ref": "a1", "offset": 1}


@OVER_TLS_TOO
def test_what_cannot_be_answered_is_not_published(serve: Serve) -> None:
    relay = serve()
    reader, writer = relay.join(), join(relay)

    writer.client.say('{"type":"publish","text":"unheard","ref":"\\ud800"}')
    writer.client.wire.send(frame(BINARY, b'{"type":"publish","text":"unheard","ref":1}'))
    writer.publish("hello", ref="a1")

    answers = [writer.hear() for _ in range(3)]
    assert [(answer["type"], answer["ref"]) for answer in answers] == [("error", None), ("error", None), ("ack", "a1")]
    assert [answer["detail"] for answer in answers[:2]] == ["ref holds half of a surrogate pair", "a frame is a text"]
    assert reader.hear() == "hello"


def test_binary_publication_is_heard_as_a_binary_message(serve: Serve) -> None:
    relay = serve()
    reader, writer = relay.join(), join(relay)

    writer.say(type="publish", base64="AP8=")

    assert reader.read_frame() == (BINARY, b"\x00\xff")


def test_publication_without_ref_is_not_answered(serve: Serve) -> None:
    writer = join(serve())

    writer.publish("one")
    writer.publish("two", ref=2)

    assert writer.hear() == {"type": "ack", "ref": 2, "offset": 2}


def test_answers_to_what_came_at_once_leave_at_once_and_before_the_goodbye(serve: Serve) -> None:
    writer = join(serve())
    said = [frame(TEXT, json.dumps({"type": "publish", "text": "x", "ref": ref}).encode()) for ref in range(3)]

    assert isinstance(writer.client, Rfc6455Client)
    writer.client.wire.send(b"".join(said) + frame(CLOSE, b"\x03\xe8"))

    assert [writer.hear()["ref"] for _ in range(3)] == [0, 1, 2]
    assert writer.client.read_goodbye() == (1000, "peer")


def test_sender_hears_itself_where_the_room_echoes_beside_the_answer(serve: Serve) -> None:
    writer = join(serve(ECHOING))

    writer.publish("hello", ref=1)

    heard = [writer.hear(), writer.hear()]
    assert sorted(one["type"] for one in heard) == ["ack", "message"]
    assert {one["offset"] for one in heard} == {1}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("no json", "malformed"),
        ("[1]", "malformed"),
        ('{"type":"publish"}', "malformed"),
        ('{"type":"subscribe"}', "unknown_type"),
    ],
)
def test_what_cannot_be_read_is_answered_with_the_rule_and_published_to_nobody(
    serve: Serve, said: str, reason: str
) -> None:
    relay = serve()
    reader, writer = relay.join(), join(relay)

    writer.client.say(said)
    answer = writer.hear()
    writer.publish("after it")

    assert (answer["type"], answer["ref"], answer["reason"]) == ("error", None, reason)
    assert said not in answer["detail"]
    assert reader.hear() == "after it"


def test_what_cannot_be_read_counts_for_the_rate_of_messages(serve: Serve) -> None:
    writer = join(serve("[limits]\nmessages_per_s = 1\n"))

    for _ in range(3):
        writer.client.say("no json")

    assert [writer.hear()["type"] for _ in range(3)] == ["error", "error", "goodbye"]
    assert isinstance(writer.client, Rfc6455Client)
    assert writer.client.read_goodbye() == (1008, "rate limit=messages_per_s")


def test_publication_beyond_the_rate_is_answered_where_its_sender_may_stay(serve: Serve) -> None:
    rooms = '[limits]\nmessages_per_s = 1\n[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\nover_rate = "drop"\n'
    writer = join(serve(rooms))

    for ref in range(3):
        writer.publish("hello", ref=ref)

    assert [writer.hear()["type"] for _ in range(3)] == ["ack", "ack", "error"]


def test_goodbye_says_why_and_when_to_come_back(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 5\n")
    reader = join(relay)

    relay.ask_to_stop()

    goodbye = reader.hear()
    assert goodbye.pop("reconnect_after_ms") > 0
    assert goodbye == {"type": "goodbye", "reason": "restart", "code": 1012, "id": reader.welcome["id"]}
    assert isinstance(reader.client, Rfc6455Client)
    assert reader.client.read_goodbye().code == 1012
    reader.client.say_goodbye(1012)


def test_one_that_comes_back_gets_what_it_missed_and_what_comes(serve: Serve) -> None:
    relay = serve(KEEPING)
    writer, reader = relay.join(), join(relay)
    reader.client.close()
    for text in ("one", "two"):
        writer.say(text)

    again = join(relay, f"{LOBBY}?since={reader.position}")
    writer.say("three")

    assert (again.welcome["offset"], again.welcome["head"]) in [(0, 0), (0, 1), (0, 2)]
    assert [again.hear()["text"] for _ in range(3)] == ["one", "two", "three"]


@pytest.mark.parametrize(("since", "reason"), [("aaaaaaaa:0", "epoch"), ("{epoch}:0", "offset"), ("3600s", "time")])
def test_gap_is_told_and_then_it_goes_on(serve: Serve, since: str, reason: str) -> None:
    relay = serve(KEEPING)
    reader, writer = join(relay), relay.join()
    for number in range(12):
        writer.say(str(number))
        reader.hear()

    again = join(relay, f"{LOBBY}?history=2&since={since.format(epoch=reader.welcome['epoch'])}")

    assert again.welcome["offset"] == 10
    assert again.hear() == {"type": "gap", "reason": reason, "offset": 10}
    assert [again.hear()["text"] for _ in range(2)] == ["10", "11"]


def test_newcomer_is_told_who_is_there_and_the_others_that_it_came_and_went(serve: Serve) -> None:
    relay = serve(TELLING)
    early = join(relay)
    assert early.hear() == {"type": "joined", "members": [{"id": early.welcome["id"]}], "count": 1}

    late = join(relay)
    came = early.hear()
    late.client.close()
    went = early.hear()

    assert late.welcome["present"] == [{"id": early.welcome["id"]}, {"id": late.welcome["id"]}]
    assert came == {"type": "joined", "members": [{"id": late.welcome["id"]}], "count": 2}
    assert went == {"type": "left", "members": [{"id": late.welcome["id"]}], "count": 1}


def test_raw_members_are_spoken_of_and_told_nothing(serve: Serve) -> None:
    relay = serve(TELLING)
    raw = relay.join()
    reader = join(relay)
    assert len(reader.welcome["present"]) == 2
    assert reader.hear()["type"] == "joined"

    reader.publish("hello")

    assert raw.hear() == "hello"


def test_one_that_did_not_read_while_others_came_and_went_is_told_who_is_there(serve: Serve) -> None:
    relay = serve(rooms(presence=True, presence_interval_s=0.1))
    publisher = relay.join()
    slow = JsonClient(relay.join(LOBBY, JSON, receive_buffer_bytes=SMALL_BUFFER))
    sent = 0
    while not relay.template().laggards:
        publisher.say(numbered(sent))
        sent += 1

    (laggard,) = relay.call(lambda: list(relay.server.hub.rooms[LOBBY].laggards))
    assert isinstance(laggard, JsonMember)
    crowd = [relay.join() for _ in range(5)]
    relay.until(lambda: laggard._has_missed_news)
    for one in crowd:
        one.close()
    relay.until(lambda: relay.server.hub.rooms[LOBBY].member_count == 2)
    told = [slow.hear()]
    while told[-1]["type"] != "present":
        told.append(slow.hear())

    assert {one["id"] for one in told[-1]["members"]} == {slow.welcome["id"], f"{slow.welcome['epoch']}.1"}
    assert told[-1]["count"] == 2


def test_one_that_publishes_and_reads_no_answers_has_to_go(serve: Serve) -> None:
    relay = serve("[limits]\nmessages_per_s = 0\nbytes_per_s = 0\nwrite_timeout_s = 0.5\nsend_buffer_bytes = 4096\n")
    writer = JsonClient(relay.join(LOBBY, JSON, receive_buffer_bytes=4096))
    assert isinstance(writer.client, Rfc6455Client)
    said = frame(TEXT, json.dumps({"type": "publish", "text": "", "ref": "x" * 64}).encode())

    with relay.noticing(lambda: bool(relay.server.counters.disconnects["rfc6455", "lagging"])):
        for _ in range(200):
            try:
                writer.client.wire.send(said * 100)
            except OSError:
                break


@OVER_TLS_TOO
def test_history_remembers_the_names_of_its_authors_and_not_their_connections(serve: Serve) -> None:
    relay = serve(rooms(history_messages=10))
    author = join(relay)
    hub = relay.server.hub
    author.publish("kept", ref=1)
    author.hear()

    author.client.close()
    relay.until(lambda: not hub.rooms[LOBBY].member_count)
    [said] = relay.call(lambda: hub.rooms[LOBBY].log.after(0, 5))
    assert said.sender is not None
    assert (said.sender.id, said.sender.subject) == (author.welcome["id"], None)
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, JsonMember) and one.author is said.sender] == []
