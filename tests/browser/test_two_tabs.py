"""Two browser tabs, one relay: what a newcomer tries first."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.processes import relay_process


@contextmanager
def chat_page(*assignments: str) -> Iterator[str]:
    """Serve with the chat page on, and these ``--set`` options; yield the page's address."""
    with relay_process("server.demo=true", "server.drain_s=0", *assignments) as process:
        yield process.chat_page


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    with chat_page() as url:
        yield url


def tab(desk: BrowserContext, url: str, name: str) -> Page:
    page = desk.new_page()
    page.goto(url)
    page.get_by_label("Your name").fill(name)
    expect(page.get_by_role("status")).to_have_text("connected")
    return page


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def texts(page: Page) -> Locator:
    """All messages on the page, without what it says about them."""
    return page.get_by_role("log").locator("p.text")


def test_tabs_in_a_room_see_each_others_messages(desk: BrowserContext, relay: str) -> None:
    ada, grace = tab(desk, relay, "Ada"), tab(desk, relay, "Grace")

    write(ada, "hello from the first")
    expect(grace.get_by_role("listitem")).to_contain_text(["hello from the first"])
    write(grace, "and from the second")
    expect(ada.get_by_role("listitem")).to_contain_text(["hello from the first", "and from the second"])

    # One's own message is there once, and is marked as one's own.
    expect(ada.get_by_role("listitem").first).to_contain_text("You")
    expect(grace.get_by_role("listitem").first).to_contain_text("Ada")
    expect(grace.get_by_role("listitem")).to_have_count(2)


def test_tabs_in_different_rooms_do_not(desk: BrowserContext, relay: str) -> None:
    kitchen, cellar = tab(desk, relay + "#kitchen", "Ada"), tab(desk, relay + "#cellar", "Grace")
    witness = tab(desk, relay + "#kitchen", "Edsger")

    write(cellar, "for the cellar")
    write(kitchen, "for the kitchen")

    expect(witness.get_by_role("listitem")).to_contain_text(["for the kitchen"])


def test_name_and_text_that_look_like_html_arrive_as_text(desk: BrowserContext, relay: str) -> None:
    stranger, reader = tab(desk, relay + "#html", "<i>Mallory</i>"), tab(desk, relay + "#html", "Ada")

    write(stranger, "<img src=x onerror=alert(1)>")

    expect(reader.get_by_role("listitem")).to_contain_text(["<i>Mallory</i>"])
    expect(reader.get_by_role("listitem")).to_contain_text(["<img src=x onerror=alert(1)>"])
    expect(reader.get_by_role("log").locator("i, img")).to_have_count(0)


def test_page_breaks_no_rule_of_its_own_policy(desk: BrowserContext, relay: str) -> None:
    page = desk.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(relay)

    expect(page.get_by_role("status")).to_have_text("connected")
    assert complaints == []


def test_refused_page_says_what_to_try_in_a_terminal(desk: BrowserContext) -> None:
    with chat_page("origins.same_origin=false", "origins.allow=https://app.example.com") as relay:
        page = desk.new_page()

        page.goto(relay)

        expect(page.get_by_role("status")).to_have_text("reconnecting")
        expect(page.get_by_role("alert")).to_contain_text("The browser hides why")
        origin = relay.rstrip("/")
        expect(page.get_by_text(f"curl -i -H 'Origin: {origin}' {origin}/rooms/lobby")).to_be_visible()


def test_page_is_connected_again_after_the_relay_was_away(desk: BrowserContext) -> None:
    page = desk.new_page()
    page.clock.install()
    with chat_page() as relay:
        page.goto(relay)
        expect(page.get_by_role("status")).to_have_text("connected")
        port = relay.rstrip("/").rpartition(":")[2]
    expect(page.get_by_role("status")).to_have_text("reconnecting")

    with chat_page(f"server.port={port}"):
        page.clock.fast_forward(60_000)

        expect(page.get_by_role("status")).to_have_text("connected")
