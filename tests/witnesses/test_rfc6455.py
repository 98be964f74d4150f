"""Four clients that other people wrote: what they take for RFC 6455 has to be what we take for it."""

from __future__ import annotations

import pytest

from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import LARGE, LOBBY, numbered, rooms
from tests.wire import BINARY, PONG, Frame, Rfc6455Client, frame
from tests.witnesses.witness import DEFLATE, RFC6455, Join, Witness

each_client = pytest.mark.parametrize("name", RFC6455)

MIB = 1 << 20
LAG_MAX_BYTES = 8 * LARGE


@each_client
def test_text_goes_both_ways(serve: Serve, join: Join, name: str) -> None:
    relay = serve(rooms())
    witness, ada = join(name, relay), relay.join()

    for text in ("hello", "", "Aé€𝄞", "x" * 126):
        witness.do(f"text {text}")
        assert ada.hear() == text
        ada.say(text)
        assert witness.hear() == f"text {text}"


@each_client
def test_binary_goes_both_ways(serve: Serve, join: Join, name: str) -> None:
    relay = serve(rooms())
    witness, ada = join(name, relay), relay.join()

    witness.do("bytes 00ff80")
    assert ada.read_frame() == Frame(BINARY, b"\x00\xff\x80")

    ada.wire.send(frame(BINARY, b"\x00\xff\x80"))
    assert witness.hear() == "bytes 00ff80"


