"""Four clients of the years in which browsers spoke hixie-76, each in a room with clients of today.

None of them was written to pass here. They are a WebKit of 2011, the last version of a Python
library that spoke this dialect, and two that still do, in Perl and in Java.
"""

from __future__ import annotations

import pytest

from tests.running import Serve
from tests.wire import BINARY, TEXT, frame
from tests.witnesses.witness import DEFLATE, HIXIE76, Join

each_client = pytest.mark.parametrize("name", HIXIE76)

# websocket-client sends an Origin that is none, "127.0.0.1:8080", and only the star lets that in.
ANY_ORIGIN = '[origins]\nallow = ["*"]\n'


@each_client
def test_text_goes_both_ways_between_the_years(serve: Serve, join: Join, name: str) -> None:
    # Compressed for the one and not for the other.
    relay = serve(ANY_ORIGIN + DEFLATE)
    old, new = join(name, relay), join("websockets", relay)

    for text in ("hello", "Aé€𝄞", "x" * 126):
        old.do(f"text {text}")
        assert new.hear() == f"text {text}"
        new.do(f"text {text}")
        assert old.hear() == f"text {text}"


@each_client
def test_two_of_a_kind_hear_each_other(serve: Serve, join: Join, name: str) -> None:
    relay = serve(ANY_ORIGIN)
    ada, bob = join(name, relay), join(name, relay)

    ada.do("text are you there?")
    assert bob.hear() == "text are you there?"

    bob.do("text I am")
    assert ada.hear() == "text I am"


@pytest.mark.parametrize("name", [name for name, client in HIXIE76.items() if client.takes_pieces])
def test_longest_message_goes_both_ways(serve: Serve, join: Join, name: str) -> None:
    relay = serve(ANY_ORIGIN)
    old, new = join(name, relay), join("websockets", relay)
    text = "0123456789abcdef" * 4096

    old.do(f"text {text}")
    assert new.hear() == f"text {text}"

    new.do(f"text {text}")
    assert old.hear() == f"text {text}"


@each_client
def test_binary_message_is_left_out_and_nothing_else(serve: Serve, join: Join, name: str) -> None:
    relay = serve(ANY_ORIGIN)
    old, ada = join(name, relay), relay.join()

    ada.wire.send(frame(TEXT, b"before") + frame(BINARY, b"\x00\xff") + frame(TEXT, b"behind"))

    assert [old.hear(), old.hear()] == ["text before", "text behind"]


@each_client
def test_fragments_arrive_as_one_message(serve: Serve, join: Join, name: str) -> None:
    relay = serve(ANY_ORIGIN)
    old, new = join(name, relay), join("websockets", relay)

    new.do("fragments in |three| frames")

    assert old.hear() == "text in three frames"


@each_client
def test_its_goodbye_ends_it_and_nobody_else(serve: Serve, join: Join, name: str) -> None:
    relay = serve(ANY_ORIGIN)
    old, ada, bob = join(name, relay), relay.join(), relay.join()

    old.do("close")

    assert old.hear() == "closed"
    relay.diary.wait_for("left", dialect="hixie76", reason="peer" if HIXIE76[name].says_goodbye else "gone")
    ada.say("who is left?")
    assert bob.hear() == "who is left?"


@each_client
def test_restart_is_heard_in_both_dialects(serve: Serve, join: Join, name: str) -> None:
    relay = serve(ANY_ORIGIN + "[server]\ndrain_s = 1\n")
    old, new = join(name, relay), join("websockets", relay)

    relay.ask_to_stop()

    assert old.hear() == "closed"
    assert new.hear().startswith("closed 1012 restart ")
    relay.wait_for_end()


@each_client
def test_refusal_is_understood(serve: Serve, join: Join, name: str) -> None:
    assert join(name, serve(ANY_ORIGIN), "/nothing").opening.startswith("refused")
