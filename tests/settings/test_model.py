"""The settings as a whole: fixed, and read from their arguments alone."""

import pytest

from roomcast.settings import ServerSettings, Settings

ROOM = {"name": "rooms", "path": "/rooms/{room}"}


def test_settings_read_their_arguments_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "1234")

    assert Settings().server.port == 8080
    assert Settings(server=ServerSettings(port=0)).server.port == 0


@pytest.mark.parametrize("rooms", [[], "[]"])
def test_without_any_template_there_is_the_usual_one(rooms: object) -> None:
    [room] = Settings(rooms=rooms).rooms

    assert (room.name, room.path) == ("rooms", "/rooms/{room}")
