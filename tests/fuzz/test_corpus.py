"""All that the fuzzer begins with, and all that it ever found, held to the promises again. No atheris is needed."""

from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS, Target

CORPUS_MAX_BYTES = 500_000

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@each_target
def test_every_input_that_was_kept_keeps_the_promises(target: Target) -> None:
    for name, data in corpus.inputs(target):
        try:
            target.check(data)
        except Exception as error:
            error.add_note(f"with the input {name} of {target.name}")
            raise


@each_target
def test_a_corpus_is_there_and_no_input_is_in_it_twice(target: Target) -> None:
    inputs = [path.read_bytes() for path in corpus.files(corpus.CORPUS / target.name)]

    assert inputs
    assert len(set(inputs)) == len(inputs)


def test_no_corpus_is_without_its_target() -> None:
    assert {path.name for path in corpus.CORPUS.iterdir()} == set(TARGETS)


def test_all_that_is_kept_is_small() -> None:
    sizes = [path.stat().st_size for path in corpus.CORPUS.rglob("*") if path.is_file()]

    assert sum(sizes) < CORPUS_MAX_BYTES


def test_a_finding_is_named_after_what_was_wrong(tmp_path: Path) -> None:
    path = corpus.add(tmp_path, b"bad", corpus.name_finding(AssertionError("a text that is not UTF-8")))
    other = corpus.add(tmp_path, b"worse", corpus.name_finding(ValueError("byte 0xFF")))

    assert path.name.startswith("finding-a-text-that-is-not-utf-8-")
    assert other.name.startswith("finding-valueerror-byte-0xff-")
    assert (path.read_bytes(), other.read_bytes()) == (b"bad", b"worse")


def test_a_new_choice_replaces_everything_but_the_findings(tmp_path: Path) -> None:
    kept, chosen = tmp_path / "kept", tmp_path / "chosen"
    finding = corpus.add(kept, b"bad", corpus.FINDING)
    corpus.add(kept, b"old")
    new = corpus.add(chosen, b"new")

    corpus.replace(kept, chosen)

    assert {path.name for path in corpus.files(kept)} == {finding.name, new.name}
