"""A room, followed over cuts, refusals and goodbyes; the waits between are written down instead of waited for."""

import random
import socket
from itertools import islice

import pytest

from roomcast.cli.door import WAIT_TOLD_MAX_S, Door
from roomcast.cli.follow import EVENT_MAX_BYTES, PLACE_S, STEADY_S, EndedError, Follower, Wishes
from roomcast.cli.sse import Event
from roomcast.policies.schedule import Schedule
from tests.cli.scripted import STREAM, refusal, scripted
from tests.cutting import cutting_proxy
from tests.running import Serve

FIRST = STREAM + b"retry: 2000\nid: k7c2m9qa:40\n\nid: k7c2m9qa:41\ndata: a\n\n"
SECOND = STREAM + b"id: k7c2m9qa:42\ndata: b\n\n"


KEEPING = """
[[rooms]]
name = "rooms"
path = "/rooms/{room}"
history_messages = 10_000
messages_per_s = 0
"""


class EnoughError(Exception):
    """The follower has waited as often as the test wants."""


class Following:
    """A follower, and what it said and waited for."""

    def __init__(
        self,
        url: str,
        wishes: Wishes | None = None,
        token: str = "",
        event_max_bytes: int = EVENT_MAX_BYTES,
        waits_max: int = 100,
    ) -> None:
        self.waits_s: list[float] = []
        self.waits_max = waits_max
        self.said: list[str] = []
        self.now_s = 0.0
        self.follower = Follower(
            Door.at(url),
            "/rooms/lobby",
            wishes or Wishes(),
            token,
            wait=self._wait,
            roll=lambda: 0.5,
            clock=lambda: self.now_s,
            say=self.said.append,
            event_max_bytes=event_max_bytes,
        )

    def _wait(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)
        if len(self.waits_s) == self.waits_max:
            raise EnoughError

    def events(self, count: int) -> list[Event]:
        return list(islice(self.follower.events(), count))

    def end(self) -> str:
        """Follow to the end, and return why it is one."""
        with pytest.raises(EndedError) as ended:
            for _ in self.follower.events():
                pass
        return str(ended.value)


def test_stream_that_is_cut_is_followed_from_the_position_that_was_reached() -> None:
    with scripted(FIRST, SECOND) as door:
        following = Following(door.url, Wishes(history=5))

        assert [event.data for event in following.events(2)] == ["a", "b"]

    assert [asked.line for asked in door.asked] == [
        "GET /rooms/lobby?history=5 HTTP/1.1",
        "GET /rooms/lobby HTTP/1.1",
    ]
    assert [asked.headers.get("last-event-id") for asked in door.asked] == [None, "k7c2m9qa:41"]
    assert {asked.headers["accept"] for asked in door.asked} == {"text/event-stream"}
    assert following.said == ["the connection ended; again in 1.0 s"]


def test_position_is_known_before_the_first_message() -> None:
    with scripted(STREAM + b"id: k7c2m9qa:40\n\n", SECOND) as door:
        Following(door.url).events(1)

    assert door.asked[1].headers["last-event-id"] == "k7c2m9qa:40"


def test_what_was_asked_for_is_asked_again_until_there_is_a_position() -> None:
    with scripted(STREAM, SECOND) as door:
        Following(door.url, Wishes(since="30s")).events(1)

    assert [asked.line.split()[1] for asked in door.asked] == ["/rooms/lobby?since=30s"] * 2


def test_token_is_said_each_time_and_to_nobody_else() -> None:
    with scripted(FIRST, refusal("401 Unauthorized", "the token has expired")) as door:
        following = Following(door.url, token="abc")
        why = following.end()

    assert [asked.headers["authorization"] for asked in door.asked] == ["Bearer abc"] * 2
    assert "abc" not in why + "".join(following.said)


@pytest.mark.parametrize(
    ("status", "line"),
    [("403 Forbidden", "origin may not enter"), ("404 Not Found", "no room"), ("426 Upgrade Required", "upgrade")],
)
def test_refusal_that_would_come_again_is_the_end(status: str, line: str) -> None:
    with scripted(refusal(status, line)) as door:
        following = Following(door.url)

        assert following.end() == f"{status[:3]} {line}"

    assert following.waits_s == []


def test_relay_that_is_full_is_asked_again_when_it_says() -> None:
    busy = refusal("503 Service Unavailable", "the relay is stopping", "Retry-After: 3")
    with scripted(busy, refusal("429 Too Many Requests", "too many"), SECOND) as door:
        following = Following(door.url)
        following.events(1)

    assert following.waits_s == [3 + 0.5, 1]
    assert following.said[0] == "503 the relay is stopping; again in 3.5 s"


