"""Each source by itself: what it reads, what it refuses, and the places it remembers."""

import os
from pathlib import Path

import pytest

from roomcast.settings import SettingsError
from roomcast.settings.sources import Layer, lines, read_environment, read_file, read_overrides, read_secrets


def test_file_is_read_with_the_line_of_each_key(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[server]\n# a comment\nport = 1\n")

    layer = read_file(file)

    assert layer.values == {"server": {"port": 1}}
    assert layer.place("server.port") == f"{file} line 3"


def test_key_without_a_line_of_its_own_has_that_of_what_it_stands_in(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('\n[[rooms]]\norigins = { allow = ["x"] }\n')

    layer = read_file(file)

    assert layer.place("rooms[0].origins.allow") == f"{file} line 3"
    assert layer.place("rooms[0].path") == f"{file} line 2"
    assert layer.place("server.port") == str(file)


def test_lines_of_every_way_to_write_a_key_are_found() -> None:
    text = """\
log.level = "info"
[ server ]
"port" = 1
host   = "a"
allow = [
    "x = 1",
]
[[rooms]]
name = "a"
[rooms.origins]
allow = []
[[rooms]]
name = "b"
[admin]
port = 2
"""

    assert lines(text) == {
        "log.level": 1,
        "server": 2,
        "server.port": 3,
        "server.host": 4,
        "server.allow": 5,
        "rooms": 8,
        "rooms[0]": 8,
        "rooms[0].name": 9,
        "rooms[0].origins": 10,
        "rooms[0].origins.allow": 11,
        "rooms[1]": 12,
        "rooms[1].name": 13,
        "admin": 14,
        "admin.port": 15,
    }


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_text_that_looks_like_keys_is_none(quotes: str) -> None:
    text = f"[[rooms]]\ngreeting = {quotes}\n[server]\nport = 1\n{quotes}\necho = true\n"

    assert lines(text) == {"rooms": 1, "rooms[0]": 1, "rooms[0].greeting": 2, "rooms[0].echo": 6}


def test_file_that_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[server]\nport =\n")

    with pytest.raises(SettingsError, match=r"a\.toml line 2: is no TOML: Invalid value$"):
        read_file(file)


def test_file_that_ends_too_early_is_refused_without_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[server]\nhost = """')

    with pytest.raises(SettingsError, match=r"a\.toml: is no TOML: .*end of document"):
        read_file(file)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 3000,
        "a" + ".a" * 600 + " = 1",
        "[limits" + ".a" * 600 + "]",
        "a = " + "[" * 17 + "]" * 17,
    ],
    ids=["brackets", "key", "header", "one level"],
)
def test_file_that_is_nested_too_deep_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=r"a\.toml: is nested deeper"):
        read_file(file)


def test_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")

    with pytest.raises(SettingsError, match=r"a\.toml: cannot be read: Not a plain file$"):
        read_file(tmp_path / "a.toml")


def test_secret_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ROOMCAST_ADMIN__API_KEY")

    with pytest.raises(SettingsError, match=r"cannot be read: .*Not a plain file: '.*ROOMCAST_ADMIN__API_KEY'$"):
        read_secrets(tmp_path)


def test_number_of_more_digits_than_python_reads_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[limits]\nrooms_max = " + "9" * 5000)

    with pytest.raises(SettingsError, match=r"a\.toml: is no TOML that can be read: .*4300 digits"):
        read_file(file)


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xff")

    with pytest.raises(SettingsError, match=r"a\.toml: is no UTF-8"):
        read_file(file)


def test_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a\.toml: cannot be read: No such file or directory"):
        read_file(tmp_path / "a.toml")


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_file(tmp_path)


def test_secrets_are_files_named_like_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ROOMCAST_SERVER__PORT").write_text("1234\n")

    layer = read_secrets(tmp_path)

    assert layer.values == {"server": {"port": "1234"}}
    assert layer.place("server.port") == f"secret {tmp_path}/ROOMCAST_SERVER__PORT"
    assert layer.is_secret


def test_secrets_of_others_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "DATABASE").write_bytes(b"\xff")
    (tmp_path / "folder").mkdir()

    assert read_secrets(tmp_path).values == {}


def test_folder_of_secrets_may_be_missing(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "secrets").values == {}


def test_misnamed_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ROOMCAST_SERVER_PORT").write_text("1234")

    with pytest.raises(SettingsError, match=r"SERVER_PORT: there is no such setting; did you mean .*SERVER__PORT\?"):
        read_secrets(tmp_path)


def test_secret_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ROOMCAST_SERVER__PORT").mkdir()

    with pytest.raises(SettingsError, match=r"cannot be read: .*Is a directory"):
        read_secrets(tmp_path)


def test_secret_that_is_no_text_is_refused_without_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "ROOMCAST_SERVER__PORT").write_bytes(b"\xffconfidential")

    with pytest.raises(SettingsError, match="cannot be read") as caught:
        read_secrets(tmp_path)

    assert "confidential" not in str(caught.value)


def test_environment_names_section_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "1234")
    monkeypatch.setenv("ROOMCAST_ROOMS", "[]")

    layer = read_environment()

    assert layer.values == {"server": {"port": "1234"}, "rooms": "[]"}
    assert layer.place("server.port") == "environment ROOMCAST_SERVER__PORT"
    assert layer.place("rooms[0].name") == "environment ROOMCAST_ROOMS"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ROOMCAST_SERVR__PORT", "ROOMCAST_SERVER__PORT"),
        ("ROOMCAST_SERVER_PORT", "ROOMCAST_SERVER__PORT"),
        ("ROOMCAST_SERVER__PRT", "ROOMCAST_SERVER__PORT"),
        ("ROOMCAST_SERVER__PORT__X", "ROOMCAST_SERVER__PORT"),
        ("roomcast_server__port", "ROOMCAST_SERVER__PORT"),
        ("ROOMCAST_CONFIGS", "ROOMCAST_CONFIG"),
        ("ROOMCAST_CLIENT_TOKNE", "ROOMCAST_CLIENT_TOKEN"),
    ],
)
def test_misspelt_name_in_the_environment_is_refused(name: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")

    with pytest.raises(SettingsError) as caught:
        read_environment()

    assert str(caught.value) == f"environment {name}: there is no such setting; did you mean {meant}?"


def test_section_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_SERVER", '{"port": 1}')

    with pytest.raises(SettingsError, match="environment ROOMCAST_SERVER: there is no such setting"):
        read_environment()


def test_all_misspelt_names_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_A__B", "1")
    monkeypatch.setenv("ROOMCAST_C__D", "1")

    with pytest.raises(SettingsError) as caught:
        read_environment()

    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROOMCAST_SERVICE_HOST", "10.0.0.1"),
        ("ROOMCAST_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ("ROOMCAST_SERVICE_PORT", "8080"),
        ("ROOMCAST_SERVICE_PORT_HTTP", "8080"),
        ("ROOMCAST_PORT", "tcp://10.0.0.1:8080"),
        ("ROOMCAST_ADMIN_PORT", "tcp://10.0.0.1:8081"),
        ("ROOMCAST_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("ROOMCAST_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("ROOMCAST_ADMIN_PORT_8081_TCP_PROTO", "tcp"),
        ("ROOMCAST_CONFIG", "a.toml"),
        ("ROOMCAST_CLIENT_TOKEN", "abc"),
        ("ROOMCAST_CLIENT_API_KEY", "abc"),
        ("ROOMCASTLE", "1"),
    ],
)
def test_name_that_is_not_meant_for_us_is_left_alone(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    assert read_environment().values == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("ROOMCAST_ADMIN_PORT", "8081"), ("ROOMCAST_ADMIN__SERVICE_HOST", "a"), ("ROOMCAST_PORT_X_TCP", "a")],
)
def test_name_that_only_resembles_those_of_kubernetes_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name):
        read_environment()


def test_overrides_name_section_and_key_and_the_last_one_wins() -> None:
    layer = read_overrides(["server.port=1", "server.host=a=b", "server.port=2", "rooms=[]"])

    assert layer.values == {"server": {"port": "2", "host": "a=b"}, "rooms": "[]"}
    assert layer.place("server.port") == "--set"


def test_override_without_a_value_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--set server\.port: has no value; write --set section\.key=value"):
        read_overrides(["server.port"])


@pytest.mark.parametrize("key", ["server.prt", "port", "Server.port"])
def test_override_of_no_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=rf"--set {key}: there is no such key; did you mean server\.port\?"):
        read_overrides([f"{key}=1"])


def test_layer_knows_what_it_says_something_about() -> None:
    layer = Layer({"rooms": [{"name": "a"}]})

    assert layer.has("rooms[0].name")
    assert not layer.has("rooms[0].path")
    assert layer.place("rooms[0].name") == ""


def test_rows_of_two_lists_of_tables_are_counted_apart() -> None:
    text = '[[rooms]]\nname = "a"\n[[api_keys]]\nname = "b"\n[[rooms]]\nname = "c"\n[[api_keys]]\nname = "d"\n'

    found = lines(text)

    assert [found[key] for key in ("rooms[0].name", "api_keys[0].name", "rooms[1].name", "api_keys[1].name")] == [
        2,
        4,
        6,
        8,
    ]
