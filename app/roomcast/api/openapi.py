"""What the API is, for programs: an OpenAPI 3.1 document, made of the operations and the models.

It is kept in the repository too, so that a change of the API shows in a review:
``python -m roomcast.api.openapi > app/schemas/openapi.json`` writes it anew.
"""

import json
import sys
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from roomcast.api.idempotency import HEADER, WINDOW_S
from roomcast.api.keys import Scope
from roomcast.api.models import MemberId, Problem
from roomcast.api.operations import OPERATIONS, Operation
from roomcast.api.problems import CONTENT_TYPE
from roomcast.protocol import event_stream

Document = dict[str, Any]

_REF: Final = "#/components/schemas/{model}"
_ABOUT: Final = (
    "Publish into rooms, see who is there, and end what has to end, over HTTP. On the private door, which is never "
    "for the internet. Messages are held to what the room's template asks of its members."
)
_KEY: Final = (
    "A key of [admin] api_key or [[api_keys]], as a Bearer token. Where none is configured, a door on loopback lets "
    "its own machine read, and nobody do anything else."
)
# In our own words: those of the standard library change with its version.
_MEANINGS: Final = {
    400: "The query, the body or a header is malformed.",
    401: "A key is missing, or is not one of ours.",
    403: "The key does not open this; or there is none; or a page of another origin asks.",
    404: "There is no such room or member, and no template for it.",
    408: "The request took too long to arrive.",
    409: "The first request with this Idempotency-Key is still being served.",
    411: "The body does not announce its length.",
    413: "The body, a message, or what is sent at once is larger than it may ever be.",
    414: "The request line is longer than 8 KiB.",
    415: "The body is of another type.",
    421: "Host names somebody else.",
    422: "This Idempotency-Key belongs to another request.",
    429: "Sent too fast.",
    431: "The head is longer than 16 KiB, or has more than 99 lines.",
    500: "A fault of the relay's own; its log says more.",
    503: "Not now: the room owes too much, there are too many, or the relay is starting or stopping.",
}
# Answers that say when to come back.
_LATER: Final = (429, 503)


def document() -> Document:
    """Return the whole document."""
    paths: dict[str, Document] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Roomcast", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
    }


def document_text() -> str:
    """Return the document as it is served and kept: readable, and in one order."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _schemas() -> Document:
    modes: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
    for operation in OPERATIONS:
        if operation.answer:
            modes[operation.answer] = "serialization"
        modes |= dict.fromkeys((model for model in operation.bodies.values() if model), "validation")
    _, schemas = models_json_schema(list(modes.items()), ref_template=_REF)
    return dict(sorted(schemas["$defs"].items()))


def _operation(operation: Operation) -> Document:
    described: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Wants a key with the scope `{operation.scope}`.",
        "security": [{"key": []}, {}] if operation.scope is Scope.READ else [{"key": []}],
        "parameters": _parameters(operation),
        "responses": {str(status): _response(operation, status) for status in operation.statuses},
    }
    if operation.bodies:
        content = {kind: {"schema": _ref(model) if model else {}} for kind, model in operation.bodies.items()}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(operation: Operation) -> list[Document]:
    schema = operation.query.model_json_schema()
    required = schema.get("required", [])
    parameters = [
        {"name": name, "in": "query", "required": name in required, "schema": rule}
        for name, rule in schema["properties"].items()
    ]
    if "{member_id}" in operation.path:
        schema = TypeAdapter(MemberId).json_schema()
        parameters.append({"name": "member_id", "in": "path", "required": True, "schema": schema})
    if operation.is_repeatable:
        parameters.append(_idempotency_key())
    return parameters


def _idempotency_key() -> Document:
    window = f"for {WINDOW_S / 60:g} minutes, or as long as there is place"
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": f"Makes a repeated request harmless: it has the same answer, and sends nothing, {window}.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    }


def _response(operation: Operation, status: int) -> Document:
    if status == HTTPStatus.OK:
        return _done(operation.answer)
    response: Document = {
        "description": _MEANINGS[status],
        "content": {CONTENT_TYPE: {"schema": _ref(Problem)}},
    }
    if status in _LATER:
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return response


def _done(answer: type[BaseModel] | None) -> Document:
    if answer:
        return {"description": "Done.", "content": {"application/json": {"schema": _ref(answer)}}}
    # No schema: OpenAPI 3.1 has none for a text that does not end.
    return {"description": "Server-sent events, without an end.", "content": {event_stream.MEDIA_TYPE: {}}}


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": _REF.format(model=model.__name__)}


if __name__ == "__main__":
    sys.stdout.write(document_text())
