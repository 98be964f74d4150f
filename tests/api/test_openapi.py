from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jsonschema_rs import meta

from roomcast.api.openapi import document, document_text
from roomcast.api.operations import OPERATIONS
from tests.api.calls import WITH_KEY
from tests.running import Serve

KEPT = Path(__file__).parents[2] / "app" / "schemas" / "openapi.json"
RENEW = "python -m roomcast.api.openapi > app/schemas/openapi.json"


def test_document_in_the_repository_is_the_one_that_is_served() -> None:
    assert KEPT.read_text("utf-8") == document_text(), f"the API has changed: {RENEW}"


def test_command_that_renews_it_writes_it() -> None:
    written = subprocess.run([sys.executable, *RENEW.split()[1:3]], stdout=subprocess.PIPE, check=True)

    assert written.stdout.decode() == document_text()


def test_anybody_may_read_it(serve: Serve) -> None:
    answer = serve(WITH_KEY).ask_admin("/openapi.json")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body.decode() == document_text()


def test_every_operation_is_described_once_with_all_that_it_can_answer() -> None:
    paths = document()["paths"]

    described = {
        (method.upper(), path): tuple(map(int, of["responses"])) for path in paths for method, of in paths[path].items()
    }

    assert described == {(operation.method, operation.path): operation.statuses for operation in OPERATIONS}


def test_streams_are_described_as_such() -> None:
    for path in ("/api/v1/events", "/api/v1/presence"):
        assert document()["paths"][path]["get"]["responses"]["200"]["content"] == {"text/event-stream": {}}


def test_every_schema_is_one() -> None:
    for schema in document()["components"]["schemas"].values():
        meta.validate(schema)
