"""``roomcast reload`` and the relay that it asks."""

from __future__ import annotations

import pytest

from roomcast.settings import Loaded
from tests.cli.runner import run
from tests.running import Relay, Serve, settings

KEY = "0123456789abcdef0123456789abcdef"
ADMIN = f'[admin]\napi_key = "{KEY}"\n'


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", KEY)


def url(relay: Relay) -> str:
    address = relay.server.private_address
    assert isinstance(address, tuple)
    return f"http://{address[0]}:{address[1]}"


def test_reload_prints_what_has_changed(serve: Serve) -> None:
    relay = serve(ADMIN)
    relay.configured = Loaded(settings(ADMIN + "[server]\ndemo = true"))

    result = run("reload", "--url", url(relay))

    assert (result.exit_code, result.stdout) == (0, "server.demo: false -> true\n")
    assert "nothing has changed" in run("reload", "--url", url(relay)).stdout


def test_reload_that_is_refused_says_why_and_exits_with_1(serve: Serve) -> None:
    relay = serve(ADMIN)
    relay.configured = Loaded(settings(ADMIN + '[origins]\nallow = ["nowhere"]'))

    result = run("reload", "--url", url(relay))

    assert result.exit_code == 1
    assert 'allow "nowhere"' in result.stderr
