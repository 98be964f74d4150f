from __future__ import annotations

import pytest
from falcon.testing import TestClient

from roomcast.api.app import create_app
from roomcast.api.operations import OPERATIONS, Operation, no_requests
from tests.diary import Diary
from tests.idle import idle_access, idle_counters, idle_hub


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation_exists_and_is_counted_by_what_it_answers(operation: Operation, diary: Diary) -> None:
    app = create_app(idle_hub("rooms"), idle_counters(), lambda: True, diary.journal, idle_access("k" * 32))
    client = TestClient(app, headers={"Host": "localhost"})
    path = operation.path.replace("{member_id}", "a.1")

    answer = client.simulate_request(operation.method, path)

    assert answer.status_code == 401
    labels = f'{{method="{operation.method}",route="{operation.path}",status="401"}}'
    scrape = client.simulate_get("/metrics").text.splitlines()
    assert f"roomcast_api_requests_total{labels} 1.0" in scrape
    assert sum(line.startswith("roomcast_api_requests_total{") and line.endswith(" 1.0") for line in scrape) == 1


def test_every_answer_stands_in_the_first_scrape_at_zero() -> None:
    requests = no_requests()

    assert set(requests.values()) == {0}
    assert {("POST", "/api/v1/messages", "429"), ("other", "other", "404")} <= requests.keys()


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/v1/nothing", "404"), ("PUT", "/api/v1/rooms", "405")]
)
def test_request_that_is_none_of_these_is_counted_as_such(diary: Diary, method: str, path: str, status: str) -> None:
    client = TestClient(create_app(idle_hub(), idle_counters(), lambda: True, diary.journal, idle_access()))

    client.simulate_request(method, path)
    client.simulate_request(method, "/nothing")

    line = f'roomcast_api_requests_total{{method="other",route="other",status="{status}"}} 1.0'
    assert line in client.simulate_get("/metrics").text.splitlines()


def test_names_of_operations_are_their_own() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
