"""roomcast.js, in a page that does nothing else: when it comes back, from where, and what it gives to whom."""

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.standin import EPOCH, Said, StandIn, Step, ack, goodbye, message, unheard, welcome
from tests.wire import HANG_S

LOBBY = "/rooms/lobby"

# Joins, and writes down everything that it is told, in order.
JOIN = """(options) => {
  globalThis.told = [];
  const tell = (name) => (...details) => told.push([name, ...details]);
  const tokens = options.tokens;
  globalThis.room = Roomcast.join("/rooms/lobby", {
    ...options,
    ...(tokens && { token: () => (tokens.length > 1 ? tokens.shift() : tokens[0]) }),
    onState: tell("state"), onWelcome: tell("welcome"), onGap: tell("gap"), onError: tell("error"),
    onPresence: tell("presence"),
    onMessage: (message) => tell("message")({ ...message, data: String(message.data) }),
  });
}"""
# How a message ended: its offset, or the reason why it was not sent.
SEND = "(data) => { globalThis.sent = room.send(data).then((offset) => offset, ({ reason }) => reason); }"


def joined(desk: BrowserContext, stand_in: StandIn, dice: float = 0.5, **options: Any) -> Page:
    """Join from a page whose clock stands still, and whose dice always fall the same."""
    page = still(desk, stand_in)
    page.evaluate(f"Math.random = () => {dice}")
    page.evaluate(JOIN, options)
    return page


def still(desk: BrowserContext, stand_in: StandIn) -> Page:
    """Open a page that has the client, and a clock that only the test moves."""
    page = desk.new_page()
    page.clock.install(time=0)
    page.goto(stand_in.url + "blank")
    page.clock.pause_at(3_600_000)
    return page


def told(page: Page, *names: str, until: str) -> list[list[Any]]:
    """Return what it was told under these names, once the condition holds."""
    page.wait_for_function(f"() => {until}")
    return [entry for entry in page.evaluate("told") if entry[0] in names]


def messages(page: Page, count: int) -> list[str]:
    until = f"told.filter(([name]) => name === 'message').length >= {count}"
    return [detail["data"] for _, detail in told(page, "message", until=until)]


def is_state(state: str) -> str:
    return f"room.state === '{state}'"


def wait_s(page: Page) -> float:
    """Return how long it waits now until it comes back."""
    waiting = told(page, "state", until=is_state("waiting"))[-1]
    return float(waiting[2]["delay_ms"]) / 1_000


def come_back(page: Page) -> None:
    with page.expect_websocket():
        page.clock.run_for(int(wait_s(page) * 1_000) + 1)


# --- when it comes back


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_waits_are_drawn_between_nothing_and_a_longest_that_doubles_up_to_half_a_minute(
    desk: BrowserContext, stand_in: StandIn, dice: float
) -> None:
    stand_in.answers[LOBBY] = [[(1011, "internal")]]
    page = joined(desk, stand_in, dice)

    for longest_s in (1, 2, 4, 8, 16, 30, 30):
        assert wait_s(page) == pytest.approx(dice * longest_s)
        come_back(page)


def test_waits_begin_anew_after_a_connection_that_lasted(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[(1011, "")], [(1011, "")], [welcome(), unheard, (1011, "")], [(1011, "")]]
    page = joined(desk, stand_in)
    come_back(page)
    assert wait_s(page) == 1.0
    come_back(page)
    told(page, until=is_state("open"))

    page.clock.run_for(5_001)
    page.evaluate(SEND, "and now it is closed")

    assert wait_s(page) == 0.5


@pytest.mark.parametrize(
    ("steps", "expected_s"),
    [
        # No sooner, and hardly later: it is a place of its own, among all who come back.
        ([welcome(), goodbye("restart", 1012, 12_000), (1012, "restart")], 12.05),
        ([welcome(), (1012, "restart retry_after_ms=7000 id=k7c2m9qa.41")], 7.05),
        # No place that is worth anything: what is drawn is more, and comes on top.
        ([welcome(), goodbye("restart", 1012, 300), (1012, "restart")], 0.8),
        # Never for days.
        ([welcome(), goodbye("restart", 1012, 10**9), (1012, "restart")], 3600.05),
    ],
)
def test_comes_back_when_it_was_told(
    desk: BrowserContext, stand_in: StandIn, steps: Sequence[Step], expected_s: float
) -> None:
    stand_in.answers[LOBBY] = [steps, [welcome()]]

    page = joined(desk, stand_in)

    assert wait_s(page) == pytest.approx(expected_s)
    come_back(page)
    told(page, until=is_state("open"))


