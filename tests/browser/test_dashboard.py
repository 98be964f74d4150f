"""The dashboard of a relay in a process of its own: its numbers, its key, and what it does when the relay is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Literal

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.api.calls import KEY
from tests.browser.contrast import AA, worst_contrast
from tests.processes import RelayProcess, relay_process
from tests.running import ask, metric
from tests.wire import connect, get, rfc6455_head, shake_hands_rfc6455

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


@pytest.fixture
def relay() -> Iterator[RelayProcess]:
    with relay_process("server.drain_s=0", "limits.ping_interval_s=0") as process:
        yield process


def dashboard_of(relay: RelayProcess) -> str:
    host, port = relay.private_address
    return f"http://{host}:{port}/"


def opened(desk: BrowserContext, relay: RelayProcess) -> Page:
    page = desk.new_page()
    page.goto(dashboard_of(relay))
    expect(page.get_by_role("status")).to_have_text("live")
    return page


def row(page: Page, table: str, name: str) -> Locator:
    """Return one row of a table, by the table's title and its first cell."""
    section = page.locator("section").filter(has=page.get_by_role("heading", name=table))
    return section.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))


def test_numbers_equal_the_metrics(desk: BrowserContext, relay: RelayProcess) -> None:
    with ExitStack() as clients:
        members = []
        for path in ("/rooms/lobby", "/rooms/lobby", "/rooms/lobby", "/rooms/kitchen"):
            wire = clients.enter_context(connect(relay.address))
            members.append(shake_hands_rfc6455(wire, path))
        for number in range(7):
            members[0].say(f"hello {number}")
            members[1].hear(), members[2].hear()
        for _ in range(3):
            ask(relay.address, rfc6455_head("/rooms/lobby", "Origin: https://evil.example"))
        ask(relay.address, get("/nothing"))
        clients.enter_context(connect(relay.address)).close()
        leaver = shake_hands_rfc6455(clients.enter_context(connect(relay.address)), "/rooms/lobby")
        leaver.say_goodbye()
        leaver.read_goodbye()

        page = opened(desk, relay)

        expect(row(page, "Templates", "rooms").get_by_role("cell")).to_have_text(
            ["2", "4", "0", "0", "0", "7", "14", "0"]
        )
        expect(page.locator("#tile-members")).to_have_text("4")
        expect(page.locator("#tile-rooms")).to_have_text("2")
        expect(row(page, "Rooms", "/rooms/lobby").get_by_role("cell").first).to_have_text("3")
        expect(row(page, "Refused origins", "https://evil.example").get_by_role("cell")).to_have_text("3")
        for name, shown in (
            ('roomcast_members{template="rooms"}', "4"),
            ('roomcast_rooms{template="rooms"}', "2"),
            ('roomcast_laggards{template="rooms"}', "0"),
            ('roomcast_messages_received_total{kind="text",template="rooms"}', "7"),
            ('roomcast_messages_delivered_total{template="rooms"}', "14"),
        ):
            assert metric(relay.private_address, name) == float(shown)
        for table, family, words in (
            ("Handshakes", 'roomcast_handshakes_total{{dialect="rfc6455",outcome="{}"}}', ("accepted", "origin")),
            ("Handshakes", 'roomcast_handshakes_total{{dialect="none",outcome="{}"}}', ("not_found",)),
            ("Closes", 'roomcast_disconnects_total{{dialect="rfc6455",reason="{}"}}', ("peer",)),
        ):
            for word in words:
                value = metric(relay.private_address, family.format(word))
                expect(row(page, table, word).get_by_role("cell")).to_have_text(f"{value:.0f}")


def test_origins_that_a_shadow_would_refuse_have_a_table_as_soon_as_there_is_one(desk: BrowserContext) -> None:
    lists = ("origins.allow=*", "origins.shadow=https://new.example")
    with relay_process("server.drain_s=0", "limits.ping_interval_s=0", *lists) as relay, connect(relay.address) as wire:
        page = opened(desk, relay)
        expect(page.get_by_role("heading", name="Shadow")).to_be_hidden()

        shake_hands_rfc6455(wire, "/rooms/lobby", "Origin: https://old.example")

        expect(row(page, "Shadow", "https://old.example").get_by_role("cell")).to_have_text("1")
        expect(row(page, "Refused origins", "none")).to_be_visible()