@each_client
def test_message_of_a_mebibyte_goes_both_ways(serve: Serve, join: Join, name: str) -> None:
    relay = serve(rooms(message_max_bytes=MIB))
    witness, ada = join(name, relay), relay.join()
    text = "0123456789abcdef" * (MIB // 16)

    witness.do(f"text {text}")
    assert ada.hear() == text

    ada.say(text)
    assert witness.hear() == f"text {text}"


@pytest.mark.parametrize("name", [name for name, client in RFC6455.items() if client.may_fragment])
def test_fragments_reach_the_room_as_one_message(serve: Serve, join: Join, name: str) -> None:
    relay = serve(rooms(echo=True))
    witness, ada = join(name, relay), relay.join()

    witness.do("fragments in |three| frames")

    assert ada.hear() == "in three frames"
    assert witness.hear() == "text in three frames"


@each_client
def test_ping_has_its_pong(serve: Serve, join: Join, name: str) -> None:
    witness = join(name, serve())

    witness.do("ping there?")

    assert witness.hear() == "pong there?"


@each_client
def test_our_ping_has_its_pong(serve: Serve, join: Join, name: str) -> None:
    relay = serve("[limits]\nping_interval_s = 0.3\npong_timeout_s = 0\n" + rooms())
    witness = join(name, relay)

    witness.do("hear")
    relay.until(lambda: relay.server.counters.frames_received["rfc6455"][PONG] >= 2)

    relay.join().say("enough")
    assert witness.read() == "text enough"


@each_client
@pytest.mark.parametrize(("offered", "taken"), [([], ""), (["chat"], "chat"), (["chat.v2", "chat.v1"], "chat.v2")])
def test_first_subprotocol_is_taken(serve: Serve, join: Join, name: str, offered: list[str], taken: str) -> None:
    assert join(name, serve(), LOBBY, *offered).opening == f"open {taken}"


@each_client
def test_its_goodbye_is_answered_with_its_own_code(serve: Serve, join: Join, name: str) -> None:
    relay = serve()
    witness = join(name, relay)

    witness.do("close 3001 enough")

    # aiohttp keeps of an answer to its goodbye the code alone.
    assert witness.hear() in {"closed 3001 peer", "closed 3001"}
    relay.diary.wait_for("left", reason="peer")


@each_client
def test_message_too_long_is_answered_with_1009(serve: Serve, join: Join, name: str) -> None:
    relay = serve(rooms(message_max_bytes=10))
    witness, ada = join(name, relay), relay.join()

    witness.do("text 0123456789")
    witness.do("text 0123456789a")

    assert ada.hear() == "0123456789"
    assert witness.hear().startswith("closed 1009 too_big id=")


@each_client
def test_one_message_too_many_is_answered_with_1008(serve: Serve, join: Join, name: str) -> None:
    witness = join(name, serve(rooms(messages_per_s=1, echo=True)))

    for text in ("one", "two", "three"):
        witness.do(f"text {text}")

    assert [witness.hear() for _ in range(2)] == ["text one", "text two"]
    assert witness.hear().startswith("closed 1008 rate limit=messages_per_s id=")


@OVER_TLS_TOO
@pytest.mark.usefixtures("trusted")
@each_client
def test_restart_is_heard_as_1012_with_when_to_come_back(serve: Serve, join: Join, name: str) -> None:
    relay = serve("[server]\ndrain_s = 20")
    witness = join(name, relay)

    relay.ask_to_stop()

    assert witness.hear().startswith("closed 1012 restart retry_after_ms=")
    relay.wait_for_end()


@OVER_TLS_TOO
@pytest.mark.usefixtures("trusted")
@each_client
def test_member_that_fell_too_far_behind_hears_1013_after_what_had_been_sent(
    serve: Serve, join: Join, name: str
) -> None:
    # Long enough that it has not been cut off when it begins to read.
    relay = serve("[limits]\nclose_timeout_s = 60\n" + rooms(lag_max_bytes=LAG_MAX_BYTES))
    witness, ada = join(name, relay), relay.join()

    sent = fall_behind(relay, ada)

    heard = 0
    while (line := witness.hear()).startswith("text "):
        assert line == f"text {numbered(heard)}"
        heard += 1
    assert line.startswith("closed 1013 lagging id=")
    assert 0 < heard < sent


def fall_behind(relay: Relay, publisher: Rfc6455Client) -> int:
    """Publish until somebody who reads nothing is further behind than it may be; return how many messages."""
    sent = 0
    while not relay.counters.limit_hits["lag_max_bytes", "closed"]:
        publisher.say(numbered(sent))
        sent += 1
    return sent


@each_client
@pytest.mark.parametrize(
    ("settings", "path", "status"),
    [("", "/nothing", 404), ("", "/rooms/", 400), ('[origins]\nmissing = "refuse"', LOBBY, 403)],
)
def test_refusal_is_understood(serve: Serve, join: Join, name: str, settings: str, path: str, status: int) -> None:
    assert join(name, serve(settings), path).opening == f"refused {status}"


@OVER_TLS_TOO
@pytest.mark.usefixtures("trusted")
@each_client
def test_conversation_is_the_same_when_it_is_compressed(serve: Serve, join: Join, name: str) -> None:
    relay = serve(DEFLATE + rooms(message_max_bytes=MIB))
    witness, ada = join(name, relay), relay.join()

    converse(witness, ada, may_fragment=RFC6455[name].may_fragment)

    assert relay.counters.deflated_messages > 0
    # Of the two who sent a mebibyte, one has compressed it.
    assert MIB < relay.counters.received_bytes < 2 * MIB


def converse(witness: Witness, ada: Rfc6455Client, *, may_fragment: bool) -> None:
    """Say and hear one of each kind, in both directions where there are two, and then goodbye."""
    for text in ("hello", "", "Aé€𝄞", "0123456789abcdef" * (MIB // 16)):
        witness.do(f"text {text}")
        assert ada.hear() == text
        ada.say(text)
        assert witness.hear() == f"text {text}"

    witness.do("bytes 00ff80")
    assert ada.read_frame() == Frame(BINARY, b"\x00\xff\x80")
    ada.wire.send(frame(BINARY, b"\x00\xff\x80"))
    assert witness.hear() == "bytes 00ff80"

    if may_fragment:
        witness.do("fragments in |three| frames")
        assert ada.hear() == "in three frames"

    witness.do("ping there?")
    assert witness.hear() == "pong there?"
    witness.do("close 3001 enough")
    assert witness.hear() in {"closed 3001 peer", "closed 3001"}
