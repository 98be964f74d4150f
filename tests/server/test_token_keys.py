"""The keys of the settings, read; and what is said where they, or the libraries for them, are not there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from roomcast.server.token_keys import check_installed, is_configured, read_token_keys
from roomcast.settings import Settings
from tests.tokens import SECRET, jwks, signer


def with_keys(*paths: Path, secret: str = "") -> Settings:
    return Settings.model_validate({"tokens": {"secret": secret, "keys": [str(path) for path in paths]}})


def test_keys_are_the_secret_and_all_in_the_files(tmp_path: Path) -> None:
    pem, several = tmp_path / "a.pem", tmp_path / "b.json"
    pem.write_bytes(signer("RS256").public)
    several.write_bytes(jwks(a=signer("ES256"), b=signer("EdDSA")))

    keys = read_token_keys(with_keys(pem, several, secret=SECRET))

    assert [(key.algorithm, key.kid) for key in keys] == [
        ("HS256", None),
        ("RS256", None),
        ("ES256", "a"),
        ("EdDSA", "b"),
    ]


def test_url_alone_is_a_configuration_without_keys_yet() -> None:
    settings = Settings.model_validate({"tokens": {"jwks_url": "https://id.example.com/"}})

    assert is_configured(settings)
    assert read_token_keys(settings) == []


def test_nothing_is_no_configuration() -> None:
    assert not is_configured(Settings())
    assert read_token_keys(Settings()) == []
    check_installed()


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing.pem"

    with pytest.raises(ValueError, match=f"^{re.escape(f'[tokens] keys: {path} cannot be read: No such file')}"):
        read_token_keys(with_keys(path))


def test_file_that_holds_no_key_is_named_with_the_rule_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("s3cr3t")

    with pytest.raises(ValueError, match="a secret for HS256 has at least 32 bytes") as raised:
        read_token_keys(with_keys(path))

    assert str(raised.value).startswith(f"[tokens] keys: {path}: ")
    assert "s3cr3t" not in str(raised.value)


# The libraries are there, where the tests run; to a program that was told so, they are not.
WITHOUT = "import sys; sys.modules['{}'] = None; from roomcast.cli import main; main()"
CLOSED = 'rooms=[{"name": "a", "path": "/a/{x}", "access": "token"}]'


@pytest.mark.parametrize(
    ("library", "arguments", "status"),
    [
        ("jwt", ["check", "--set", f"tokens.secret={SECRET}", "--set", CLOSED], 2),
        ("jwt", ["serve", "--set", f"tokens.secret={SECRET}", "--set", "server.port=0", "--set", "admin.port=0"], 2),
        ("cryptography", ["token", "--set", f"tokens.secret={SECRET}", "--room", "/a"], 2),
        ("jwt", ["check"], 0),
        ("cryptography", ["explain", "/rooms/lobby"], 0),
    ],
)
def test_without_the_libraries_only_tokens_are_missing(
    library: str, arguments: list[str], status: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WITHOUT.format(library), *arguments]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == status, ended.stderr
    if status:
        assert ended.stderr == (
            "roomcast: [tokens] needs libraries that are not installed: pip install 'roomcast[tokens]'\n"
        )