def test_relay_that_is_not_there_at_the_time_that_it_told_is_waited_for_longer_each_time(
    desk: BrowserContext, stand_in: StandIn
) -> None:
    stand_in.answers[LOBBY] = [[welcome(), (1012, "restart retry_after_ms=7000")], [(1011, "")], [(1011, "")]]
    page = joined(desk, stand_in)

    for expected_s in (7.05, 1.0, 2.0):
        assert wait_s(page) == pytest.approx(expected_s)
        come_back(page)


def test_places_that_are_given_over_and_over_are_not_worth_much(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(), (1012, "restart retry_after_ms=2000")]]
    page = joined(desk, stand_in)

    for expected_s in (2.05, 2.05, 4.0, 6.0):
        assert wait_s(page) == pytest.approx(expected_s)
        come_back(page)


@pytest.mark.parametrize(
    "steps",
    [
        [welcome(), goodbye("kicked", 4403, None), (4403, "kicked")],
        [welcome(), (4404, "room_closed")],
        [(4499, "")],
        [welcome(), goodbye("tomorrow", 3000, None), (3000, "")],
    ],
)
def test_stays_away_when_it_is_told_not_to_come_back_unchanged(
    desk: BrowserContext, stand_in: StandIn, steps: Sequence[Step]
) -> None:
    stand_in.answers[LOBBY] = [steps, [welcome()]]
    page = joined(desk, stand_in)
    told(page, until=is_state("ended"))

    page.clock.fast_forward(3_600_000)
    page.evaluate("dispatchEvent(new Event('online'))")

    assert page.evaluate("room.state") == "ended"
    assert len(stand_in.visits) == 1
    page.evaluate("room.retry()")
    told(page, until=is_state("open"))


def test_goodbye_counts_also_where_its_close_frame_is_lost(desk: BrowserContext, stand_in: StandIn) -> None:
    # 1011 is what the stand-in's library says of itself, and stands for whatever comes instead.
    stand_in.answers[LOBBY] = [[welcome(), goodbye("kicked", 4403, None), (1011, "")]]
    page = joined(desk, stand_in)

    said = {"reason": "kicked", "code": 4403, "detail": None, "id": f"{EPOCH}.41"}
    assert told(page, "state", until=is_state("ended"))[-1][2] == said


@pytest.mark.parametrize("code", [4399, 4500])
def test_codes_beside_44xx_are_no_reason_to_stay_away(desk: BrowserContext, stand_in: StandIn, code: int) -> None:
    stand_in.answers[LOBBY] = [[(code, "")]]

    assert wait_s(joined(desk, stand_in)) == 0.5


def test_network_that_is_back_ends_a_wait_that_nobody_asked_for(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[(1011, "internal")], [welcome()]]
    page = joined(desk, stand_in)
    assert wait_s(page) == 0.5

    page.evaluate("dispatchEvent(new Event('online'))")

    told(page, until=is_state("open"))


def test_network_that_is_back_does_not_end_a_wait_that_the_relay_asked_for(
    desk: BrowserContext, stand_in: StandIn
) -> None:
    stand_in.answers[LOBBY] = [[(1012, "retry_after_ms=200000")], [welcome()]]
    page = joined(desk, stand_in)
    waits_s = wait_s(page)

    page.evaluate("dispatchEvent(new Event('online'))")
    page.clock.run_for(199_000)
    page.evaluate("dispatchEvent(new Event('online'))")

    assert (page.evaluate("room.state"), len(stand_in.visits)) == ("waiting", 1)
    assert waits_s == pytest.approx(200.05)
    page.clock.run_for(1_051)
    told(page, until=is_state("open"))