def test_busiest_rooms_have_a_table_where_they_are_counted(desk: BrowserContext, relay: RelayProcess) -> None:
    expect(opened(desk, relay).get_by_role("heading", name="Busiest rooms")).to_be_hidden()

    with relay_process("server.drain_s=0", "limits.ping_interval_s=0", "admin.busiest_rooms=1") as counting:
        page = opened(desk, counting)
        with connect(counting.address) as one, connect(counting.address) as other:
            ada, bob = shake_hands_rfc6455(one, "/rooms/a"), shake_hands_rfc6455(other, "/rooms/b")
            for _ in range(3):
                ada.say("hello")
            bob.say("hello")

            expect(row(page, "Busiest rooms", "/rooms/a").get_by_role("cell")).not_to_have_text("0")
            expect(row(page, "Busiest rooms", "all others").get_by_role("cell")).not_to_have_text("0")


def test_rates_are_those_of_what_is_said_meanwhile(desk: BrowserContext, relay: RelayProcess) -> None:
    with connect(relay.address) as one, connect(relay.address) as other:
        ada, bob = shake_hands_rfc6455(one, "/rooms/lobby"), shake_hands_rfc6455(other, "/rooms/lobby")
        page = opened(desk, relay)
        rate = page.locator("#tile-in")
        expect(rate).to_have_text("0")

        for _ in range(5):
            ada.say("hello")
            bob.hear()

        expect(rate).not_to_have_text("0")
        expect(row(page, "Templates", "rooms").get_by_role("cell").nth(5)).to_have_text("5")


def test_page_shows_that_the_relay_is_away_and_comes_back(desk: BrowserContext) -> None:
    page = desk.new_page()
    with relay_process("server.drain_s=0") as relay:
        port = relay.private_address[1]
        page.goto(dashboard_of(relay))
        expect(page.get_by_role("status")).to_have_text("live")
        first = page.locator("#epoch").inner_text()
    expect(page.get_by_role("status")).to_have_text("reconnecting")
    expect(page.get_by_role("alert")).to_contain_text("The relay is away")

    with relay_process("server.drain_s=0", f"admin.port={port}"):
        page.evaluate("dispatchEvent(new Event('online'))")

        expect(page.get_by_role("status")).to_have_text("live")
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#epoch")).not_to_have_text(first)


def test_page_asks_for_the_key_and_keeps_it_for_its_tab(desk: BrowserContext) -> None:
    with relay_process(f"admin.api_key={KEY}", "server.drain_s=0") as relay:
        page = desk.new_page()
        page.goto(dashboard_of(relay))
        expect(page.get_by_role("status")).to_have_text("refused")
        expect(page.get_by_role("alert")).to_contain_text("401: a key is wanted")

        for key in ("f" * 32, KEY):
            page.get_by_label("Key").fill(key)
            page.get_by_role("button", name="Show").click()
            if key != KEY:
                expect(page.get_by_role("alert")).to_contain_text("this key is not one of ours")

        expect(page.get_by_role("status")).to_have_text("live")
        expect(page.get_by_role("alert")).to_be_hidden()
        page.reload()
        expect(page.get_by_role("status")).to_have_text("live")
        stranger = desk.new_page()
        stranger.goto(dashboard_of(relay))
        expect(stranger.get_by_role("status")).to_have_text("refused")


def test_names_that_strangers_chose_are_text(desk: BrowserContext, relay: RelayProcess) -> None:
    with connect(relay.address) as wire:
        shake_hands_rfc6455(wire, "/rooms/%3Cimg%20src=x%20onerror=alert(1)%3E")

        page = opened(desk, relay)

        expect(row(page, "Rooms", "/rooms/<img src=x onerror=alert(1)>")).to_be_visible()
        expect(page.locator("img")).to_have_count(0)


def test_page_breaks_no_rule_of_its_own_policy(desk: BrowserContext, relay: RelayProcess) -> None:
    page = desk.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(dashboard_of(relay))

    expect(page.get_by_role("status")).to_have_text("live")
    expect(page.locator("#tile-members")).to_have_text("0")
    assert complaints == []


def test_page_fits_its_window_and_can_be_read(desk: BrowserContext, relay: RelayProcess) -> None:
    with connect(relay.address) as wire:
        shake_hands_rfc6455(wire, "/rooms/" + "W" * 200)
        ask(relay.address, rfc6455_head("/rooms/lobby", f"Origin: https://{'w' * 60}.{'w' * 60}.example"))
        page = opened(desk, relay)
        expect(row(page, "Rooms", "/rooms/" + "W" * 200)).to_be_visible()

        for width in (360, 1600):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                ratio, text = worst_contrast(page)
                assert ratio >= AA, (width, scheme, text)
