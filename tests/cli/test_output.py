"""What is printed, where, and how wide."""

import pytest

from roomcast.cli.output import say
from tests.cli.runner import run


def test_check_cuts_and_wraps_nothing_for_a_pipe() -> None:
    allow = ",".join(f"https://page{number}.example.com" for number in range(20))

    result = run("check", "--set", f"origins.allow={allow}")

    assert '"https://page19.example.com"]  --set' in result.stdout


def test_what_a_caller_writes_is_printed_as_it_is() -> None:
    # In rich's markup, brackets would be a style.
    assert "/rooms/[bold]x" in run("explain", "/rooms/[bold]x").stdout


def test_what_somebody_else_wrote_moves_no_cursor_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\x1b[2J\ntwo\u202e")

    assert capsys.readouterr().err == "roomcast: one\\x1b[2J\nroomcast: two\\u202e\n"