def test_connection_without_a_welcome_is_given_up(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[], [welcome()]]
    page = still(desk, stand_in)
    with page.expect_websocket() as stuck:
        page.evaluate(JOIN, {})
    # Given up before it was there, it would leave the silence to the next.
    stand_in.came.get(timeout=HANG_S)

    page.clock.run_for(15_000)

    assert told(page, "state", until=is_state("waiting"))[-1][2]["reason"] == "no welcome"
    come_back(page)
    told(page, until=is_state("open"))
    assert stuck.value.is_closed()


@pytest.mark.parametrize("options", [{"token": "not a token"}, {"token": "a,b"}])
def test_token_that_cannot_be_sent_is_the_end(desk: BrowserContext, stand_in: StandIn, options: dict[str, Any]) -> None:
    page = joined(desk, stand_in, **options)

    assert told(page, "state", until=is_state("ended"))[-1][2]["reason"] == "invalid"


def test_closing_is_the_end(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome()]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))

    page.evaluate("room.close()")

    assert page.evaluate("told.at(-1)") == ["state", "ended", {"reason": "closed"}]
    assert page.evaluate("room.send('x').catch(({ reason }) => reason)") == "offline"
    page.clock.fast_forward(3_600_000)
    assert len(stand_in.visits) == 1


# --- from where it goes on


def test_first_visit_asks_for_history_and_the_next_for_what_followed(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(7, head=9), message(8, "8"), message(9, "9"), (1011, "")], [welcome(9)]]
    page = joined(desk, stand_in, history=50)

    come_back(page)

    told(page, until=is_state("open"))
    assert [visit.query for visit in stand_in.visits] == [
        {"history": "50", "gap": "ok"},
        {"history": "50", "gap": "ok", "since": f"{EPOCH}:9"},
    ]
    assert page.evaluate("room.position") == f"{EPOCH}:9"


def test_page_that_kept_a_position_goes_on_there(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(41)]]

    page = joined(desk, stand_in, since=f"{EPOCH}:41")

    told(page, until=is_state("open"))
    assert stand_in.visits[0].query["since"] == f"{EPOCH}:41"


def test_nothing_is_delivered_twice(desk: BrowserContext, stand_in: StandIn) -> None:
    again = [message(offset, str(offset)) for offset in (1, 2, 3)]
    stand_in.answers[LOBBY] = [[welcome(), *again[:2], (1011, "")], [welcome(0, head=3, number=2), *again]]
    page = joined(desk, stand_in)

    come_back(page)

    assert messages(page, 3) == ["1", "2", "3"]


def test_acknowledgement_does_not_hide_messages_that_come_after_it(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [
        [welcome(), ack(3), (1011, "")],
        [welcome(0, head=3, number=2), message(1, "1"), message(2, "2"), message(3, "own", sender=f"{EPOCH}.1")],
    ]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))
    page.evaluate(SEND, "own")
    assert page.evaluate("sent") == 3

    come_back(page)

    # What it has an acknowledgement for is not news.
    assert messages(page, 2) == ["1", "2"]
    assert stand_in.visits[1].query["since"] == f"{EPOCH}:0"
    page.wait_for_function(f"room.position === '{EPOCH}:3'")


def test_acknowledgement_of_the_very_next_moves_the_position(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(4), ack(5)]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))

    page.evaluate(SEND, "own")

    assert page.evaluate("sent") == 5
    assert page.evaluate("room.position") == f"{EPOCH}:5"


def test_new_epoch_counts_anew(desk: BrowserContext, stand_in: StandIn) -> None:
    gap = {"type": "gap", "reason": "epoch", "offset": 0}
    stand_in.answers[LOBBY] = [
        [welcome(500), message(501, "old"), (1012, "")],
        [welcome(0, head=1, epoch="nextone2"), gap, message(1, "new")],
    ]
    page = joined(desk, stand_in)

    come_back(page)

    assert messages(page, 2) == ["old", "new"]
    assert ["gap", {"reason": "epoch"}] in page.evaluate("told")
    assert page.evaluate("room.position") == "nextone2:1"


def test_gap_is_told_before_what_follows_it(desk: BrowserContext, stand_in: StandIn) -> None:
    gap = {"type": "gap", "reason": "lagging", "offset": 70}
    stand_in.answers[LOBBY] = [[welcome(), message(1, "1"), gap, message(71, "71")]]

    page = joined(desk, stand_in)

    messages(page, 2)
    assert [entry[0] for entry in page.evaluate("told")][-3:] == ["message", "gap", "message"]


