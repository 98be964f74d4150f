"""Every hostile case gets its strict answer, and leaves nothing behind: not the first time, not the second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.hostile.cases import Case
from tests.hostile.catalogue import ALL
from tests.hostile.kit import Kit, Relays, as_many_files_as_allowed
from tests.running import Serve

LOOKING: Final = 2
"""The watchers by which a test looks after each turn."""

SECOND_RUN_MAX: float = 1.05
"""How much memory a relay may have after the second run of all cases, as a multiple of what it had after the first."""

EVERY_THIRD: Final = [case for case in ALL.values() if not case.settings][::3]
"""Of those with default settings, for a relay that shares this process, and is slower."""


@pytest.fixture(scope="module")
def relays() -> Iterator[Relays]:
    with as_many_files_as_allowed(), Relays() as relays:
        yield relays


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_case_gets_its_strict_answer_and_touches_nobody_else(case: Case, relays: Relays) -> None:
    relays.run(case)


def test_second_run_leaves_nothing_and_adds_hardly_any_memory(relays: Relays) -> None:
    # All that passed above; where this test is run alone, all that needs no thousands of files.
    cases = list(relays.done) or [case for case in ALL.values() if not case.files]
    if not relays.done:
        for case in cases:
            relays.run(case)
    first = relays.rss_bytes()

    for case in cases:
        relays.run(case)

    second = relays.rss_bytes()
    assert {
        settings: second[settings] / first[settings]
        for settings in first
        if second[settings] > SECOND_RUN_MAX * first[settings]
    } == {}


def test_loop_has_as_many_watchers_after_a_third_of_all_cases_as_before(serve: Serve, many_files: None) -> None:
    relay = serve()
    watchers = relay.call(relay.watchers)

    with Kit(relay.server.public_address, relay.server.private_address) as kit:
        for case in EVERY_THIRD:
            kit.run(case)

    relay.until(relay.is_empty)
    relay.until(lambda: relay.watchers() <= watchers + LOOKING)
    assert relay.records("internal fault") == []
