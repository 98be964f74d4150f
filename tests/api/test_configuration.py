"""The two routes that take a configuration, or judge one: for whom, and what they answer."""

from __future__ import annotations

import json

import pytest

from roomcast.settings import Loaded
from tests.running import Relay, Serve, ask_admin, settings

KEY = "0123456789abcdef0123456789abcdef"
ADMIN = f'[admin]\napi_key = "{KEY}"\n'


def post(relay: Relay, path: str, body: bytes = b"", kind: str = "application/toml", key: str = KEY) -> tuple[int, str]:
    headers = {"Content-Type": kind, "Authorization": f"Bearer {key}"}
    answer = ask_admin(relay.server.private_address, path, "POST", body, headers)
    return answer.status, answer.body.decode()


def test_reload_is_answered_with_what_has_changed(serve: Serve) -> None:
    relay = serve(ADMIN)
    relay.configured = Loaded(settings(ADMIN + "[server]\ndemo = true"))

    status, body = post(relay, "/api/v1/reload")

    assert (status, json.loads(body)) == (200, {"changes": [{"key": "server.demo", "old": "false", "new": "true"}]})
    assert relay.ask().headers["content-type"].startswith("text/html")


def test_reload_that_is_refused_is_answered_with_the_value_and_the_rule(serve: Serve) -> None:
    relay = serve(ADMIN)
    relay.configured = Loaded(settings(ADMIN + '[origins]\nallow = ["nowhere"]'))

    status, body = post(relay, "/api/v1/reload")

    assert status == 422
    assert 'allow "nowhere"' in json.loads(body)["detail"]


@pytest.mark.parametrize("path", ["/api/v1/reload", "/api/v1/plan"])
def test_nobody_without_the_key_changes_or_asks_anything(serve: Serve, path: str) -> None:
    assert post(serve(ADMIN), path, key="x" * 32)[0] == 401


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"\xff", "application/toml", 422), (b"", "text/plain", 415), (b"", "application/toml", 200)],
)
def test_plan_takes_toml_and_nothing_else(serve: Serve, body: bytes, kind: str, status: int) -> None:
    assert post(serve(ADMIN), "/api/v1/plan", body, kind)[0] == status
