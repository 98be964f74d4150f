"""What tests of rooms over real sockets share: a template in one line, and messages large enough to stall a reader."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.running import Relay
from tests.wire import Client, Rfc6455Client

LOBBY = "/rooms/lobby"

Join = Callable[[Relay], Client]
BOTH_DIALECTS: list[Join] = [Relay.join, Relay.join_hixie76]

LARGE = 16_384
"""Characters of a large message."""
SMALL_BUFFER = 4096
"""What a client that stalls lets its kernel hold."""


def rooms(**keys: object) -> str:
    """Return the one template ``/rooms/{room}`` as TOML: without limits of the rate, and with these keys."""
    ours = {"name": "rooms", "path": "/rooms/{room}", "messages_per_s": 0, "bytes_per_s": 0}
    return "[[rooms]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in (ours | keys).items())


def numbered(number: int) -> str:
    """Return a large message that says which one it is."""
    return f"{number:08}".ljust(LARGE, ".")


def number_of(text: str) -> int:
    assert len(text) == LARGE
    return int(text[:8])


def stall(relay: Relay, publisher: Client) -> tuple[Rfc6455Client, int]:
    """Let somebody in who reads nothing, and publish until it is a laggard; return it, and how many it is owed."""
    stalled = relay.join(receive_buffer_bytes=SMALL_BUFFER)
    sent, laggards = 0, relay.template().laggards
    while relay.template().laggards == laggards:
        assert sent < 1000, "the kernel takes everything"
        publisher.say(numbered(sent))
        sent += 1
    return stalled, sent


def ended(relay: Relay, reason: str, dialect: str = "rfc6455") -> None:
    """Wait until a member has ended for this reason, and check that the metrics and the log say so."""
    relay.until(lambda: relay.server.counters.disconnects[dialect, reason] == 1)
    assert relay.diary.wait_for("left", reason=reason, dialect=dialect)["room"] == LOBBY
