"""What all members have in common: how they come, and that nothing is left of them when they have gone."""

from __future__ import annotations

import pytest

from tests.running import OVER_TLS_TOO, Serve
from tests.transport.rooms import BOTH_DIALECTS, LOBBY, Join, ended
from tests.wire import PING, PONG, Rfc6455Client, frame

pytestmark = OVER_TLS_TOO


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_peer_that_never_answers_a_goodbye_is_not_waited_for(serve: Serve, join: Join) -> None:
    relay = serve("[server]\ndrain_s = 60\n[limits]\nclose_timeout_s = 0.1")
    ada = join(relay)

    relay.ask_to_stop()

    assert ada.read_goodbye().code in (1012, None)
    assert ada.wire.read_to_end() == b""
    relay.wait_for_end()


def test_peer_that_never_ends_its_side_is_not_waited_for(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()

    ada.say_goodbye()
    ada.read_goodbye()
    assert ada.wire.read_to_end() == b""

    # It could have sent on; nobody would have read it.
    ended(relay, "peer")


@pytest.mark.parametrize("join", BOTH_DIALECTS)
@pytest.mark.parametrize("how", ["close", "reset", "shut"])
def test_member_whose_connection_ends_without_a_goodbye_is_gone(serve: Serve, join: Join, how: str) -> None:
    relay = serve()
    ada, bob = join(relay), relay.join()

    {"close": ada.close, "reset": ada.wire.reset, "shut": ada.wire.shut}[how]()

    ended(relay, "gone", "rfc6455" if isinstance(ada, Rfc6455Client) else "hixie76")
    assert relay.template().members == 1
    bob.say("nobody hears this")
    bob.wire.send(frame(PING))
    assert bob.read_frame() == (PONG, b"")


def test_room_is_forgotten_with_its_last_member(serve: Serve) -> None:
    relay = serve()
    ada, bob = relay.join(), relay.join_hixie76()
    assert relay.template().rooms == 1

    ada.close()
    relay.until(lambda: relay.server.hub.templates["rooms"].members == 1)
    assert relay.template().rooms == 1
    bob.close()

    relay.until(lambda: not relay.server.hub.rooms)
    assert relay.template().rooms == 0


def test_join_and_leave_are_one_line_each(serve: Serve) -> None:
    relay = serve()

    relay.join(LOBBY + "?token=1").close()

    assert relay.diary.wait_for("left")["lasted_s"] >= 0
    joined, left = relay.diary.read()
    ours = {"level": "info", "room": LOBBY, "dialect": "rfc6455", "address": "127.0.0.1"}
    assert joined == joined | ours | {"event": "joined", "members": 1}
    assert left == left | ours | {"event": "left", "reason": "gone"}
