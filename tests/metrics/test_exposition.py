"""One scrape in pieces: the same to the byte as prometheus-client's own, in one go."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from roomcast.logs import Journal
from roomcast.metrics import RelayCollector
from roomcast.metrics.by_template import ByTemplate
from roomcast.metrics.exposition import Encode, exposition, gzipped
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.reasons import Reason
from tests.idle import idle_counters, idle_hub

FORMS = ("application/openmetrics-text; version=1.0.0", "text/plain; version=0.0.4")
ENCODERS: dict[str, Encode] = {form: choose_encoder(form)[0] for form in FORMS}

# What has to be escaped, or looks as if it had; never what cuts a line in our own writing.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.text('\\"\n{}=,')
VALUES = st.integers() | st.floats() | st.integers(999_990, 1_000_010)


class Given(Collector):
    """A collector of what is given."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def no_rest() -> None:
    """Let nobody have a turn."""


def written(families: Iterable[Metric], encode: Encode) -> bytes:
    return b"".join(exposition(families, encode, no_rest))


@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=2, max_size=2), max_size=20), st.sampled_from(FORMS))
@example({'"': [0, 1], "\\n": [-1, 2**64], "\n": [999_999, 1_000_000], "": [float("inf"), float("nan")]}, FORMS[0])
def test_tables_are_written_as_prometheus_client_writes_them(values: dict[str, list[float]], form: str) -> None:
    templates = [TemplateCounters(name) for name in values]
    families = [
        ByTemplate("roomcast_a", 'A "family".', "gauge", templates, lambda of: values[of.name][:1]),
        ByTemplate(
            "roomcast_b", "Another\\\none.", "counter", templates, lambda of: values[of.name], "word", ("x", '"')
        ),
        ByTemplate("roomcast_c", "", "counter", templates, lambda of: values[of.name], "a_label", ("x", "y\\")),
    ]

    assert written(families, ENCODERS[form]) == ENCODERS[form](Given(families))


@given(st.lists(st.floats(), max_size=5), st.text(), st.sampled_from(FORMS))
def test_everything_else_is_written_by_prometheus_client_itself(sums: list[float], text: str, form: str) -> None:
    families: list[Metric] = [
        HistogramMetricFamily(f"h{index}", text, [("0.5", 1), ("+Inf", 2)], value) for index, value in enumerate(sums)
    ]
    families.append(InfoMetricFamily("i", text, {"label": text}))

    assert written(families, ENCODERS[form]) == ENCODERS[form](Given(families))


@pytest.mark.parametrize("form", FORMS)
def test_scrape_of_a_relay_is_what_prometheus_client_would_write(form: str) -> None:
    hub = idle_hub(*(f"template-{number}" for number in range(100)))
    hub.templates["template-7"].drop(Reason.LAGGING, 3)
    hub.templates["template-8"].delivered = 12_345_678
    collector = RelayCollector(hub, idle_counters(), Journal(print), lambda: True, {("GET", "/", "200"): 1})
    of_the_process = {family.name for family in ProcessCollector(registry=None).collect()}
    # The process's own differ from one moment to the next.
    families = [family for family in collector.collect() if family.name not in of_the_process]

    assert written(families, ENCODERS[form]) == ENCODERS[form](Given(families))


def test_others_have_their_turn_between_pieces_and_families() -> None:
    templates = [TemplateCounters(f"template-{number}") for number in range(1_000)]
    rests: list[None] = []

    family = ByTemplate("roomcast_x", "X.", "gauge", templates, lambda of: (0,))
    pieces = list(exposition([family, family], ENCODERS[FORMS[0]], lambda: rests.append(None)))

    # Behind each but the end. A piece takes some ten microseconds, so nothing lasts long without a look at the clock.
    assert len(rests) == len(pieces) - 1
    assert max(piece.count(b"\n") for piece in pieces) <= 10


def test_gzip_holds_the_same() -> None:
    assert gzip.decompress(b"".join(gzipped([b"one", b"", b"two"]))) == b"onetwo"
