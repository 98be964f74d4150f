from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from falcon.testing import TestClient
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from roomcast.api.app import create_app
from roomcast.metrics import TransportCounters
from roomcast.relay.hub import Hub
from tests.diary import Diary
from tests.idle import idle_access, idle_counters, idle_hub

parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families

# What Prometheus 2.42 and 3.5 send.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.fixture
def counters() -> TransportCounters:
    return idle_counters()


@pytest.fixture
def client(counters: TransportCounters, diary: Diary) -> TestClient:
    return TestClient(create_app(idle_hub("rooms"), counters, lambda: True, diary.journal, idle_access()))


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/"])
def test_path_answers_get_and_head(client: TestClient, path: str) -> None:
    get = client.simulate_get(path)
    head = client.simulate_head(path)

    assert get.status_code == head.status_code == 200
    assert get.headers["content-type"] == head.headers["content-type"]
    assert get.content
    assert not head.content


def test_index_names_the_paths_in_one_line(client: TestClient) -> None:
    [line] = client.simulate_get("/").text.splitlines()

    assert all(path in line for path in ("/metrics", "/healthz", "/readyz"))


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused_with_the_ones_that_are_allowed(client: TestClient, method: str, path: str) -> None:
    answer = client.simulate_request(method, path)

    assert answer.status_code == 405
    assert {"GET", "HEAD"} <= {word.strip() for word in answer.headers["allow"].split(",")}
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json["status"], answer.json["title"]) == (405, "Method Not Allowed")


@pytest.mark.parametrize(
    "path", ["/metric", "/metrics/", "/rooms/lobby", "/api/v1", "/api/v1/rooms/", "/%2e%2e/etc/passwd"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_unknown_path_is_a_problem_that_names_the_known_ones(client: TestClient, method: str, path: str) -> None:
    answer = client.simulate_request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    if method != "HEAD":
        assert answer.json["title"] == "Not Found"
        assert "/metrics" in answer.json["detail"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.8", TEXT),
        ("application/openmetrics-text;q=0, */*", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("image/png", TEXT),
        ("application/openmetrics-text;version=two", TEXT),
        ("not a media type", TEXT),
        ("", TEXT),
    ],
)
def test_form_of_a_scrape_is_the_one_the_client_prefers(client: TestClient, accept: str, content_type: str) -> None:
    answer = client.simulate_get("/metrics", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type


def test_both_forms_say_the_same(client: TestClient, counters: TransportCounters) -> None:
    counters.handshakes["rfc6455", "origin"] = 3

    text = client.simulate_get("/metrics", headers={"Accept": "text/plain"}).text
    strict = client.simulate_get("/metrics", headers={"Accept": PROMETHEUS_2}).text

    line = 'roomcast_handshakes_total{dialect="rfc6455",outcome="origin"} 3.0'
    assert line in text.splitlines()
    assert line in strict.splitlines()
    assert strict.endswith("# EOF\n")
    # The older form knows no info; all else has the same name in both.
    names = {family.name for family in parse_openmetrics(strict)} - {"roomcast_build"}
    assert {family.name for family in parse_text(text)} - {"roomcast_build_info"} == names


def test_draining_shows_in_the_metrics_and_in_readyz(diary: Diary, counters: TransportCounters) -> None:
    client = TestClient(
        create_app(idle_hub(), counters, lambda: not counters.is_draining, diary.journal, idle_access())
    )

    counters.is_draining = True

    readyz = client.simulate_get("/readyz")
    assert (readyz.status_code, readyz.text) == (503, "draining\n")
    assert client.simulate_get("/healthz").status_code == 200
    assert {"roomcast_draining 1.0", "roomcast_ready 0.0"} <= set(client.simulate_get("/metrics").text.splitlines())


def test_fault_of_ours_is_a_500_that_tells_nothing_and_a_log_line_that_tells_where(
    diary: Diary, counters: TransportCounters
) -> None:
    def fail() -> bool:
        raise RuntimeError("the readiness of a-secret is unknown")

    client = TestClient(create_app(idle_hub(), counters, fail, diary.journal, idle_access()))

    answer = client.simulate_get("/readyz", query_string="key=a-secret")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "a-secret" not in answer.text
    [record] = diary.finish()
    assert (record["level"], record["event"], record["route"]) == ("error", "private door failed", "/readyz")
    assert record["error"] == "RuntimeError"
    assert " fail < health.py:" in record["where"]
    assert "a-secret" not in str(record)


def test_a_hub_with_a_thousand_templates_is_scraped_whole(diary: Diary, counters: TransportCounters) -> None:
    hub: Hub = idle_hub(*(f"template-{number}" for number in range(1000)))
    client = TestClient(create_app(hub, counters, lambda: True, diary.journal, idle_access()))

    text = client.simulate_get("/metrics").text

    assert sum(line.startswith("roomcast_rooms{") for line in text.splitlines()) == 1000
