"""Every hostile case gets its strict answer, and leaves nothing behind: not the first time, not the second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.cases import Case
from tests.hostile.catalogue import GROUPS
from tests.hostile.kit import Relays, as_many_files_as_allowed

ALL = {f"{group}: {case.name}": case for group, cases in GROUPS.items() for case in cases}


@pytest.fixture(scope="module")
def relays() -> Iterator[Relays]:
    with as_many_files_as_allowed(), Relays() as relays:
        yield relays


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_hostile_case_gets_its_strict_answer_and_touches_nobody_else(case: Case, relays: Relays) -> None:
    relays.run(case)
