"""``roomcast plan``: lines for people, JSON for programs, and a status for both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.runner import run
from tests.cli.test_reload import ADMIN, KEY, url
from tests.running import Serve


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", KEY)


def written(path: Path, toml: str) -> str:
    file = path / "NEW.toml"
    file.write_text(toml)
    return str(file)


def test_plan_that_hurts_nobody_exits_with_0(serve: Serve, tmp_path: Path) -> None:
    relay = serve(ADMIN)
    relay.join()

    result = run("plan", written(tmp_path, ADMIN + "[server]\ndemo = true"), "--url", url(relay))

    assert (result.exit_code, result.stdout) == (0, "server.demo: false -> true\n")


def test_plan_says_who_would_be_hurt_and_exits_with_1(serve: Serve, tmp_path: Path) -> None:
    relay = serve(ADMIN)
    relay.join()
    relay.join()
    toml = ADMIN + '[log]\nformat = "json"\n[limits]\nconnections_max = 1\n[server]\nprotocols = ["hixie76"]'

    result = run("plan", written(tmp_path, toml), "--url", url(relay))

    assert result.exit_code == 1
    assert "takes a restart: log.format; it would close all 2 members" in result.stdout
    assert "2 of 2 members would not be let in again: dialect: rfc6455 is not spoken here" in result.stdout
    assert "limits.connections_max = 1 is below what is in use: 2; newcomers would be refused" in result.stdout


@pytest.mark.parametrize(
    "harm",
    ['[log]\nformat = "json"', '[server]\nprotocols = ["hixie76"]', "[limits]\nconnections_max = 1"],
    ids=["restart", "refused", "below use"],
)
def test_each_harm_by_itself_is_one(serve: Serve, tmp_path: Path, harm: str) -> None:
    relay = serve(ADMIN)
    relay.join()
    relay.join()

    assert run("plan", written(tmp_path, ADMIN + harm), "--url", url(relay)).exit_code == 1


def test_members_who_would_be_refused_are_named_with_their_origins(serve: Serve, tmp_path: Path) -> None:
    relay = serve(ADMIN + '[origins]\nallow = ["https://app.example"]')
    relay.join("/rooms/lobby", "Origin: https://app.example")
    relay.join()
    epoch = relay.call(lambda: relay.server.hub.epoch)

    result = run("plan", written(tmp_path, ADMIN + '[server]\nprotocols = ["hixie76"]'), "--url", url(relay))

    assert result.stdout.endswith(f": {epoch}.1 (https://app.example), {epoch}.2 (no origin)\n")


def test_plan_for_programs_is_the_answer_of_the_relay(serve: Serve, tmp_path: Path) -> None:
    result = run("plan", written(tmp_path, ADMIN), "--url", url(serve(ADMIN)), "--json")

    assert (result.exit_code, json.loads(result.stdout)["changes"]) == (0, [])


@pytest.mark.parametrize("toml", ["[server", '[origins]\nallow = ["nowhere"]'])
def test_file_that_is_wrong_is_2(serve: Serve, tmp_path: Path, toml: str) -> None:
    assert run("plan", written(tmp_path, toml), "--url", url(serve(ADMIN))).exit_code == 2


def test_file_that_is_not_there_or_no_text_is_2(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")

    assert run("plan", str(tmp_path / "bytes")).exit_code == run("plan", str(tmp_path / "none")).exit_code == 2