# --- what became of a message


@pytest.mark.parametrize("data", ["'hello'", "'é'", "''"])
def test_text_is_sent_as_text(desk: BrowserContext, stand_in: StandIn, data: str) -> None:
    stand_in.answers[LOBBY] = [[welcome(), ack(1)]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))

    assert page.evaluate(f"room.send({data})") == 1

    assert stand_in.visits[0].heard == [{"type": "publish", "ref": "1", "text": data.strip("'")}]


@pytest.mark.parametrize("data", ["new Uint8Array([0, 255, 9]).subarray(1)", "new Uint8Array([255, 9]).buffer"])
def test_bytes_are_sent_and_received_as_base64(desk: BrowserContext, stand_in: StandIn, data: str) -> None:
    binary = message(2, "") | {"base64": "AP8="}
    del binary["text"]
    stand_in.answers[LOBBY] = [[welcome(), ack(1), binary]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))

    assert page.evaluate(f"room.send({data})") == 1

    assert stand_in.visits[0].heard == [{"type": "publish", "ref": "1", "base64": "/wk="}]
    assert messages(page, 1) == ["0,255"]


def test_refused_message_says_why(desk: BrowserContext, stand_in: StandIn) -> None:
    def refuse(said: Said) -> Said:
        return {"type": "error", "ref": said["ref"], "reason": "too_big", "detail": "longer than 65536 bytes"}

    stand_in.answers[LOBBY] = [
        [welcome(), refuse, {"type": "error", "ref": None, "reason": "malformed", "detail": "?"}]
    ]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))

    how = page.evaluate("room.send('x').catch(({ name, reason, message }) => [name, reason, message])")

    assert how == ["RoomcastError", "too_big", "longer than 65536 bytes"]
    assert told(page, "error", until="told.at(-1)[0] === 'error'") == [
        ["error", {"reason": "malformed", "detail": "?"}]
    ]


def test_lost_acknowledgement_is_found_among_what_is_replayed(desk: BrowserContext, stand_in: StandIn) -> None:
    replayed = [message(1, "other"), message(2, "mine", sender=f"{EPOCH}.1")]
    stand_in.answers[LOBBY] = [[welcome(), unheard, (1011, "")], [welcome(0, head=2, number=2), *replayed]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))
    page.evaluate(SEND, "mine")

    come_back(page)

    assert page.evaluate("sent") == 2
    assert messages(page, 1) == ["other"]
    # It was sent once.
    assert sum(len(visit.heard) for visit in stand_in.visits) == 1


@pytest.mark.parametrize("then", ["all is replayed", "nothing is replayed", "it ends"])
def test_message_whose_fate_nobody_knows_is_unknown(desk: BrowserContext, stand_in: StandIn, then: str) -> None:
    second: dict[str, list[Step]] = {
        "all is replayed": [welcome(0, head=1, number=2), message(1, "other")],
        "nothing is replayed": [welcome(0, head=1, number=2)],
        "it ends": [(4403, "kicked")],
    }
    stand_in.answers[LOBBY] = [[welcome(), unheard, (1011, "")], second[then]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))
    page.evaluate(SEND, "mine")

    come_back(page)
    told(page, until=is_state("ended" if then == "it ends" else "open"))
    if then == "nothing is replayed":
        page.clock.run_for(5_000)

    assert page.evaluate("sent") == "unknown"


def test_own_message_of_unknown_fate_that_turns_up_later_is_given_as_ones_own(
    desk: BrowserContext, stand_in: StandIn
) -> None:
    late = message(1, "mine", sender=f"{EPOCH}.1")
    stand_in.answers[LOBBY] = [[welcome(), unheard, (1011, "")], [welcome(number=2), late]]
    page = joined(desk, stand_in)
    told(page, until=is_state("open"))
    page.evaluate(SEND, "mine")

    come_back(page)

    assert page.evaluate("sent") == "unknown"
    assert [detail["isOwn"] for _, detail in told(page, "message", until="told.at(-1)[0] === 'message'")] == [True]


# --- tokens


