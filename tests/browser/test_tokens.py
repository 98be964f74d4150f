"""What only a browser can say of tokens: that a page enters with one, and what it is told when that ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.processes import relay_process
from tests.tokens import SECRET, fresh_token

CLOSED = 'rooms=[{"name": "rooms", "path": "/rooms/{room}", "access": "token", "echo": true}]'

# Resolves with what becomes of a WebSocket: the subprotocol and an echo, or the code and reason of its end.
OPENED = """([subprotocols, wait]) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/rooms/lobby`, subprotocols);
    socket.onopen = () => wait || socket.send("hello");
    socket.onmessage = (event) => resolve([socket.protocol, event.data]);
    socket.onclose = (event) => resolve([event.code, event.reason]);
})"""
STREAMED = """() => new Promise((resolve) => {
    const source = new EventSource("/rooms/lobby");
    source.onopen = () => resolve("open");
    source.onerror = () => resolve("closed");
})"""


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    """A relay whose rooms ask for tokens, and the page that it serves."""
    options = ("server.demo=true", "server.drain_s=0", "tokens.cookie=session")
    with relay_process(CLOSED, f"tokens.secret={SECRET}", *options) as process:
        yield process.chat_page


@pytest.fixture
def page(desk: BrowserContext, chat: str) -> Page:
    opened = desk.new_page()
    opened.goto(chat)
    return opened


def test_page_enters_with_a_token_among_its_subprotocols(page: Page) -> None:
    assert page.evaluate(OPENED, [["roomcast.raw", f"bearer.{fresh_token()}"], False]) == ["roomcast.raw", "hello"]
    assert page.evaluate(OPENED, [[f"bearer.{fresh_token()}", "roomcast.raw"], False]) == ["roomcast.raw", "hello"]


def test_page_without_a_good_token_is_refused(page: Page) -> None:
    # Which is all that a browser tells a page about an answer that is no 101.
    for subprotocols in ([], ["roomcast.raw", "bearer.a.b.c"], [f"bearer.{fresh_token()}"]):
        assert page.evaluate(OPENED, [subprotocols, False]) == [1006, ""]


def test_page_is_told_that_its_token_has_ended(page: Page) -> None:
    subprotocols = ["roomcast.raw", f"bearer.{fresh_token(exp=time.time() + 1)}"]

    code, reason = page.evaluate(OPENED, [subprotocols, True])
    assert (code, reason.partition(" id=")[0]) == (4401, "token_expired")


def test_page_enters_with_a_cookie_and_so_does_its_event_stream(page: Page, desk: BrowserContext, chat: str) -> None:
    assert page.evaluate(STREAMED) == "closed"

    desk.add_cookies([{"name": "session", "value": fresh_token(), "url": chat, "httpOnly": True}])

    assert page.evaluate(OPENED, [[], False]) == ["", "hello"]
    assert page.evaluate(STREAMED) == "open"
