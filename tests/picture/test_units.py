from __future__ import annotations

import pytest

from tests.picture.units import written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "short", "0"),
        (999.0, "short", "999"),
        (1000.0, "short", "1k"),
        (0.075, "percentunit", "7.5%"),
        (1023.0, "bytes", "1023 B"),
        (1024.0, "bytes", "1 KiB"),
        (-20_971_520.0, "Bps", "-20 MiB/s"),
        (12.5, "cps", "12.5/s"),
        (0.0, "s", "0 s"),
        (0.05, "s", "50 ms"),
        (90.0, "s", "1.5 min"),
        (604_800.0, "s", "7 days"),
        (1.0, "unheard of", "1"),
    ],
)
def test_number_is_written_in_its_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text
