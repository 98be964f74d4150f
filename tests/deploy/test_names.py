"""No rule, dashboard or document names a metric, a label or a label's value that the relay does not export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.grafana.build import DASHBOARD
from tests.deploy.names import Series, complaints, series_of, unknown_values
from tests.deploy.rules import ALERTS, EXPRESSIONS, RECORDED
from tests.running import Serve

ROOT = Path(__file__).parents[2]
DASHBOARD_JSON = json.loads(DASHBOARD.read_text(encoding="utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD_JSON["panels"] for target in panel.get("targets", [])]
ANNOTATIONS = [annotation["expr"] for annotation in DASHBOARD_JSON["annotations"]["list"]]
VARIABLES = [variable["definition"] for variable in DASHBOARD_JSON["templating"]["list"] if "definition" in variable]

# All that is written about the relay, for people or for programs. A proxy's configuration has names of its own,
# the dashboard's source is in the dashboard, and a copy of the rules in the rules. What an adapter of Kubernetes
# asks is a template, which test_kubernetes.py fills.
DOCUMENTS = [
    path
    for pattern in ("*.md", "*.yml", "app/**/*.md", "config/**/*", "deploy/**/*", "tests/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if path.suffix in {".md", ".yml", ".yaml", ".toml", ".tpl"}
    and path.name not in {"dashboard.toml", "prometheusrule.yaml", "adapter-values.yaml"}
]
# A recorded series is named `level:metric:operation`. No metric is it, nor a file, nor the network of a composition.
NAME = re.compile(r"(?<![:/\w.-])roomcast_(?!default\b)[a-z0-9_]+(?![:\w]|\.(?:py|json|js|toml)\b)")
SELECTOR = re.compile(NAME.pattern + r"\{([^{}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(?:(?:=|!=|=~|!~)\s*"([^"]*)")?')

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@pytest.fixture
def series(serve: Serve) -> Series:
    """What a relay exports that has just started, and may do all that it can."""
    relay = serve('[admin]\napi_key = "0123456789abcdef0123456789abcdef"\nbusiest_rooms = 1\n')
    return series_of(relay.ask_admin("/metrics").body.decode())


def asked(expression: str) -> str:
    """Return an expression of the dashboard as Prometheus gets it."""
    return re.sub(r"\$(?:job|instance|template)", ".*", expression).replace("$__rate_interval", "1m")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def selectors_in(document: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the metric, a label and the value of each matcher in a text; without a value where it has none."""
    for selector in SELECTOR.finditer(text_of(document)):
        name = selector[0].partition("{")[0]
        for label, value in MATCHER.findall(selector[1]):
            yield name, label, value


def test_rules_name_what_there_is(series: Series) -> None:
    assert EXPRESSIONS
    for expression in EXPRESSIONS:
        assert complaints(expression, series, RECORDED) == [], expression


def test_dashboard_names_what_there_is(series: Series) -> None:
    assert QUERIES
    for expression in (*QUERIES, *ANNOTATIONS):
        # It has to be of use to those who have none of our rules, so no recorded series is known to it.
        assert complaints(asked(expression), series) == [], expression


def test_variables_of_the_dashboard_are_labels_that_there_are(series: Series) -> None:
    assert VARIABLES
    for definition in VARIABLES:
        [(selector, label)] = re.findall(r"label_values\((.+), (\w+)\)", definition)
        assert complaints(f"sum by ({label}) ({asked(selector)})", series) == []


def test_table_of_the_runbook_has_all_that_a_relay_exports(series: Series) -> None:
    described = set(re.findall(r"^\| `(\w+)` \|", text_of(ROOT / "deploy" / "README.md"), re.MULTILINE))

    # A histogram is three metrics, and one for people.
    assert {re.sub("_(?:bucket|sum|count)$", "", name) for name in series} <= described


@each_document
def test_document_names_what_there_is(document: Path, series: Series) -> None:
    # A histogram's name is none of its samples'.
    families = {name.removesuffix("_bucket") for name in series if name.endswith("_bucket")}

    named = set(NAME.findall(text_of(document)))

    assert named <= series.keys() | families


@each_document
def test_document_names_labels_and_values_that_there_are(document: Path, series: Series) -> None:
    found: list[str] = []
    for name, label, value in selectors_in(document):
        labels = series.get(name) or series.get(f"{name}_bucket") or {}
        found += unknown_values(name, label, value or "", labels) if value else []
        found += [f"{name} has no label {label}"] if not value and label not in labels else []

    assert found == []


@each_document
def test_document_names_alerts_that_there_are(document: Path) -> None:
    named = set(re.findall(r"(?<![\w/.])Roomcast[A-Z][a-zA-Z]+", text_of(document)))

    assert named <= {alert.name for alert in ALERTS}


def test_dashboard_names_alerts_that_there_are() -> None:
    descriptions = " ".join(panel.get("description", "") for panel in DASHBOARD_JSON["panels"])

    named = set(re.findall(r"Roomcast[A-Z][a-zA-Z]+", descriptions))

    # Each is beside the panel that shows what it is about, or nobody would see it coming.
    assert named == {alert.name for alert in ALERTS}


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("roomcast_connectons", "there is no roomcast_connectons"),
        ('rate(roomcast_handshakes_total{outcome="orign"}[5m])', "roomcast_handshakes_total has no outcome orign"),
        ('roomcast_connections{dialect=~"sse|ssh"}', "roomcast_connections has no dialect ssh"),
        ('roomcast_connections{reason="gone"}', "roomcast_connections has no label reason"),
        ("sum by (dialekt) (roomcast_connections)", "no series has the label dialekt"),
        ("roomcast_ready + on (instanz) up", "no series has the label instanz"),
    ],
)
def test_misspelt_name_is_found(expression: str, complaint: str, series: Series) -> None:
    assert complaints(expression, series) == [complaint]


def test_what_is_no_promql_is_found(series: Series) -> None:
    with pytest.raises(ValueError, match="rate"):
        complaints("rate(up)", series)
