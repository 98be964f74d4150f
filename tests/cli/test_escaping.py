"""What cannot be looked at is written out, and everything else stays as it was sent."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.cli.escaping import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\tb\r\nc\x7f", r"a\tb\r\nc\x7f"),
        ("\x9b2J", r"\x9b2J"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("admin\u202enimda", r"admin\u202enimda"),
    ],
)
def test_what_moves_the_cursor_or_turns_the_line_around_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["", "héllo", "日本", "👩‍👩‍👧", "a\u00a0b", r'{"a": "\n"}'])
def test_what_can_be_looked_at_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text())
def test_nothing_shown_is_a_control(text: str) -> None:
    assert not {unicodedata.category(character) for character in printable(text)} & {"Cc", "Zl", "Zp", "Cs"}
