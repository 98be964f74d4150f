import pytest

from tests.conformance.cases import ALL, INFORMATIONAL, OK, TITLES, batches, expected, group_of, matching


def test_suite_has_517_cases_of_which_514_can_be_ok() -> None:
    verdicts = [expected(case) for case in ALL]

    assert len(set(ALL)) == 517
    assert verdicts.count(OK) == 514
    assert verdicts.count(INFORMATIONAL) == 3
    assert {group_of(case) for case in ALL} == set(TITLES)


@pytest.mark.parametrize(
    ("pattern", "count", "first", "last"),
    [
        ("*", 517, "1.1.1", "13.7.18"),
        ("1.*", 16, "1.1.1", "1.2.8"),
        ("2.*", 11, "2.1", "2.11"),
        ("6.22.*", 34, "6.22.1", "6.22.34"),
        ("7.13.*", 2, "7.13.1", "7.13.2"),
        ("9.1.6", 1, "9.1.6", "9.1.6"),
    ],
)
def test_pattern_names_cases_in_order(pattern: str, count: int, first: str, last: str) -> None:
    cases = matching([pattern])

    assert (len(cases), cases[0], cases[-1]) == (count, first, last)


def test_case_that_two_patterns_name_is_run_once() -> None:
    assert matching(["3.1", "2.11", "3.1"]) == ["2.11", "3.1"]


@pytest.mark.parametrize("pattern", ["8.*", "7.2.*", "2.12", "9.1.7"])
def test_pattern_that_names_no_case_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=f"'{pattern[0]}.* names no case: the groups are 1, 2, .*, as in 6.4"):
        matching(["1.*", pattern])


def test_compression_is_cut_into_batches_and_group_9_has_one_to_itself() -> None:
    planned = batches(matching(["1.*", "7.*", "9.*", "10.*", "12.1.*", "12.2.*"]))

    assert [(batch[0], batch[-1]) for batch in planned] == [
        ("1.1.1", "10.1.1"),
        ("9.1.1", "9.8.6"),
        ("12.1.1", "12.1.18"),
        ("12.2.1", "12.2.18"),
    ]
