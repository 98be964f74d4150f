"""What is wrong with an address, a room or a secret is said by its option, and ends the command with 2."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from roomcast.cli.clients import door_or_end, room_or_end, secret_or_end


def test_what_is_right_comes_back() -> None:
    Path("key").write_text("abc\n")

    assert door_or_end("http://127.0.0.1:8081").port == 8081
    assert room_or_end("/rooms/lobby") == "/rooms/lobby"
    assert secret_or_end("--key-file", Path("key"), "SECRET_OF_A_TEST") == "abc"


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (lambda: door_or_end("localhost"), "--url is not http://host:port or https://host:port: 'localhost'"),
        (lambda: room_or_end("lobby"), "ROOM is a path, so it begins with \"/\", and 'lobby' does not"),
        (
            lambda: secret_or_end("--key-file", Path("none"), "SECRET_OF_A_TEST"),
            "--key-file none cannot be read: No such file or directory",
        ),
        (
            lambda: secret_or_end("--key-file", Path("bad"), "SECRET_OF_A_TEST"),
            "bad holds more than one line, or characters that no header may have",
        ),
    ],
)
def test_what_is_wrong_ends_the_command(
    ask: Callable[[], object], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad").write_text("a\nb")

    with pytest.raises(typer.Exit) as ended:
        ask()

    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == f"roomcast: {rule}\n"
