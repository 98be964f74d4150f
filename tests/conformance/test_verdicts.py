import json

import pytest

from tests.conformance.cases import INFORMATIONAL, MISSING, OK
from tests.conformance.verdicts import Verdict, count, missing, table


def said(case: str, behavior: str, closing: str = OK, **more: object) -> Verdict:
    return Verdict.read(json.dumps({"id": case, "behavior": behavior, "behaviorClose": closing, **more}))


@pytest.mark.parametrize(
    ("behavior", "closing", "verdict"),
    [(OK, OK, OK), ("FAILED", OK, "FAILED"), (OK, "UNCLEAN", "UNCLEAN"), ("FAILED", "WRONG CODE", "FAILED")],
)
def test_case_counts_as_the_worse_of_how_it_went_and_how_it_closed(behavior: str, closing: str, verdict: str) -> None:
    assert said("1.1.1", behavior, closing).verdict == verdict


def test_why_is_what_the_suite_saw_of_both() -> None:
    verdict = said("1.1.1", "FAILED", "UNCLEAN", result="no echo", resultClose="no close", remoteCloseCode=1002)

    assert (verdict.why, verdict.close_code) == ("no echo | no close", 1002)


@pytest.mark.parametrize(
    ("case", "verdict", "is_expected"),
    [
        ("7.1.6", INFORMATIONAL, True),
        ("7.1.6", OK, False),
        ("7.1.5", OK, True),
        ("7.1.5", INFORMATIONAL, False),
        ("7.1.5", "NON-STRICT", False),
    ],
)
def test_expected_is_the_best_that_there_is_and_nothing_else(case: str, verdict: str, *, is_expected: bool) -> None:
    assert said(case, verdict).is_expected is is_expected


def test_case_that_was_not_reached_is_missing_and_says_what_the_client_said_last() -> None:
    verdict = missing("9.1.6", "MemoryError")

    assert verdict.verdict == MISSING
    assert not verdict.is_expected
    assert verdict.why.endswith("MemoryError")


def test_table_has_a_line_for_each_group_with_the_best_verdicts_first() -> None:
    verdicts = [said("7.1.5", "FAILED"), said("7.1.6", INFORMATIONAL), said("7.1.1", OK), said("10.1.1", OK)]

    assert table(verdicts).splitlines() == [
        f"    7  {'closing':40} 1 OK, 1 INFORMATIONAL, 1 FAILED",
        f"   10  {'automatic fragmentation':40} 1 OK",
    ]
    assert count(verdicts) == "2 OK, 1 INFORMATIONAL, 1 FAILED"