@pytest.mark.parametrize(("lasts_s", "waits_s"), [(STEADY_S - 0.1, [1, 2, 4]), (STEADY_S, [1, 1, 1])])
def test_relay_that_answers_and_closes_at_once_is_asked_less_each_time(lasts_s: float, waits_s: list[float]) -> None:
    with scripted(FIRST, SECOND, FIRST, SECOND) as door:
        following = Following(door.url)
        for _ in islice(following.follower.events(), 4):
            following.now_s += lasts_s

    assert following.waits_s == waits_s


def test_relay_that_was_not_reached_after_a_long_connection_is_asked_less_each_time() -> None:
    with scripted(FIRST, refusal("503 Service Unavailable"), refusal("503 Service Unavailable"), SECOND) as door:
        following = Following(door.url)
        for _ in islice(following.follower.events(), 2):
            following.now_s += STEADY_S

    assert following.waits_s == [1, 2, 4]


def test_relay_that_says_not_to_wait_is_waited_for_nevertheless() -> None:
    goodbye = b'retry: 0\nevent: goodbye\ndata: {"reason":"rate","code":1008,"reconnect_after_ms":0}\n\n'
    with scripted(FIRST + goodbye, STREAM + goodbye, SECOND) as door:
        following = Following(door.url)
        following.events(2)

    # What a `retry` says in a goodbye, it says for that time only.
    assert following.waits_s == [1, 2]


def test_answer_that_is_no_stream_of_events_is_the_end() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello") as door:
        assert Following(door.url).end().startswith("the answer is text/html, not text/event-stream")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_whoever_answers_without_http_is_not_a_relay(answer: bytes) -> None:
    with scripted(answer) as door:
        # The last is a head that never ends: http.client takes it for a whole one.
        assert Following(door.url).end()


def test_nobody_at_the_address_is_the_end_at_the_beginning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert Following(f"http://127.0.0.1:{port}").end() == f"127.0.0.1 port {port}: Connection refused"


def test_relay_that_is_gone_is_waited_for_longer_each_time_and_half_a_minute_at_most() -> None:
    with scripted(FIRST) as door:
        following = Following(door.url)
        [event] = following.events(1)
    waits_s: list[float] = []

    def wait(wait_s: float) -> None:
        waits_s.append(wait_s)
        if len(waits_s) == 7:
            raise EnoughError

    with scripted(FIRST) as door:
        follower = Follower(
            Door.at(door.url),
            "/a",
            Wishes(),
            "",
            wait=wait,
            roll=lambda: 1.0,
            clock=lambda: 0.0,
            say=following.said.append,
        )
        with pytest.raises(EnoughError):
            assert list(follower.events()) == [event]

    assert waits_s == [2, 4, 8, 16, 30, 30, 30]


def goodbye(wait_ms: str) -> bytes:
    told = (
        f'retry: {wait_ms}\nevent: goodbye\ndata: {{"reason":"restart","code":1012,"reconnect_after_ms":{wait_ms}}}\n\n'
    )
    return told.encode()


def test_goodbye_says_when_to_come_back() -> None:
    with scripted(FIRST + goodbye("12000"), SECOND) as door:
        following = Following(door.url)

        assert [event.data for event in following.events(2)] == ["a", "b"]

    # No sooner, and hardly later: it is a place of our own, among all who come back.
    assert following.waits_s == [12 + 0.5 * PLACE_S]
    assert following.said == ["closed: restart 1012; again in 12.1 s"]
    assert door.asked[1].headers["last-event-id"] == "k7c2m9qa:41"


def test_relay_that_stops_is_asked_again_at_the_place_that_it_gave(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 5\naccept_per_s = 1\n" + KEEPING)
    assert isinstance(relay.address, tuple)
    following = Following("http://{}:{}".format(*relay.address), Wishes(history=1), waits_max=1)
    writer = relay.join()
    writer.say("a")
    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == 1)
    events = following.follower.events()
    assert next(events).data == "a"
    writer.close()

    relay.ask_to_stop()
    with pytest.raises(EnoughError):
        next(events)

    plan = Schedule(2, 5, 1)
    # It may have been told at its turn only, a second after the other.
    assert plan.return_s - 1 < following.waits_s[0] <= plan.back_s + PLACE_S


