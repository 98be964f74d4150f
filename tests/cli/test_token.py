"""roomcast token: one token on standard output, or what is missing to make it."""

import base64
import json
import re

import pytest

from tests.cli.runner import run
from tests.tokens import SECRET


def test_token_prints_one_that_a_relay_of_this_configuration_takes() -> None:
    secret = ("--set", f"tokens.secret={SECRET}")
    closed = ("--set", 'rooms=[{"name": "a", "path": "/rooms/{room}", "access": "token"}]')

    made = run("token", "--subject", "alice", "--room", "/rooms/{room}", "--action", "publish", *secret)

    assert made.exit_code == 0
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", made.stdout)
    asked = ("explain", "/rooms/lobby", *secret, *closed)
    assert run(*asked, "--token", made.stdout.strip()).exit_code == 0
    refused = run(*asked)
    assert refused.exit_code == 1
    assert "401" in refused.stdout


@pytest.mark.parametrize(("duration", "seconds"), [("1s", 1), ("15m", 900), ("1h", 3600), ("7d", 604_800)])
def test_token_lasts_as_long_as_it_is_to(duration: str, seconds: int) -> None:
    made = run("token", "--room", "/a", "--expires", duration, "--set", f"tokens.secret={SECRET}").stdout

    claims = json.loads(base64.urlsafe_b64decode(made.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == seconds
    assert claims["actions"] == ["subscribe"]
    assert "sub" not in claims


@pytest.mark.parametrize("duration", ["", "1", "h", "0h", "-1h", "1.5h", "1 h", "1w", "9999999999s"])
def test_duration_that_is_none_is_wrong_usage(duration: str) -> None:
    result = run("token", "--room", "/a", f"--expires={duration}", "--set", f"tokens.secret={SECRET}")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "is no whole number and s, m, h or d" in result.stderr


def test_token_needs_something_to_sign_with_under_dev_too() -> None:
    result = run("token", "--dev", "--room", "/a")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no key to sign a token with" in result.stderr
