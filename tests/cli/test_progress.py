"""What is said of a long input while it is sent, and of any when it has been."""

import io
import os
import pty
import sys
from pathlib import Path

import pytest

from roomcast.cli.batches import Batch, Item
from roomcast.cli.progress import Tally, noting, size_bytes_of
from roomcast.cli.publisher import Accepted
from tests.cli.terminals import read_until

THREE = Batch([Item(number, b"", 100) for number in (1, 2, 3)])


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "0 messages"),
        ([Accepted(THREE, "k7c2m9qa", [41])], "1 message, k7c2m9qa:41"),
        (
            [Accepted(THREE, "k7c2m9qa", [41, 42, 50]), Accepted(THREE, "k7c2m9qa", [51, None, None])],
            "4 messages, k7c2m9qa:41 to 51",
        ),
        (
            [Accepted(THREE, "k7c2m9qa", [41]), Accepted(THREE, "a2b3c4d5", [1, 2])],
            "3 messages, k7c2m9qa:41, a2b3c4d5:1 to 2",
        ),
        ([Accepted(THREE, "k7c2m9qa", list(range(1, 1201)))], "1,200 messages, k7c2m9qa:1 to 1200"),
    ],
)
def test_summary_says_how_many_and_where_under_each_epoch(answers: list[Accepted], said: str) -> None:
    tally = Tally()
    for accepted in answers:
        tally.add(accepted)

    assert str(tally) == said


def test_length_of_a_file_is_known_from_where_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")

    with (tmp_path / "a").open("rb") as source:
        source.seek(2)
        assert size_bytes_of(source) == 3


def test_length_of_a_pipe_is_not_known() -> None:
    reader, writer = os.pipe()
    os.close(writer)

    with open(reader, "rb") as source:
        assert size_bytes_of(source) is None


def test_length_of_what_is_no_file_is_not_known() -> None:
    assert size_bytes_of(io.BytesIO(b"a")) is None


def test_nothing_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    with noting(tally, io.BytesIO(b"a")) as note:
        note(Accepted(THREE, "k7c2m9qa", [1, 2, 3]))

    assert tally.count == 3
    assert capsys.readouterr() == ("", "")


def test_terminal_shows_how_much_of_the_input_was_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x" * 600)
    ours, its = pty.openpty()
    with open(ours, "rb", buffering=0), open(its, "w") as terminal, (tmp_path / "a").open("rb") as source:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with noting(Tally(), source) as note:
            note(Accepted(THREE, "k7c2m9qa", [1, 2, 3]))
        shown = read_until(ours, b"300/600 bytes")

    assert "3 messages" in shown
