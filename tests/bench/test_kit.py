"""The kit compiles and measures, so that it is not found broken on the day it is needed."""

from pathlib import Path

import pytest

from tests.bench import servers
from tests.bench.figures import BARE, HERD, MANY_TEMPLATES, PUBLISHED, RELOADED, RELOADED_OTHERWISE, Entry
from tests.bench.kit import measure
from tests.bench.servers import toml


def test_floor_relays_to_every_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "CACHE", tmp_path)

    sample = measure(Entry("floor", "floor", "-r 2 -m 4 -P 2 -W 0.1", BARE), seconds=0.2)

    # Four deliveries for each message: the floor echoes, and a room hears its own messages only.
    assert sample["deliveries_per_s"] == pytest.approx(4 * sample["published_per_s"], rel=0.1)
    assert sample["deliveries_per_s"] > 0
    assert sample["cpu_us_per_delivery"] > 0


def test_relay_is_published_to_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "CACHE", tmp_path)

    sample = measure(Entry("roomcast", "roomcast", "-c 2 -r 2 -b 10", PUBLISHED, generator="apiload"), seconds=0.2)

    assert sample["published_per_s"] > 0
    assert sample["cpu_us_per_message"] > 0


def test_relay_is_reloaded_and_probed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "CACHE", tmp_path)
    entry = Entry("roomcast", "roomcast", "-m 4 -r 2", RELOADED, generator="reloadload", other=RELOADED_OTHERWISE)

    sample = measure(entry, seconds=0.6)

    assert sample["reloads"] >= 2
    assert sample["reload_ping_max_us"] >= sample["reload_ping_p99_us"] > 0


@pytest.mark.parametrize("load", ["", "-z"])
def test_relay_is_scraped_and_probed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str) -> None:
    monkeypatch.setattr(servers, "CACHE", tmp_path)

    sample = measure(Entry("roomcast", "roomcast", load, MANY_TEMPLATES, generator="scrapeload"), seconds=0.2)

    assert sample["scrape_p99_us"] >= sample["scrape_us"] > 0
    assert sample["scrape_ping_max_us"] >= sample["scrape_ping_p99_us"] > 0
    assert (sample["scrape_bytes"] < 1_000_000) == bool(load)


def test_configuration_is_written_as_toml() -> None:
    text = toml(
        {"limits": {"rooms_max": 0}, "origins": {"allow": ["*"]}, "room": {"echo": True, "gather_max_s": 0.025}}
    )

    assert text == '[limits]\nrooms_max = 0\n[origins]\nallow = ["*"]\n[[rooms]]\necho = true\ngather_max_s = 0.025\n'


def test_herd_that_comes_back_gets_all_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "CACHE", tmp_path)

    sample = measure(Entry("roomcast", "roomcast", "-m 50 -P 0 -H 20 -W 0", HERD), seconds=0.1)

    # It ends when each of them has all.
    assert sample["herd_ping_max_us"] >= sample["herd_ping_p99_us"] > 0
