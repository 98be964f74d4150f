"""All sources together: which one wins, and what is remembered of it."""

from pathlib import Path
from typing import Any

import pytest

from roomcast.settings import Loaded, SettingsError, load


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def value_and_source(loaded: Loaded, key: str) -> tuple[str, str]:
    return next((value, source) for name, value, source in loaded.rows() if name == key)


@pytest.mark.parametrize(
    ("given", "port", "source"),
    [
        ("", 8080, "default"),
        ("file", 1, "a.toml line 2"),
        ("file secret", 2, "secret secrets/ROOMCAST_SERVER__PORT"),
        ("file secret environment", 3, "environment ROOMCAST_SERVER__PORT"),
        ("file secret environment set", 4, "--set"),
        ("file set", 4, "--set"),
    ],
)
def test_each_source_wins_over_those_before_it(
    given: str, port: int, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = Path("secrets")
    write(secrets / ("ROOMCAST_SERVER__PORT" if "secret" in given else "OTHER"), "2")
    if "environment" in given:
        monkeypatch.setenv("ROOMCAST_SERVER__PORT", "3")

    loaded = load(
        write(Path("a.toml"), "[server]\nport = 1\n") if "file" in given else None,
        overrides=["server.port=4"] if "set" in given.split() else [],
        secrets=secrets,
    )

    assert loaded.settings.server.port == port
    assert loaded.sources["server.port"] == source


def test_source_that_names_one_key_of_a_section_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "3")

    loaded = load(write(tmp_path / "a.toml", '[server]\nhost = "0.0.0.0"\nport = 1\n'))

    assert (loaded.settings.server.host, loaded.settings.server.port) == ("0.0.0.0", 3)


def test_list_is_one_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_ORIGINS__ALLOW", "https://b.example, https://c.example")

    loaded = load(write(tmp_path / "a.toml", '[origins]\nallow = ["https://a.example"]\n'))

    assert loaded.settings.origins.allow == ("https://b.example", "https://c.example")


def test_templates_are_one_value_and_say_where_each_key_is_from(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[[rooms]]\nname = "a"\npath = "/a"\n\n[[rooms]]\nname = "b"\npath = "/b"\n')

    loaded = load(file)

    assert loaded.sources["rooms[1].path"] == f"{file} line 7"
    assert loaded.sources["rooms[1].echo"] == "default"


def test_templates_of_a_higher_source_replace_all_of_a_lower_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOMCAST_ROOMS", '[{"name": "c", "path": "/c"}]')

    loaded = load(write(tmp_path / "a.toml", '[[rooms]]\nname = "a"\npath = "/a"\necho = true\n'))

    [room] = loaded.settings.rooms
    assert (room.name, room.echo) == ("c", False)
    assert loaded.sources["rooms[0].path"] == "environment ROOMCAST_ROOMS"


def test_named_file_wins_over_the_environment_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CONFIG", str(write(tmp_path / "b.toml", "[server]\nport = 2\n")))

    assert load().settings.server.port == 2
    assert load(write(tmp_path / "a.toml", "[server]\nport = 1\n")).settings.server.port == 1


def test_file_that_the_environment_names_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CONFIG", "b.toml")

    with pytest.raises(SettingsError, match=r"b\.toml: cannot be read: No such file"):
        load()


def test_file_in_the_current_folder_is_found() -> None:
    write(Path("config/roomcast.toml"), "[server]\nport = 1\n")

    loaded = load()

    assert loaded.sources["server.port"] == "config/roomcast.toml line 2"


def test_file_that_was_found_is_the_one_that_is_read_again() -> None:
    path = write(Path("config/roomcast.toml"), "[server]\nport = 1\n")
    loaded = load()
    path.unlink()

    with pytest.raises(SettingsError, match=r"config/roomcast\.toml: cannot be read"):
        loaded.given.load()


def test_without_any_file_the_defaults_hold() -> None:
    loaded = load()

    assert set(loaded.sources.values()) == {"default"}


def test_problem_names_the_source_that_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "http")

    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path / "a.toml", "[server]\nport = 1\n"))

    assert str(caught.value).startswith('environment ROOMCAST_SERVER__PORT: server.port = "http": should be')


def test_missing_key_is_missed_where_its_template_begins(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[[rooms]]\nname = "a"\npath = "/a"\n[[rooms]]\nname = "b"\n')

    with pytest.raises(SettingsError) as caught:
        load(file)

    assert str(caught.value) == f"{file} line 4: rooms[1].path: is required"


def test_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path / "ROOMCAST_SERVER__PORT", "confidential")

    with pytest.raises(SettingsError) as caught:
        load(secrets=tmp_path)

    assert "confidential" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_rows_show_values_as_the_file_would_write_them(tmp_path: Path) -> None:
    loaded = load(overrides=["origins.allow=https://a.example,null", "server.drain_s=0.5", "server.demo=yes"])

    assert value_and_source(loaded, "origins.allow") == ('["https://a.example", "null"]', "--set")
    assert value_and_source(loaded, "server.demo") == ("true", "--set")
    assert value_and_source(loaded, "server.drain_s") == ("0.5", "--set")
    assert value_and_source(loaded, "limits.close_timeout_s") == ("2", "default")
    assert value_and_source(loaded, "server.host") == ('"127.0.0.1"', "default")


def test_rows_show_what_a_template_inherits() -> None:
    loaded = load(overrides=["limits.messages_per_s=7", "origins.allow=null"])

    assert value_and_source(loaded, "rooms[0].messages_per_s") == ("7", "as limits.messages_per_s")
    assert value_and_source(loaded, "rooms[0].origins") == ('["null"]', "as origins.allow")


