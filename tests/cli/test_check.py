"""roomcast check: every value with its place, and every mistake that serve would find."""

import re
from pathlib import Path

import pytest

from tests.certificates import issue
from tests.cli.runner import run


def test_check_prints_every_value_and_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.toml").write_text('[origins]\nallow = ["https://[::1]:443"]\n')
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "0")

    result = run("check", "--config", "a.toml", "--set", "log.level=error")

    assert result.exit_code == 0
    rows = [re.split(r" {2,}", line.strip()) for line in result.stdout.splitlines()]
    assert ["server.port", "0", "environment ROOMCAST_SERVER__PORT"] in rows
    assert ["origins.allow", '["https://[::1]:443"]', "a.toml line 2"] in rows
    assert ["log.level", '"error"', "--set"] in rows
    assert ["limits.rooms_max", "10000", "default"] in rows
    assert ["rooms[0].bytes_per_s", "262144", "as limits.bytes_per_s"] in rows


@pytest.mark.parametrize("command", ["check", "serve"])
def test_network_that_is_none_is_a_mistake_in_the_configuration(command: str) -> None:
    result = run(command, "--set", "server.trusted_proxies=10.0.0.1/8")

    assert result.exit_code == 2
    assert 'trusted_proxies "10.0.0.1/8": has bits set behind its length: write "10.0.0.0/8"' in result.stderr


@pytest.mark.parametrize("command", ["check", "serve"])
def test_certificate_that_cannot_be_served_with_is_a_mistake_in_the_configuration(command: str) -> None:
    result = run(command, "--set", "tls.certificate=no.pem", "--set", "tls.key=no.pem")

    assert result.exit_code == 2
    assert result.stderr == "roomcast: [tls] certificate: no.pem cannot be read: No such file or directory\n"


def test_check_finds_nothing_wrong_with_a_certificate_and_its_key(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path).assignments

    assert run("check", "--set", certificate, "--set", key).exit_code == 0


def test_served_host_that_the_policy_refuses_is_a_wrong_configuration() -> None:
    result = run("check", "--set", "server.hosts=a.example:443")

    assert result.exit_code == 2
    assert 'hosts "a.example:443": a name has no port: write "a.example"' in result.stderr


def test_check_reads_the_files_of_keys() -> None:
    result = run("check", "--set", "tokens.keys=missing.pem")

    assert result.exit_code == 2
    assert result.stderr == "roomcast: [tokens] keys: missing.pem cannot be read: No such file or directory\n"


def test_check_reads_the_files_of_api_keys_and_shows_no_key(tmp_path: Path) -> None:
    key = "0123456789abcdef0123456789abcdef"
    (tmp_path / "keys").write_text(key)
    table = f'api_keys=[{{"name": "backend", "file": "{tmp_path}/keys", "scopes": ["read"]}}]'

    good = run("check", "--set", table, "--set", f"admin.api_key={key[::-1]}")
    (tmp_path / "keys").write_text(key[1:])
    bad = run("check", "--set", table)

    assert (good.exit_code, bad.exit_code) == (0, 2)
    assert "(hidden)" in good.output
    assert f'api_keys "backend": {tmp_path}/keys line 1 is shorter than 32 characters' in bad.output
    assert key[1:] not in bad.output
    assert key[::-1] not in good.output
