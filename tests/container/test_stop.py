"""What ``docker stop`` does to those who are connected."""

import time
from typing import Final

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.container.conftest import LOCKED_UP
from tests.container.engine import docker, running

DRAIN_S: Final = 3.0
# What the engine itself takes to signal, reap and report.
ENGINE_S: Final = 2.0


def test_stop_says_goodbye_to_every_member_within_the_drain_and_exits_with_0(image: str) -> None:
    with running(image, *LOCKED_UP, "--env", f"ROOMCAST_SERVER__DRAIN_S={DRAIN_S}") as relay:
        relay.wait_until_healthy()
        room = f"ws://{relay.address(8080)}/rooms/lobby"

        with connect(room) as one, connect(room) as other:
            started_s = time.monotonic()
            docker("stop", "--time", "60", relay.id)
            took_s = time.monotonic() - started_s

            for member in (one, other):
                with pytest.raises(ConnectionClosed, match=r"1012 .*restart retry_after_ms=\d+"):
                    member.recv(timeout=1)

        assert relay.inspect("State.ExitCode") == 0
        assert took_s < DRAIN_S + ENGINE_S
