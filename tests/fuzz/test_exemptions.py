"""No difference from ``websockets`` is excused that is not there: each entry of the list shows one."""

import pytest

from tests.fuzz.exemptions import EXEMPTIONS, Exemption
from tests.fuzz.witness import differences


@pytest.mark.parametrize("exemption", EXEMPTIONS, ids=lambda exemption: exemption.name)
def test_an_exemption_is_needed_and_the_only_one_for_its_example(exemption: Exemption) -> None:
    (difference,) = differences(
        exemption.example, message_max_bytes=exemption.message_max_bytes, may_inflate=exemption.may_inflate
    )

    assert [one.name for one in EXEMPTIONS if one.applies(difference)] == [exemption.name]
