"""A room in a terminal: curl reads it as an event stream, without knowing what one is."""

from __future__ import annotations

import subprocess

from roomcast.relay.reasons import Reason
from tests.running import Serve
from tests.wire import HANG_S
from tests.witnesses.witness import url


def test_curl_prints_a_room_and_ends_with_it(serve: Serve) -> None:
    relay = serve()
    ada, address = relay.join(), url(relay).replace("ws:", "http:")
    command = ["curl", "--silent", "--show-error", "--no-buffer", "--header", "Accept: text/event-stream", address]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        beginning = [curl.stdout.readline() for _ in range(3)]
        ada.say("hello,\nterminal")
        said = [curl.stdout.readline() for _ in range(4)]

        def say_goodbye() -> None:
            for member in relay.server.keep_alive:
                member.dismiss(Reason.RESTART, retry_after_ms=1200)

        relay.call(say_goodbye)
        rest = curl.stdout.read()
        # It had what it was promised: an answer without a length ends with its connection.
        assert curl.wait(HANG_S) == 0

    epoch = relay.server.hub.epoch
    assert beginning == ["retry: 2000\n", f"id: {epoch}:0\n", "\n"]
    assert said == [f"id: {epoch}:1\n", "data: hello,\n", "data: terminal\n", "\n"]
    assert rest.startswith("event: goodbye\nretry: 1200\ndata: {")
