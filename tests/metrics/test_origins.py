from __future__ import annotations

from roomcast.metrics.origins import ORIGIN_MAX_CHARS, ROWS_MAX, RefusedOrigins


def test_origins_are_counted_and_the_most_frequent_come_first() -> None:
    origins = RefusedOrigins()
    for origin in ("https://b.example", "https://a.example", "https://c.example", "https://c.example"):
        origins.add(origin)

    assert origins.most(2) == [("https://c.example", 2), ("https://a.example", 1)]


def test_table_has_as_many_rows_as_it_may() -> None:
    origins = RefusedOrigins()

    for number in range(ROWS_MAX + 1):
        origins.add(f"https://made-up-{number}.example")

    assert len(origins.most(ROWS_MAX + 1)) == ROWS_MAX


def test_origin_is_remembered_up_to_a_length() -> None:
    origins = RefusedOrigins()

    origins.add("https://" + "x" * 10_000)

    [(origin, _)] = origins.most(10)
    assert len(origin) == ORIGIN_MAX_CHARS