def test_relay_that_is_not_there_at_the_time_that_it_told_is_asked_less_each_time() -> None:
    away = refusal("503 Service Unavailable", "away")
    with scripted(FIRST + goodbye("12000"), away, away, SECOND) as door:
        following = Following(door.url)
        following.events(2)

    # From then on as ever: half of 4 s, and of 8.
    assert following.waits_s == [12 + 0.5 * PLACE_S, 2, 4]


def test_places_that_are_given_over_and_over_are_not_worth_much() -> None:
    with scripted(*[FIRST + goodbye("2000")] * 3, SECOND) as door:
        following = Following(door.url)
        following.events(4)

    assert following.waits_s == [2 + 0.5 * PLACE_S, 2 + 2, 2 + 4]


@pytest.mark.parametrize(
    ("wait_ms", "wait_s"),
    [
        ("-1", 0),
        ("1200.5", 1.2005),
        # At its own pace.
        ("NaN", 0),
        ("true", 0),
        ('"soon"', 0),
        ("[]", 0),
    ],
)
def test_goodbye_that_says_nonsense_is_not_obeyed(wait_ms: str, wait_s: float) -> None:
    with scripted(FIRST + goodbye(wait_ms), SECOND) as door:
        following = Following(door.url)
        following.events(2)

    assert following.waits_s == [wait_s + 1]


@pytest.mark.parametrize("wait_ms", ["1000000000", "9" * 400, "1e308", "1e999"])
def test_goodbye_keeps_nobody_away_for_days(wait_ms: str) -> None:
    with scripted(FIRST + goodbye(wait_ms), SECOND) as door:
        following = Following(door.url)
        following.events(2)

    assert following.waits_s == [WAIT_TOLD_MAX_S + 0.5 * PLACE_S]


@pytest.mark.parametrize("after", [',"reconnect_after_ms":null', ""])
def test_goodbye_that_says_not_to_come_back_is_the_end(after: str) -> None:
    goodbye = f'event: goodbye\ndata: {{"reason":"kicked","code":4403,"id":"k7c2m9qa.41"{after}}}\n\n'
    with scripted(FIRST + goodbye.encode()) as door:
        assert Following(door.url).end() == "closed for good: kicked 4403 id=k7c2m9qa.41"


@pytest.mark.parametrize("data", [b"no JSON", b"[]"])
def test_goodbye_that_cannot_be_read_is_an_end_as_well(data: bytes) -> None:
    with scripted(FIRST + b"event: goodbye\ndata: " + data + b"\n\n") as door:
        assert Following(door.url).end().startswith("closed for good")


def test_event_that_is_too_long_is_the_end_and_what_came_before_is_not_lost() -> None:
    with scripted(FIRST + b"data: " + b"x" * 1000) as door:
        events = Following(door.url, event_max_bytes=100).follower.events()

        assert next(events).data == "a"
        with pytest.raises(EndedError, match="longer than 100 bytes"):
            next(events)


@pytest.mark.parametrize("seed", range(3))
def test_room_of_a_relay_is_followed_over_cuts_without_a_loss_or_a_repetition(serve: Serve, seed: int) -> None:
    relay, dice = serve(KEEPING), random.Random(seed)
    writer = relay.join("/rooms/lobby")
    numbers = [str(number) for number in range(500)]
    with cutting_proxy(relay.address) as proxy:
        following = Following(proxy.url, Wishes(history=10_000))
        events = following.follower.events()
        said = heard = 0
        while heard < len(numbers):
            upto = min(said + dice.randrange(1, 50), len(numbers))
            for number in numbers[said:upto]:
                writer.say(number)
            said = upto
            if dice.random() < 0.5:
                proxy.cut()
            count = dice.randint(0 if said < len(numbers) else said - heard, said - heard)
            assert [event.data for event in islice(events, count)] == numbers[heard : heard + count]
            heard += count
        events.close()
        assert proxy.cuts
    assert following.waits_s


def test_gap_is_an_event_between_the_messages(serve: Serve) -> None:
    relay = serve(KEEPING.replace("10_000", "2"))
    writer = relay.join("/rooms/lobby")
    for number in range(5):
        writer.say(str(number))
    relay.until(lambda: relay.server.hub.rooms["/rooms/lobby"].log.head == 5)
    epoch = relay.server.hub.epoch

    with cutting_proxy(relay.address) as proxy:
        events = Following(proxy.url, Wishes(since=f"{epoch}:1")).events(3)

    assert [(event.type, event.id) for event in events[1:]] == [("message", f"{epoch}:4"), ("message", f"{epoch}:5")]
    assert (events[0].type, events[0].data) == ("gap", '{"reason":"offset","offset":3}')