def test_rows_show_a_template_s_own_origins() -> None:
    loaded = load(overrides=['rooms=[{"name": "a", "path": "/a", "origins": {"allow": "null"}}]'])

    assert value_and_source(loaded, "rooms[0].origins") == ('{ allow = ["null"], shadow = [] }', "--set")


def test_rows_hide_secrets_and_what_is_inherited_from_them(tmp_path: Path) -> None:
    write(tmp_path / "ROOMCAST_ORIGINS__ALLOW", "https://confidential.example")

    loaded = load(secrets=tmp_path)

    assert value_and_source(loaded, "origins.allow")[0] == "(hidden)"
    assert "confidential" not in str(list(loaded.rows()))


@pytest.mark.parametrize("secret", ["confidential, and long enough to be one", "confidential"])
def test_secret_for_tokens_is_never_shown_wherever_it_stands(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.toml", f'[tokens]\nsecret = "{secret}"\n')

    def told(**options: Any) -> str:
        try:
            return str(list(load(**options).rows()))
        except SettingsError as error:
            return str(error)

    said = [told(file=file), told(overrides=[f"tokens.secret={secret}"])]
    monkeypatch.setenv("ROOMCAST_TOKENS__SECRET", secret)
    said.append(told())

    assert all("(hidden)" in text for text in said)
    assert "confidential" not in str(said)


def test_rows_show_that_no_secret_is_set() -> None:
    assert value_and_source(load(), "tokens.secret") == ('""', "default")


def test_dev_lies_over_the_file_and_under_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_ORIGINS__ALLOW", "null")

    loaded = load(write(tmp_path / "a.toml", "[server]\ndemo = false\nport = 1\n"), is_dev=True)

    assert (loaded.settings.server.demo, loaded.settings.server.port) == (True, 1)
    assert loaded.settings.origins.allow == ("null",)
    assert "dev.toml line " in loaded.sources["server.demo"]


def test_dev_has_templates_for_a_file_that_has_the_default_ones() -> None:
    commented = Path(__file__).parents[2] / "config" / "roomcast.toml"

    for file in (None, commented):
        [room] = load(file, is_dev=True).settings.rooms
        assert (room.path, room.history_messages, room.presence) == ("/rooms/{room}", 200, True)


def test_dev_leaves_templates_of_ones_own_as_they_are(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[[rooms]]\nname = "news"\npath = "/news/{topic}"\n')

    loaded = load(file, is_dev=True)

    assert [room.name for room in loaded.settings.rooms] == ["news"]
    assert loaded.settings.server.demo


def test_dev_hides_no_mistake_in_a_template(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[[rooms]]\nname = "news"\npath = 7\n')

    with pytest.raises(SettingsError, match=r"a\.toml line 3: "):
        load(file, is_dev=True)


def test_dev_is_named_as_seen_from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])

    assert load(is_dev=True).sources["server.demo"].startswith("config/dev.toml line ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "unix:/run/public.sock"])
def test_dev_listens_on_loopback(host: str) -> None:
    assert load(is_dev=True, overrides=[f"server.host={host}"]).settings.server.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "relay.example.com"])
@pytest.mark.parametrize("key", ["server.host", "admin.host"])
def test_dev_refuses_to_be_reachable_from_elsewhere(key: str, host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(is_dev=True, overrides=[f"{key}={host}"])

    assert str(caught.value).startswith(f'--set: {key} = "{host}": --dev lets every page on this machine in')


SECRET_KEY = "0123456789abcdef0123456789ABCDEF"


def test_api_key_is_not_shown_wherever_it_was_written(tmp_path: Path) -> None:
    in_file = load(write(tmp_path / "a.toml", f'[admin]\napi_key = "{SECRET_KEY}"\n'))
    on_the_line = load(overrides=[f"admin.api_key={SECRET_KEY}"])

    for loaded in (in_file, on_the_line):
        assert loaded.settings.admin.api_key == SECRET_KEY
        assert value_and_source(loaded, "admin.api_key")[0] == "(hidden)"
        assert SECRET_KEY not in repr(loaded.settings)


def test_api_key_that_is_none_is_seen_to_be_none() -> None:
    assert value_and_source(load(), "admin.api_key") == ('""', "default")


@pytest.mark.parametrize("key", [SECRET_KEY[1:], f"{SECRET_KEY} {SECRET_KEY}", f"{SECRET_KEY}ü"])
def test_api_key_that_is_no_good_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path / "a.toml", f'[admin]\napi_key = "{key}"\n'))

    assert f"{tmp_path}/a.toml line 2: admin.api_key = (hidden): " in str(caught.value)
    assert SECRET_KEY[1:] not in str(caught.value)


def test_holders_of_api_keys_have_places(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[[api_keys]]\nname = "a"\nfile = "/keys"\nscopes = ["read"]\n')

    loaded = load(file)

    assert value_and_source(loaded, "api_keys[0].scopes") == ('["read"]', f"{file} line 4")


def test_scope_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path / "a.toml", '[[api_keys]]\nname = "a"\nfile = "/keys"\nscopes = ["write"]\n'))

    assert "a.toml line 4: api_keys[0].scopes" in str(caught.value)
    assert "'publish', 'read' or 'admin'" in str(caught.value)


def test_credentials_of_systemd_are_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "ROOMCAST_SERVER__PORT", "5")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    loaded = load(overrides=["server.host=127.0.0.1"], secrets=tmp_path / "none")

    assert loaded.settings.server.port == 5
    assert value_and_source(loaded, "server.port")[1] == f"secret {tmp_path}/ROOMCAST_SERVER__PORT"
    assert "server.port" in loaded.secrets
