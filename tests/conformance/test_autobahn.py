"""What the Autobahn testsuite, by which servers are compared, says of a relay: every case that takes seconds at most.

The whole of it is ``make conformance``.
"""

import pytest

from tests.conformance import suite
from tests.conformance.cases import TITLES, expected, matching

# An installation of the suite fetches some 35 packages; the other tests' limit is not meant for that.
TIMEOUT_S = 400

GROUPS = {TITLES[group]: [f"{group}.*"] for group in ("1", "2", "3", "4", "5", "6", "7", "9", "10")}


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("patterns", GROUPS.values(), ids=GROUPS)
def test_every_case_comes_to_the_best_verdict_that_there_is(patterns: list[str]) -> None:
    cases = matching(patterns)

    batch = suite.run(cases)

    assert [verdict for verdict in batch.verdicts if not verdict.is_expected] == []
    assert {verdict.case: verdict.verdict for verdict in batch.verdicts} == {case: expected(case) for case in cases}
    assert batch.grown_bytes <= suite.GROWTH_MAX_BYTES
