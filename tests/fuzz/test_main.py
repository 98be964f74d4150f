"""A short run of atheris on each target, from the kept corpus: what a change broke, it often finds in a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS, Target

SECONDS = 1


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_atheris_finds_nothing_in_a_short_run(
    target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The same path through the same inputs, as far as a second goes: a finding belongs to the change that shows it.
    is_clean = fuzz.run(target, SECONDS, tmp_path, corpus.CORPUS, seed=1)

    said = capsys.readouterr().out
    assert is_clean, said
    assert "DONE" in said


def test_a_finding_is_written_down_under_the_name_of_the_promise_that_it_breaks(tmp_path: Path) -> None:
    target = Target("broken", broken, no_seeds)

    path = fuzz.explain(target, "crash", b"\x00\xff", tmp_path)

    assert path.name.startswith("finding-a-byte-that-is-not-ascii-")
    assert path.read_bytes() == b"\x00\xff"


@pytest.mark.parametrize(("kind", "data"), [("timeout", b"\xff"), ("oom", b"\xff"), ("crash", b"\x00")])
def test_a_finding_that_breaks_no_promise_here_is_named_after_its_kind(kind: str, data: bytes, tmp_path: Path) -> None:
    target = Target("broken", broken, no_seeds)

    assert fuzz.explain(target, kind, data, tmp_path).name.startswith(f"finding-{kind}-")


def broken(data: bytes) -> None:
    assert data.isascii(), "a byte that is not ASCII"


def no_seeds() -> Iterator[bytes]:
    yield from ()


def test_words_of_a_dictionary_are_quoted_for_libfuzzer() -> None:
    assert fuzz.quoted('a"\\\r\n') == '"a\\x22\\x5c\\x0d\\x0a"'
