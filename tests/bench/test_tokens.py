"""What a token costs can be told, for each algorithm that a relay knows."""

import pytest

from tests.bench import compression
from tests.bench.tokens import table
from tests.tokens import ALGORITHMS


def test_table_has_a_line_for_each_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_RUN_S", 0.0)

    lines = table().splitlines()

    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {algorithm}" for algorithm in ALGORITHMS]
