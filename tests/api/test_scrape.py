"""A scrape as a client sees it: its coding; its form is looked at in test_app.py."""

from __future__ import annotations

import gzip

import pytest
from falcon import App, Request, Response
from falcon.testing import Result, TestClient

from roomcast.api.scrape import Metrics, takes_gzip
from roomcast.logs import Journal
from roomcast.metrics import RelayCollector
from tests.idle import idle_counters, idle_hub
from tests.running import Serve


def scraped(accepted: str | None) -> Result:
    app: App[Request, Response] = App()
    collector = RelayCollector(idle_hub("rooms"), idle_counters(), Journal(print), lambda: True, {})
    app.add_route("/metrics", Metrics(collector))
    return TestClient(app).simulate_get("/metrics", headers={} if accepted is None else {"Accept-Encoding": accepted})


@pytest.mark.parametrize("accepted", [None, "", "identity", "br, *", "gzip;q=0"])
def test_scrape_is_plain_where_gzip_is_not_asked_for(accepted: str | None) -> None:
    answer = scraped(accepted)

    assert "content-encoding" not in answer.headers
    assert 'roomcast_members{template="rooms"} 0.0' in answer.text.splitlines()
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


def test_scrape_is_compressed_where_it_is() -> None:
    answer = scraped("br;q=1.0, GZIP;q=0.5")

    assert answer.headers["content-encoding"] == "gzip"
    assert b'roomcast_members{template="rooms"} 0.0\n' in gzip.decompress(answer.content)


@pytest.mark.parametrize(
    ("accepted", "does"),
    [("gzip", True), ("deflate, gzip", True), ("gzip ; q=0.0", False), ("gzip;q=0.001", True), ("xgzip", False)],
)
def test_coding_is_taken_when_it_is_named_and_not_forbidden(accepted: str, does: bool) -> None:
    assert takes_gzip(accepted) is does


def test_others_have_their_turn_in_the_middle_of_a_long_scrape(serve: Serve) -> None:
    rooms = "".join(f'[[rooms]]\nname = "t{number}"\npath = "/{number}/{{room}}"\n' for number in range(1_000))
    relay = serve(rooms)
    last = relay.server.hub.templates["t999"]

    def count_turn() -> bool:
        last.rooms += 1
        last.delivered += 1
        return True

    with relay.noticing(count_turn):
        lines = relay.ask_admin("/metrics").body.decode().splitlines()
    last.rooms = 0

    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    early, late = (
        values['roomcast_rooms{template="t999"}'],
        values['roomcast_messages_delivered_total{template="t999"}'],
    )
    # Ten milliseconds later in the text, and all that the loop has done meanwhile.
    assert float(early) < float(late)
    assert sum('template="' in line for line in lines) > 30 * 1_000
