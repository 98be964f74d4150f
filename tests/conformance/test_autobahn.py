"""What the Autobahn testsuite, by which servers are compared, says of a relay: every case that takes seconds at most.

Of the compressed ones, which take a quarter of an hour, a sample. The whole of it is ``make conformance``.
"""

import pytest

from tests.conformance import suite
from tests.conformance.cases import TITLES, expected, matching

# An installation of the suite fetches some 35 packages; the other tests' limit is not meant for that.
TIMEOUT_S = 400

# Short and long messages, whole and in fragments, for each payload and each offer of a client's.
SAMPLES = {"12": ["12.?.1", "12.?.10", "12.?.15"], "13": ["13.?.4", "13.?.11"]}
SAMPLE_MESSAGES = 20
PATTERNS = {title: SAMPLES.get(group, [f"{group}.*"]) for group, title in TITLES.items()}


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("patterns", PATTERNS.values(), ids=PATTERNS)
def test_every_case_comes_to_the_best_verdict_that_there_is(patterns: list[str]) -> None:
    cases = matching(patterns)

    batch = suite.run(cases, messages=SAMPLE_MESSAGES)

    assert [verdict for verdict in batch.verdicts if not verdict.is_expected] == []
    assert {verdict.case: verdict.verdict for verdict in batch.verdicts} == {case: expected(case) for case in cases}
    assert batch.grown_bytes <= suite.GROWTH_MAX_BYTES
