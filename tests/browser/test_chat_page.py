"""What the chat page makes of what it hears: strangers' messages, goodbyes, gaps, and who is here."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.contrast import AA, worst_contrast
from tests.browser.standin import EPOCH, Said, StandIn, Step, ack, goodbye, message, unheard, welcome

LOBBY = "/rooms/lobby"


def state(page: Page, words: str) -> None:
    expect(page.get_by_role("status")).to_have_text(words)


def opened(desk: BrowserContext, url: str) -> Page:
    page = desk.new_page()
    page.clock.install()
    page.goto(url)
    return page


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def named(name: str, text: str) -> str:
    """Return a message as the page writes it."""
    return json.dumps({"name": name, "text": text})


def test_raw_text_is_shown_as_it_came(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(), message(1, '{"temperature_c": 21.5}')]]

    page = opened(desk, stand_in.url)

    expect(log(page)).to_contain_text('{"temperature_c": 21.5}')
    expect(log(page)).to_contain_text("no name")


@pytest.mark.parametrize("text", ["null", "[]", '{"name": 1, "text": "x"}', '{"name": "x"}', "{"])
def test_json_that_is_no_message_of_this_page_is_raw_text(desk: BrowserContext, stand_in: StandIn, text: str) -> None:
    stand_in.answers[LOBBY] = [[welcome(), message(1, text)]]

    page = opened(desk, stand_in.url)

    expect(log(page).locator("p")).to_have_text(text)


def test_binary_message_is_named_by_its_size(desk: BrowserContext, stand_in: StandIn) -> None:
    said = message(1, "") | {"base64": "AAEC"}
    del said["text"]
    stand_in.answers[LOBBY] = [[welcome(), said]]

    page = opened(desk, stand_in.url)

    expect(log(page)).to_contain_text("binary message, 3 bytes")


def test_name_and_text_are_never_html(desk: BrowserContext, stand_in: StandIn) -> None:
    evil = named("<img src=x onerror=alert(1)>", "<script>alert(2)</script>")
    member = {"id": f"{EPOCH}.7", "subject": "<b>bold</b>"}
    stand_in.answers[LOBBY] = [
        [welcome(present=[member]), message(1, evil), goodbye("<i>kicked</i>", 4403, None), (4403, "")]
    ]
    page = desk.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))

    page.goto(stand_in.url)

    expect(log(page)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(log(page)).to_contain_text("<script>alert(2)</script>")
    expect(page.get_by_role("list", name="Members")).to_contain_text("<b>bold</b>")
    expect(page.get_by_role("alert")).to_contain_text("<i>kicked</i>")
    expect(page.locator("body img, .log script, li b, [role=alert] i")).to_have_count(0)
    assert dialogs == []


def test_greeting_of_the_room_is_shown_to_a_newcomer_once(desk: BrowserContext, stand_in: StandIn) -> None:
    greeted = welcome(greeting="Do you read me?")
    stand_in.answers[LOBBY] = [[greeted, (1011, "")], [greeted, message(1, "hello")]]

    # It comes back within a second, which is too soon to be sure to see it away.
    page = opened(desk, stand_in.url)

    expect(log(page).get_by_role("listitem")).to_contain_text(["Do you read me?", "Connected again.", "hello"])


# --- what is sent


def test_message_is_pale_until_the_relay_has_it(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(), unheard, ack(1)]]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    write(page, "first")
    write(page, "second")

    # The stand-in acknowledges the second only.
    expect(log(page).get_by_role("listitem").nth(1)).not_to_have_class(re.compile("pending"))
    expect(log(page).get_by_role("listitem").first).to_have_class(re.compile("pending"))
    assert [json.loads(said["text"])["text"] for said in stand_in.visits[0].heard] == ["first", "second"]


@pytest.mark.parametrize(
    ("reason", "words"), [("rate", "too much in too short a time"), ("forbidden", "only read"), ("new", "as told")]
)
def test_message_that_the_relay_refuses_says_why_and_can_be_sent_again(
    desk: BrowserContext, stand_in: StandIn, reason: str, words: str
) -> None:
    def refuse(said: Said) -> Said:
        return {"type": "error", "ref": said["ref"], "reason": reason, "detail": "as told"}

    stand_in.answers[LOBBY] = [[welcome(), refuse, ack(1)]]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    write(page, "hello")

    expect(log(page)).to_contain_text(words)
    page.get_by_role("button", name="Send again").click()
    expect(log(page).get_by_role("listitem")).to_have_count(1)
    expect(log(page).get_by_role("listitem")).to_have_class("own")
    assert [json.loads(said["text"])["text"] for said in stand_in.visits[0].heard] == ["hello", "hello"]


@pytest.mark.parametrize("is_first", [True, False])
def test_own_message_is_shown_once_where_the_room_echoes(
    desk: BrowserContext, stand_in: StandIn, is_first: bool
) -> None:
    def echo(said: Said) -> Said:
        return message(1, said["text"], sender=f"{EPOCH}.1")

    steps: list[Step] = [echo]
    if not is_first:
        steps = [ack(1), message(1, "hello", sender=f"{EPOCH}.1")]
    stand_in.answers[LOBBY] = [[welcome(), *steps, message(2, "next")]]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    write(page, "hello")

    expect(log(page).locator("p")).to_have_text(["hello", "next"])
    expect(log(page).get_by_role("listitem").first).to_have_class("own")


def test_page_that_is_loaded_again_knows_its_own_messages(desk: BrowserContext, stand_in: StandIn) -> None:
    old = message(1, named("Ada", "it was me"), sender=f"{EPOCH}.1")
    stand_in.answers[LOBBY] = [[welcome(number=1)], [welcome(head=1, number=2), old]]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    page.reload()

    expect(log(page).get_by_role("listitem")).to_contain_text(["You"])
    assert stand_in.visits[1].query == {"history": "50", "gap": "ok"}


# --- ends, and what follows them


def test_reason_of_the_relay_is_shown_and_its_time_to_return_is_kept(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [
        [welcome(), goodbye("restart", 1012, 12_000), (1012, "restart retry_after_ms=12000 id=k7c2m9qa.41")],
        [welcome(epoch="nextone2"), message(1, "welcome back")],
    ]

    page = opened(desk, stand_in.url)

    state(page, "reconnecting")
    expect(page.get_by_role("alert")).to_contain_text(f"restart (1012). It knows it as {EPOCH}.41")
    expect(page.get_by_text("Trying again in 12 s.")).to_be_visible()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    page.clock.run_for(5_000)
    expect(page.get_by_text("Trying again in 7 s.")).to_be_visible()
    page.clock.run_for(7_000)
    state(page, "connected")
    expect(log(page)).to_contain_text("Connected again. The relay was restarted: epoch nextone2.")
    expect(page.get_by_text("epoch nextone2", exact=True)).to_be_visible()
    expect(log(page)).to_contain_text("welcome back")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_page_that_is_told_not_to_come_back_stays_away_until_someone_asks(
    desk: BrowserContext, stand_in: StandIn
) -> None:
    stand_in.answers[LOBBY] = [[welcome(), goodbye("kicked", 4403, None), (4403, "kicked")], [welcome()]]

    page = opened(desk, stand_in.url)

    state(page, "closed")
    page.clock.fast_forward(3_600_000)
    state(page, "closed")
    expect(page.get_by_role("alert")).to_contain_text("kicked (4403)")
    assert stand_in.paths == [LOBBY]
    page.get_by_role("button", name="Try now").click()
    state(page, "connected")


def test_refused_page_is_told_where_to_ask_why(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[(1011, "")]]
    page = desk.new_page()
    # What a refused handshake looks like to a page: a connection that closes with 1006.
    page.route_web_socket(re.compile(LOBBY), lambda route: route.close(code=1006))

    page.goto(stand_in.url)

    expect(page.get_by_text(f"curl -i -H 'Origin: {stand_in.url[:-1]}' {stand_in.url[:-1]}{LOBBY}")).to_be_visible()


GAPS: dict[str, Callable[[Page], Locator]] = {
    "offset": lambda page: log(page).get_by_text("messages are missing here"),
    "lagging": lambda page: log(page).get_by_text("too slow"),
    "epoch": lambda page: log(page).get_by_text("before it was restarted"),
    "time": lambda page: log(page).get_by_text("so long ago"),
    "tomorrow": lambda page: log(page).get_by_text("Messages are missing here."),
}


@pytest.mark.parametrize("reason", GAPS)
def test_gap_is_shown_where_it_is(desk: BrowserContext, stand_in: StandIn, reason: str) -> None:
    gap = {"type": "gap", "reason": reason, "offset": 8}
    stand_in.answers[LOBBY] = [[welcome(), message(1, "before"), gap, message(9, "after")]]

    page = opened(desk, stand_in.url)

    expect(GAPS[reason](page)).to_be_visible()
    expect(log(page).get_by_role("listitem")).to_have_text([re.compile("before"), re.compile("."), re.compile("after")])


# --- who is here


def test_who_is_here_is_listed_by_the_best_name_there_is(desk: BrowserContext, stand_in: StandIn) -> None:
    present = [{"id": f"{EPOCH}.{number}", "subject": None} for number in (1, 2, 3)]
    present[2]["subject"] = "alice"
    joined = {"type": "joined", "members": [{"id": f"{EPOCH}.4", "subject": None}], "count": 4}
    left = {"type": "left", "members": [{"id": f"{EPOCH}.3", "subject": "alice"}], "count": 3}
    stand_in.answers[LOBBY] = [
        [
            welcome(present=present, members=3),
            unheard,
            joined,
            unheard,
            left,
            message(1, named("Grace", "hi"), sender=f"{EPOCH}.2"),
        ]
    ]
    page = opened(desk, stand_in.url)
    members = page.get_by_role("list", name="Members").get_by_role("listitem")

    expect(members).to_have_text(["You", "Guest 2", "alice"])
    expect(page.get_by_text("Here now: 3")).to_be_visible()
    write(page, "now somebody joins")
    expect(members).to_have_text(["You", "Guest 2", "alice", "Guest 4"])
    write(page, "now somebody leaves, and somebody speaks")
    expect(members).to_have_text(["You", "Grace", "Guest 4"])


def test_of_a_large_room_not_everybody_is_listed(desk: BrowserContext, stand_in: StandIn) -> None:
    present = [{"id": f"{EPOCH}.{number}", "subject": None} for number in range(1, 101)]
    stand_in.answers[LOBBY] = [[welcome(present=present, members=2_000, more=1_900)]]

    page = opened(desk, stand_in.url)

    expect(page.get_by_text("Here now: 2000")).to_be_visible()
    expect(page.get_by_role("list", name="Members").get_by_role("listitem").last).to_have_text("and 1900 more")


def test_room_that_does_not_tell_who_is_in_it_shows_no_list(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(), message(1, "hello")]]

    page = opened(desk, stand_in.url)

    expect(log(page)).to_contain_text("hello")
    expect(page.get_by_text("Here now")).to_be_hidden()


# --- rooms


def test_room_is_taken_from_the_address_and_escaped_for_the_path(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers["/rooms/caf%C3%A9%20%27au%20lait%27"] = [[welcome(), message(1, "bonjour")]]

    page = opened(desk, stand_in.url + "#caf%C3%A9 'au lait'")

    expect(log(page)).to_contain_text("bonjour")
    expect(page.get_by_label("Room", exact=True)).to_have_value("café 'au lait'")


@pytest.mark.parametrize("room", [".", "..", "a/b", "a\\b", "é" * 125])
def test_room_name_that_the_relay_would_refuse_is_not_tried(desk: BrowserContext, stand_in: StandIn, room: str) -> None:
    stand_in.answers[LOBBY] = [[welcome()]]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    page.get_by_label("Room", exact=True).fill(room)
    page.get_by_role("button", name="Join").first.click()

    assert page.get_by_label("Room", exact=True).evaluate("field => field.validationMessage") != ""
    assert stand_in.paths == [LOBBY]


def test_another_room_is_another_connection_and_an_empty_page(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers = {
        LOBBY: [[welcome(), message(1, "in the lobby")]],
        "/rooms/kitchen": [[welcome(), message(1, "in the kitchen")]],
    }
    page = opened(desk, stand_in.url)
    expect(log(page)).to_contain_text("in the lobby")

    page.get_by_label("Room", exact=True).fill("kitchen")
    page.get_by_role("button", name="Join").first.click()

    expect(log(page)).to_contain_text("in the kitchen")
    expect(log(page)).not_to_contain_text("in the lobby")
    assert page.url == stand_in.url + "#kitchen"
    assert stand_in.paths == [LOBBY, "/rooms/kitchen"]


def test_token_is_sent_as_a_subprotocol(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome()]]
    page = opened(desk, stand_in.url)
    state(page, "connected")

    page.get_by_text("The room wants a token").click()
    page.get_by_label("Token").fill("abc.def.ghi")
    with page.expect_websocket():
        page.get_by_label("Token").press("Enter")

    state(page, "connected")
    assert [visit.protocols for visit in stand_in.visits] == [
        ["roomcast.json"],
        ["roomcast.json", "bearer.abc.def.ghi"],
    ]


# --- for everybody


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_on_the_page_is_wider_than_the_window(desk: BrowserContext, stand_in: StandIn, width: int) -> None:
    present = [{"id": f"{EPOCH}.2", "subject": "W" * 200}]
    gap = {"type": "gap", "reason": "lagging", "offset": 8}
    wide = named("W" * 200, "W" * 2_000)
    stand_in.answers[LOBBY] = [
        [welcome(present=present), message(1, wide), gap, goodbye("W" * 200, 4403, None), (4403, "")]
    ]
    page = desk.new_page()
    page.set_viewport_size({"width": width, "height": 740})

    page.goto(stand_in.url)

    expect(page.get_by_role("alert")).to_be_visible()
    if width < 900:
        page.get_by_text("Here now").click()
    expect(page.get_by_role("list", name="Members")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_every_field_has_a_name_for_those_who_cannot_see_it(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome()]]

    page = opened(desk, stand_in.url)

    for name in ("Room", "Your name", "Message"):
        expect(page.get_by_role("textbox", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("log", name="Messages")).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_on_the_page_can_be_read(desk: BrowserContext, stand_in: StandIn, scheme: str) -> None:
    def refuse(said: Said) -> Said:
        return {"type": "error", "ref": said["ref"], "reason": "rate", "detail": "slower"}

    gap = {"type": "gap", "reason": "lagging", "offset": 8}
    said = [message(1, named("Ada", "hello")), message(2, "raw"), gap]
    last: list[Step] = [ack(9), refuse, goodbye("kicked", 4403, None), (4403, "")]
    stand_in.answers[LOBBY] = [[welcome(present=[{"id": f"{EPOCH}.2", "subject": "alice"}]), *said, *last]]
    page = desk.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(stand_in.url)
    state(page, "connected")

    write(page, "one that is accepted")
    write(page, "one that is not")

    expect(page.get_by_role("alert")).to_be_visible()
    ratio, text = worst_contrast(page)
    assert ratio >= AA, text
