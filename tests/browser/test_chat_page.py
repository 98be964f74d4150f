"""What the chat page makes of a connection that is refused, closed, or fed by strangers."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.standin import StandIn


def state(page: Page, words: str) -> None:
    expect(page.get_by_role("status")).to_have_text(words)


def opened(desk: BrowserContext, url: str) -> Page:
    page = desk.new_page()
    page.clock.install()
    page.goto(url)
    return page


def test_raw_text_is_shown_as_it_came(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/lobby"] = ['{"temperature_c": 21.5}']

    page = opened(desk, stand_in.url)

    expect(page.get_by_role("log")).to_contain_text('{"temperature_c": 21.5}')
    expect(page.get_by_role("log")).to_contain_text("no name")


@pytest.mark.parametrize("message", ["null", "[]", '{"name": 1, "text": "x"}', '{"name": "x"}', "{"])
def test_json_that_is_no_message_of_this_page_is_raw_text(
    desk: BrowserContext, stand_in: StandIn, message: str
) -> None:
    stand_in.answers["/rooms/lobby"] = [message]

    page = opened(desk, stand_in.url)

    expect(page.get_by_role("log").locator("p")).to_have_text(message)


def test_name_and_text_are_never_html(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/lobby"] = ['{"name": "<img src=x onerror=alert(1)>", "text": "<script>alert(2)</script>"}']
    page = desk.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))

    page.goto(stand_in.url)

    expect(page.get_by_role("log")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.get_by_role("log")).to_contain_text("<script>alert(2)</script>")
    expect(page.get_by_role("log").locator("img, script")).to_have_count(0)
    assert dialogs == []


def test_reason_of_the_relay_is_shown_and_its_time_to_return_is_kept(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/lobby"] = [(1012, "restart retry_after_ms=12000"), "welcome back"]

    page = opened(desk, stand_in.url)

    state(page, "closed 1012")
    expect(page.get_by_role("alert")).to_contain_text("restart retry_after_ms=12000")
    expect(page.get_by_text("Trying again in 12 s.")).to_be_visible()
    page.clock.fast_forward(12_000)
    state(page, "connected")
    expect(page.get_by_role("log")).to_contain_text("welcome back")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_page_that_is_told_not_to_come_back_stays_away_until_someone_asks(
    desk: BrowserContext, stand_in: StandIn
) -> None:
    stand_in.answers["/rooms/lobby"] = [(4403, "kicked"), "hello again"]

    page = opened(desk, stand_in.url)

    state(page, "closed 4403")
    page.clock.fast_forward(3_600_000)
    state(page, "closed 4403")
    assert stand_in.visits == ["/rooms/lobby"]
    page.get_by_role("button", name="Try now").click()
    state(page, "connected")


def test_page_comes_back_ever_later_while_it_is_closed_at_once(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/lobby"] = [(1011, "internal")]
    page = opened(desk, stand_in.url)

    # Half of the wait is drawn by chance, so each try is told at most: 1, 2, 4, 8 s.
    for longest_s in (1, 2, 4, 8):
        state(page, "closed 1011")
        told = page.get_by_text("Trying again in").inner_text()
        assert longest_s / 2 <= int(told.split()[-2]) <= longest_s
        with page.expect_websocket():
            page.clock.fast_forward(longest_s * 1000)


def test_room_is_taken_from_the_address_and_escaped_for_the_path(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/caf%C3%A9%20%27au%20lait%27"] = ["bonjour"]

    page = opened(desk, stand_in.url + "#caf%C3%A9 'au lait'")

    expect(page.get_by_role("log")).to_contain_text("bonjour")
    expect(page.get_by_label("Room", exact=True)).to_have_value("café 'au lait'")


@pytest.mark.parametrize("room", [".", "..", "a/b", "a\\b", "é" * 125])
def test_room_name_that_the_relay_would_refuse_is_not_tried(desk: BrowserContext, stand_in: StandIn, room: str) -> None:
    stand_in.answers["/rooms/lobby"] = ["hello"]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    page.get_by_label("Room", exact=True).fill(room)
    page.get_by_role("button", name="Join").click()

    assert page.get_by_label("Room", exact=True).evaluate("field => field.validationMessage") != ""
    assert stand_in.visits == ["/rooms/lobby"]


def test_another_room_is_another_connection_and_an_empty_page(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers = {"/rooms/lobby": ["in the lobby"], "/rooms/kitchen": ["in the kitchen"]}
    page = opened(desk, stand_in.url)
    expect(page.get_by_role("log")).to_contain_text("in the lobby")

    page.get_by_label("Room", exact=True).fill("kitchen")
    page.get_by_role("button", name="Join").click()

    expect(page.get_by_role("log")).to_contain_text("in the kitchen")
    expect(page.get_by_role("log")).not_to_contain_text("in the lobby")
    assert page.url == stand_in.url + "#kitchen"
    assert stand_in.visits == ["/rooms/lobby", "/rooms/kitchen"]


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_on_the_page_is_wider_than_the_window(desk: BrowserContext, stand_in: StandIn, width: int) -> None:
    stand_in.answers["/rooms/lobby"] = ["W" * 2000]
    page = desk.new_page()
    page.set_viewport_size({"width": width, "height": 740})

    page.goto(stand_in.url)

    expect(page.get_by_role("log").locator("p")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_every_field_has_a_name_for_those_who_cannot_see_it(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/lobby"] = ["hello"]

    page = opened(desk, stand_in.url)

    for name in ("Room", "Your name", "Message"):
        expect(page.get_by_role("textbox", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("log", name="Messages")).to_have_attribute("aria-live", "polite")
