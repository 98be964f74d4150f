"""The chat page in a room that wants a token: without one, with one, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_two_tabs import write
from tests.processes import relay_process
from tests.tokens import SECRET, fresh_token

CONFIG = f"""
[server]
demo = true
drain_s = 0

[tokens]
secret = "{SECRET}"
warn_s = 0

[[rooms]]
name = "rooms"
path = "/rooms/{{room}}"
access = "token"
history_messages = 10
presence = true
"""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "roomcast.toml"
    file.write_text(CONFIG)
    with relay_process(config=file) as process:
        yield process.chat_page


def show(page: Page, shown: str) -> None:
    """Give the page a token, as somebody would paste it."""
    if not page.get_by_label("Token").is_visible():
        page.get_by_text("The room wants a token").click()
    page.get_by_label("Token").fill(shown)
    page.get_by_label("Token").press("Enter")


def state(page: Page, words: str) -> None:
    expect(page.get_by_role("status")).to_have_text(words)


def test_page_without_a_token_is_kept_out_until_it_has_one(desk: BrowserContext, relay: str) -> None:
    page = desk.new_page()
    page.goto(relay)
    state(page, "reconnecting")
    expect(page.get_by_role("alert")).to_contain_text("The browser hides why")

    show(page, fresh_token(sub="alice"))

    state(page, "connected")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_others_see_the_name_that_a_token_gives(desk: BrowserContext, relay: str) -> None:
    alice, bob = desk.new_page(), desk.new_page()
    for page, name in ((alice, "alice"), (bob, "bob")):
        page.goto(relay)
        show(page, fresh_token(sub=name))
        state(page, "connected")

    write(alice, "hello")

    expect(bob.get_by_role("log").get_by_role("listitem")).to_contain_text(["alice"])
    expect(bob.get_by_role("list", name="Members").get_by_role("listitem")).to_have_text(["alice", "You"])


def test_page_stays_away_when_its_token_has_ended_and_comes_back_with_another(desk: BrowserContext, relay: str) -> None:
    page = desk.new_page()
    page.goto(relay)
    show(page, fresh_token(sub="alice", exp=time.time() + 2))
    state(page, "connected")

    state(page, "closed")

    expect(page.get_by_role("alert")).to_contain_text("token_expired")
    show(page, fresh_token(sub="alice"))
    state(page, "connected")
