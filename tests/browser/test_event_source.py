"""Event streams, as a real browser reads them: `EventSource`, and `fetch` with a header of its own."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, Page

from roomcast.relay.reasons import Reason
from roomcast.transport.sse import SseMember
from tests.running import Relay, Serve
from tests.transport.rooms import LOBBY, rooms
from tests.wire import BINARY, frame

STRANGERS_REFUSED = '[origins]\nmissing = "refuse"\n'

_OPEN = """url => {
    window.heard = [];
    window.source = new EventSource(url);
    for (const type of ["message", "binary", "gap", "goodbye"])
        source.addEventListener(type, event => heard.push([type, event.data, event.lastEventId]));
}"""


def page_of(desk: BrowserContext, relay: Relay, host: str = "127.0.0.1") -> Page:
    """Open a page of the relay's own that has no script and no policy, under one of this machine's names."""
    page = desk.new_page()
    page.goto(f"http://{host}:{relay.address[1]}/-/ready")
    return page


def room_of(relay: Relay) -> str:
    return f"http://127.0.0.1:{relay.address[1]}{LOBBY}"


def open_source(page: Page, relay: Relay) -> None:
    page.evaluate(_OPEN, room_of(relay))
    page.wait_for_function("source.readyState === EventSource.OPEN")


def heard(page: Page, count: int) -> Any:
    """Return the first events that the page has got, when there are so many."""
    page.wait_for_function("count => heard.length >= count", arg=count)
    return page.evaluate("heard")


def test_page_of_the_relays_own_hears_the_room(desk: BrowserContext, serve: Serve) -> None:
    # A browser sends no Origin here, and says in another header that the page is ours.
    relay = serve(STRANGERS_REFUSED)
    page, ada = page_of(desk, relay), relay.join(LOBBY, "Origin: http://relay.example")
    open_source(page, relay)
    epoch = relay.server.hub.epoch

    ada.say("one\r\n two")
    ada.wire.send(frame(BINARY, b"\x00\xff"))

    assert heard(page, 2) == [["message", "one\n two", f"{epoch}:1"], ["binary", "AP8=", f"{epoch}:2"]]
    page.close()


def test_browser_comes_back_by_itself_and_misses_nothing(desk: BrowserContext, serve: Serve) -> None:
    relay = serve(rooms(history_messages=10))
    page, ada = page_of(desk, relay), relay.join()
    open_source(page, relay)
    epoch = relay.server.hub.epoch

    def send_away() -> None:
        for member in relay.server.keep_alive:
            if isinstance(member, SseMember):
                member.dismiss(Reason.RESTART, retry_after_ms=100)

    relay.call(send_away)
    relay.until(lambda: relay.server.counters.disconnects["sse", "restart"] == 1)
    # It has heard no message yet, and knows all the same what to ask for.
    ada.say("while it was away")
    first, second = heard(page, 2)

    assert first[0] == "goodbye"
    assert second == ["message", "while it was away", f"{epoch}:1"]
    page.close()


def test_page_of_another_origin_hears_the_room_if_it_is_listed(desk: BrowserContext, serve: Serve) -> None:
    relay = serve('[origins]\nallow = ["http://localhost:*"]\n')
    page, ada = page_of(desk, relay, "localhost"), relay.join()
    open_source(page, relay)

    ada.say("hello")

    assert heard(page, 1)[0][:2] == ["message", "hello"]
    page.close()


def test_page_of_another_origin_hears_nothing_if_it_is_not(desk: BrowserContext, serve: Serve) -> None:
    relay = serve()
    page = page_of(desk, relay, "localhost")

    page.evaluate(_OPEN, room_of(relay))

    page.wait_for_function("source.readyState === EventSource.CLOSED")
    assert relay.counters.handshakes["sse", "origin"] == 1


def test_page_of_another_origin_may_add_a_token_if_it_is_listed(desk: BrowserContext, serve: Serve) -> None:
    relay = serve('[origins]\nallow = ["http://localhost:*"]\n')
    page = page_of(desk, relay, "localhost")

    status = page.evaluate(
        """async url => {
            const headers = {Accept: "text/event-stream", Authorization: "Bearer a.b.c", "Last-Event-ID": "k7c2m9qa:1"};
            const answer = await fetch(url, {headers});
            const {value} = await answer.body.getReader().read();
            return [answer.status, new TextDecoder().decode(value).split("\\n")[0]];
        }""",
        room_of(relay),
    )

    assert status == [200, "retry: 2000"]
    assert relay.counters.handshakes["sse", "preflight"] == 1
    page.close()


def test_page_that_does_not_want_to_read_the_answer_holds_no_stream_open(desk: BrowserContext, serve: Serve) -> None:
    relay = serve('[origins]\nallow = ["*"]\n')
    page = page_of(desk, relay, "localhost")

    page.evaluate(
        'url => fetch(url, {mode: "no-cors", headers: {Accept: "text/event-stream"}}).then(() => null)', room_of(relay)
    )

    # It names no Origin, and would pass for a program.
    assert relay.counters.handshakes["sse", "origin"] == 1
    assert relay.counters.handshakes["sse", "accepted"] == 0
