"""How messages are shown: to programs line by line, to a person on a terminal."""

import io
import json

import pytest
from rich.console import Console

from roomcast.cli.display import show_json, show_line, terminal
from roomcast.cli.sse import Event

TEXT = Event("message", "a\tb\x1b[2J", "k7c2m9qa:41")
BINARY = Event("binary", "AP8=", "k7c2m9qa:42")


def test_program_gets_offset_tab_and_text_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_line(TEXT)
    show_line(BINARY)

    assert capsys.readouterr().out == "41\ta\\tb\\x1b[2J\n42\t(2 bytes, binary)\n"


def test_json_holds_what_was_sent_and_nothing_that_moves_a_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    said = Event("message", "é\x9b\u202e\n", "k7c2m9qa:43")
    for event in (TEXT, BINARY, said):
        show_json(event)

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"epoch": "k7c2m9qa", "offset": 41, "text": "a\tb\x1b[2J"},
        {"epoch": "k7c2m9qa", "offset": 42, "base64": "AP8="},
        {"epoch": "k7c2m9qa", "offset": 43, "text": "é\x9b\u202e\n"},
    ]
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_position_that_is_no_relay_s_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    event = Event("binary", "=", "a\x1b")
    show_line(event)
    show_json(event)

    assert capsys.readouterr().out.splitlines() == [
        "a\\x1b\t(-1 bytes, binary)",
        '{"epoch": null, "offset": null, "base64": "="}',
    ]


def test_terminal_shows_messages_and_how_fast_they_come() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    now = [100.0]
    with terminal(console, "/rooms/lobby", lambda: now[0]) as show:
        show(TEXT)
        show(BINARY)
        show(Event("message", "x" * 2048, "k7c2m9qa:43"))
        now[0] = 102.0

    shown = screen.getvalue()
    assert "      41  " in shown
    assert r"a\tb\x1b[2J" in shown
    assert "(2 bytes, binary)" in shown
    assert "/rooms/lobby  3 messages, 2.0 KiB  1.5/s, 1.0 KiB/s" in shown


def test_terminal_shows_a_message_in_brackets_as_it_is() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with terminal(console, "/rooms/lobby", lambda: 0.0) as show:
        show(Event("message", "[bold]a[/bold]", "k7c2m9qa:1"))

    assert "[bold]a[/bold]" in screen.getvalue()