def test_expired_token_is_replaced_by_a_newer_one(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome(), goodbye("token_expired", 4401, None), (4401, "token_expired")], [welcome()]]
    page = joined(desk, stand_in, tokens=["old", "new"])

    come_back(page)

    told(page, until=is_state("open"))
    assert [visit.protocols[1] for visit in stand_in.visits] == ["bearer.old", "bearer.new"]


@pytest.mark.parametrize("options", [{"tokens": ["old"]}, {"token": "old"}, {}])
def test_expired_token_is_the_end_where_there_is_no_newer_one(
    desk: BrowserContext, stand_in: StandIn, options: dict[str, Any]
) -> None:
    stand_in.answers[LOBBY] = [[welcome(), goodbye("token_expired", 4401, None), (4401, "token_expired")]]
    page = joined(desk, stand_in, **options)

    assert told(page, "state", until=is_state("ended"))[-1][2]["reason"] == "token_expired"


def test_token_that_expires_soon_is_replaced_before(desk: BrowserContext, stand_in: StandIn) -> None:
    expiring = {"type": "expiring", "expires_in_ms": 30_000}
    stand_in.answers[LOBBY] = [[welcome(5), expiring], [welcome(5, number=2), expiring]]
    page = joined(desk, stand_in, tokens=["old", "new"])

    come_back(page)

    told(page, until=is_state("open"))
    assert stand_in.visits[1].query["since"] == f"{EPOCH}:5"
    # Told again, it has no newer one, and stays.
    page.clock.run_for(60_000)
    assert page.evaluate("room.state") == "open"


def test_token_that_cannot_be_had_is_asked_for_again(desk: BrowserContext, stand_in: StandIn) -> None:
    stand_in.answers[LOBBY] = [[welcome()]]
    page = still(desk, stand_in)

    page.evaluate(
        """() => {
          let asked = 0;
          globalThis.room = Roomcast.join("/rooms/lobby", {
            token: async () => { if (!asked++) throw new Error("no network"); return "abc"; },
            onState: (...state) => (globalThis.told = [["state", ...state]]),
          });
        }"""
    )

    come_back(page)
    told(page, until=is_state("open"))
    assert stand_in.visits[0].protocols == ["roomcast.json", "bearer.abc"]


# --- presence


def test_presence_follows_who_joins_and_leaves(desk: BrowserContext, stand_in: StandIn) -> None:
    ada, bob = {"id": f"{EPOCH}.1", "subject": None}, {"id": f"{EPOCH}.2", "subject": "bob"}
    steps = [{"type": "joined", "members": [bob], "count": 2}, {"type": "left", "members": [ada], "count": 1}]
    stand_in.answers[LOBBY] = [[welcome(present=[ada]), *steps]]

    page = joined(desk, stand_in)

    assert told(page, "presence", until="told.filter(([name]) => name === 'presence').length === 3") == [
        ["presence", {"count": 1, "present": [ada], "joined": [], "left": []}],
        ["presence", {"count": 2, "present": [ada, bob], "joined": [bob], "left": []}],
        ["presence", {"count": 1, "present": [bob], "joined": [], "left": [ada]}],
    ]


def test_presence_begins_anew_where_the_page_did_not_read(desk: BrowserContext, stand_in: StandIn) -> None:
    ada, bob = {"id": f"{EPOCH}.1", "subject": None}, {"id": f"{EPOCH}.2", "subject": "bob"}
    stand_in.answers[LOBBY] = [[welcome(present=[ada]), {"type": "present", "members": [bob], "count": 1}]]

    page = joined(desk, stand_in)

    heard = told(page, "presence", until="told.filter(([name]) => name === 'presence').length === 2")
    assert heard[-1] == ["presence", {"count": 1, "present": [bob], "joined": [], "left": []}]


def test_page_of_another_origin_can_import_it(desk: BrowserContext, stand_in: StandIn) -> None:
    page = desk.new_page()
    page.goto(stand_in.url.replace("127.0.0.1", "localhost") + "blank")

    names = page.evaluate(
        f"delete globalThis.Roomcast && import('{stand_in.url}-/roomcast.js').then(() => Object.keys(Roomcast))"
    )

    assert names == ["join", "events"]
