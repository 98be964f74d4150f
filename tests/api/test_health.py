from __future__ import annotations

import pytest
from falcon import App
from falcon.testing import TestClient

from roomcast.api.health import Health, Readiness


@pytest.mark.parametrize(
    ("is_ready", "is_draining", "status", "word"),
    [(True, False, 200, "ready\n"), (False, False, 503, "starting\n"), (False, True, 503, "draining\n")],
)
def test_readiness_says_in_one_word_why(is_ready: bool, is_draining: bool, status: int, word: str) -> None:
    app = App()
    app.add_route("/readyz", Readiness(lambda: is_ready, lambda: is_draining))

    answer = TestClient(app).simulate_get("/readyz")

    assert (answer.status_code, answer.text) == (status, word)


def test_readiness_is_asked_anew_for_each_probe() -> None:
    readiness = [False, True]
    app = App()
    app.add_route("/readyz", Readiness(lambda: readiness.pop(0), lambda: False))

    assert [TestClient(app).simulate_get("/readyz").status_code for _ in range(2)] == [503, 200]


def test_health_is_text_that_no_cache_may_keep() -> None:
    app = App()
    app.add_route("/healthz", Health())

    answer = TestClient(app).simulate_get("/healthz")

    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
