from __future__ import annotations

from roomcast.metrics.origins import ORIGIN_MAX_CHARS, RefusedOrigins


def test_origins_are_counted_and_the_most_frequent_come_first() -> None:
    origins = RefusedOrigins()
    for origin in ("https://b.example", "https://a.example", "https://c.example", "https://c.example"):
        origins.add(origin)

    assert origins.most(2) == [("https://c.example", 2), ("https://a.example", 1)]


def test_table_does_not_grow_and_what_is_refused_again_and_again_stays() -> None:
    origins = RefusedOrigins(rows_max=3)

    for number in range(1000):
        origins.add(f"https://made-up-{number}.example")
        origins.add("https://real.example")

    table = origins.most(10)
    assert len(table) == 3
    assert table[0] == ("https://real.example", 1000)
    # Never more than there were.
    assert all(count == 1 for _, count in table[1:])


def test_row_is_taken_only_when_the_table_is_full() -> None:
    origins = RefusedOrigins(rows_max=2)

    origins.add("https://a.example")
    origins.add("https://b.example")
    assert origins.most(10) == [("https://a.example", 1), ("https://b.example", 1)]
    origins.add("https://c.example")

    assert origins.most(10) == [("https://b.example", 1), ("https://c.example", 1)]


def test_origin_is_remembered_up_to_a_length() -> None:
    origins = RefusedOrigins()

    origins.add("https://" + "x" * 10_000)

    [(origin, _)] = origins.most(10)
    assert len(origin) == ORIGIN_MAX_CHARS
