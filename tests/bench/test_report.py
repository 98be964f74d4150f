"""Ratios are taken within a round, and their median is what counts."""

from pathlib import Path

from tests.bench.figures import FIGURES, Bound
from tests.bench.kit import late_turns
from tests.bench.report import bounds_table, do_all_hold, judge, load, save, values_table

BOUND = Bound("cpu_us_per_delivery", "roomcast", 1.25, against="floor")


def cpu(*values: float) -> list[dict[str, float]]:
    return [
        {"cpu_us_per_delivery": value, "server_cpu": 0.5, "deliveries_per_s": 1e5, "p50_us": 1000.0, "p99_us": 2500.0}
        for value in values
    ]


def test_ratio_is_the_median_of_the_rounds_not_the_ratio_of_the_medians() -> None:
    # The machine was slow in the second round, for both.
    judgement = judge(BOUND, {"roomcast": cpu(1.2, 12.0, 1.1), "floor": cpu(1.0, 10.0, 1.0)})

    assert judgement is not None
    assert (judgement.least, judgement.median, judgement.greatest) == (1.1, 1.2, 1.2)
    assert judgement.does_hold


def test_bound_of_a_value_needs_no_other_entry() -> None:
    judgement = judge(Bound("cpu_us_per_delivery", "roomcast", 2.0), {"roomcast": cpu(1.0, 3.0, 2.5)})

    assert judgement is not None
    assert judgement.median == 2.5
    assert not judgement.does_hold


def test_nothing_is_judged_of_an_entry_that_did_not_run() -> None:
    assert judge(BOUND, {"roomcast": cpu(1.0)}) is None
    assert judge(BOUND, {"floor": cpu(1.0)}) is None


def test_bounds_hold_when_those_that_could_be_judged_do() -> None:
    assert do_all_hold({"one-to-1000": {"roomcast": cpu(1.2), "floor": cpu(1.0)}})
    assert not do_all_hold({"one-to-1000": {"roomcast": cpu(1.5), "floor": cpu(1.0)}})


def test_no_bound_holds_of_a_roomcast_that_did_not_run_to_the_end() -> None:
    assert not do_all_hold({"one-to-1000": {"floor": cpu(1.0)}})


def test_tables_name_the_figure_its_bound_and_the_verdict() -> None:
    results = {"one-to-1000": {"roomcast": cpu(1.5), "floor": cpu(1.0)}}

    assert "| 1.50× (1.50 – 1.50) | 1.25× | **does not hold** |" in bounds_table(results)
    assert "| roomcast | 1.50 | 50% | 100,000 | 1.0 | 2.5 |" in values_table(results)


def test_what_is_saved_gives_the_same_tables(tmp_path: Path) -> None:
    results = {"one-to-1000": {"roomcast": cpu(1.5), "floor": cpu(1.0)}}

    save(tmp_path / "bench.json", results, seconds=3.0)

    assert load(tmp_path / "bench.json") == results


def test_every_bound_is_of_an_entry_of_its_figure() -> None:
    for figure in FIGURES:
        labels = {entry.label for entry in figure.entries}
        assert {bound.of for bound in figure.bounds} <= labels
        assert {bound.against for bound in figure.bounds if bound.against} <= labels


def test_late_turns_are_those_beyond_the_bucket() -> None:
    metrics = "\n".join(
        f'roomcast_loop_lag_seconds_bucket{{le="{bound}"}} {count}'
        for bound, count in (("0.05", "90.0"), ("0.1", "97.0"), ("+Inf", "100.0"))
    )

    assert late_turns(metrics, 0.05) == 10
    assert late_turns(metrics, 0.1) == 3
