"""The chat page of a real relay, whose connection breaks, and whose relay is restarted: what is missing afterwards?"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.test_two_tabs import tab, texts, write
from tests.cutting import ThreadedProxy, cutting_proxy
from tests.processes import RelayProcess, relay_process

CONFIG = """
[server]
demo = true
drain_s = 1

[[rooms]]
name = "rooms"
path = "/rooms/{room}"
history_messages = 500
messages_per_s = 1000
presence = true
presence_interval_s = 0.1

[[rooms]]
name = "forgetful"
path = "/rooms/forgetful"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "roomcast.toml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def relay(config: Path) -> Iterator[RelayProcess]:
    with relay_process(config=config) as process:
        yield process


@contextmanager
def two_desks(chromium: Browser) -> Iterator[tuple[BrowserContext, BrowserContext]]:
    """Two people's browsers, which share nothing."""
    desks = chromium.new_context(), chromium.new_context()
    for desk in desks:
        desk.set_default_timeout(10_000)
    try:
        yield desks
    finally:
        for desk in desks:
            desk.close()


def state(page: Page, words: str) -> None:
    expect(page.get_by_role("status")).to_have_text(words)


def break_off(page: Page, network: ThreadedProxy) -> None:
    """Cut the connection, until the page has noticed."""
    network.sever()
    state(page, "reconnecting")


def come_back(page: Page, network: ThreadedProxy) -> None:
    network.mend()
    page.evaluate("dispatchEvent(new Event('online'))")
    state(page, "connected")


def test_two_browsers_chat_and_a_cut_connection_misses_nothing(chromium: Browser, relay: RelayProcess) -> None:
    with two_desks(chromium) as (one, other), cutting_proxy(relay.address) as network:
        ada = tab(one, f"{network.url}/", "Ada")
        grace = tab(other, relay.chat_page, "Grace")
        write(ada, "from Ada")
        expect(texts(grace)).to_have_text(["from Ada"])

        break_off(ada, network)
        for number in range(20):
            write(grace, f"while you were away {number}")
        come_back(ada, network)

        away = [f"while you were away {number}" for number in range(20)]
        expect(texts(ada)).to_have_text(["from Ada", *away])
        expect(ada.get_by_text("Connected again.")).to_be_visible()
        expect(ada.locator(".gap")).to_have_count(0)
        write(ada, "here I am")
        expect(texts(grace)).to_have_text(["from Ada", *away, "here I am"])


def test_message_whose_acknowledgement_is_lost_is_neither_sent_twice_nor_shown_twice(
    chromium: Browser, relay: RelayProcess
) -> None:
    with two_desks(chromium) as (one, other), cutting_proxy(relay.address) as network:
        ada = tab(one, f"{network.url}/", "Ada")
        grace = tab(other, relay.chat_page, "Grace")

        network.deafen()
        write(ada, "did you get this?")
        expect(texts(grace)).to_have_text(["did you get this?"])
        expect(ada.locator(".pending")).to_have_count(1)
        break_off(ada, network)
        come_back(ada, network)

        expect(ada.locator(".pending, .failed")).to_have_count(0)
        expect(texts(ada)).to_have_text(["did you get this?"])
        expect(texts(grace)).to_have_text(["did you get this?"])


def test_room_that_keeps_nothing_says_that_something_is_missing(chromium: Browser, relay: RelayProcess) -> None:
    with two_desks(chromium) as (one, other), cutting_proxy(relay.address) as network:
        ada = tab(one, f"{network.url}/#forgetful", "Ada")
        grace = tab(other, relay.chat_page + "#forgetful", "Grace")

        break_off(ada, network)
        write(grace, "while you were away")
        expect(grace.locator(".pending")).to_have_count(0)
        come_back(ada, network)
        write(grace, "and now")

        expect(texts(ada)).to_have_text(["and now"])
        expect(ada.locator(".gap")).to_be_visible()


def test_restart_shows_a_new_epoch_and_loses_nothing_that_was_accepted(chromium: Browser, config: Path) -> None:
    with two_desks(chromium) as (one, other):
        with relay_process(config=config) as relay:
            port = relay.address[1]
            ada, grace = tab(one, relay.chat_page, "Ada"), tab(other, relay.chat_page, "Grace")
            first = ada.locator("#epoch").inner_text()

            # Says something every few milliseconds, until it is told to come back later.
            ada.evaluate(
                """() => {
                  let number = 0;
                  const say = () => {
                    if (document.getElementById("send").disabled) return;
                    document.getElementById("text").value = `number ${number++}`;
                    document.getElementById("write").requestSubmit();
                    setTimeout(say, 15);
                  };
                  say();
                }"""
            )
            expect(grace.get_by_text("number 20", exact=True)).to_be_visible()
            relay.send_signal(signal.SIGTERM)
            state(ada, "reconnecting")
            state(grace, "reconnecting")
            expect(grace.get_by_role("alert")).to_contain_text("restart")
            assert relay.exit_status() == 0

        with relay_process(f"server.port={port}", config=config):
            for page in (ada, grace):
                page.evaluate("dispatchEvent(new Event('online'))")
                state(page, "connected")
                expect(page.locator("#epoch")).not_to_have_text(first)
                expect(page.get_by_text("The relay was restarted")).to_be_visible()
            # What was not acknowledged says so; all else has arrived.
            expect(ada.locator(".pending")).to_have_count(0)
            accepted = ada.locator(".own:not(.failed) .text").all_inner_texts()
            assert len(accepted) > 20
            assert set(accepted) <= set(texts(grace).all_inner_texts())
            write(grace, "and on it goes")
            expect(texts(ada).last).to_have_text("and on it goes")


def test_newcomer_sees_what_was_said_before(chromium: Browser, relay: RelayProcess) -> None:
    with two_desks(chromium) as (one, other):
        ada = tab(one, relay.chat_page, "Ada")
        for number in range(3):
            write(ada, f"number {number}")
        expect(ada.locator(".pending")).to_have_count(0)

        grace = tab(other, relay.chat_page, "Grace")
        ada.reload()

        expect(texts(grace)).to_have_text(["number 0", "number 1", "number 2"])
        expect(grace.get_by_role("log").get_by_role("listitem").first).to_contain_text("Ada")
        # Who loads the page again knows its own.
        expect(texts(ada)).to_have_text(["number 0", "number 1", "number 2"])
        expect(ada.locator(".own")).to_have_count(3)


def test_who_is_here_is_shown_and_follows_who_comes_and_goes(chromium: Browser, relay: RelayProcess) -> None:
    with two_desks(chromium) as (one, other):
        ada = tab(one, relay.chat_page, "Ada")
        expect(ada.get_by_text("Here now: 1")).to_be_visible()
        here = ada.get_by_role("list", name="Members").get_by_role("listitem")
        expect(here).to_have_text(["You"])

        grace = tab(other, relay.chat_page, "Grace")
        expect(here).to_have_count(2)
        write(grace, "hello")
        expect(here).to_have_text(["You", "Grace"])
        grace.close()

        expect(here).to_have_text(["You"])
