import pytest
from falcon import App, Request, Response
from falcon.testing import TestClient

from roomcast.api.streams import begin_stream
from roomcast.api.wsgi import KEEP_OPEN


class Stream:
    def on_get(self, request: Request, response: Response) -> None:
        begin_stream(request, response)
        response.data = b"data: hello\n\n"


@pytest.fixture
def client() -> TestClient:
    app: App[Request, Response] = App()
    app.add_route("/stream", Stream())
    return TestClient(app)


def test_stream_is_one_that_nobody_keeps_or_gathers(client: TestClient) -> None:
    answer = client.simulate_get("/stream", extras={KEEP_OPEN: lambda: True})

    assert (answer.status_code, answer.text) == (200, "data: hello\n\n")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"


def test_stream_for_which_there_is_no_place_is_refused_for_now(client: TestClient) -> None:
    answer = client.simulate_get("/stream", extras={KEEP_OPEN: lambda: False})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
