"""How the private door says no: RFC 9457 problems, for routes and for requests that reach none.

A client that has to read an error finds the same few members everywhere, and
nothing of its own request: what a problem quotes might end up in a log or on a
page, so it names the rule and not the value.
"""

import json
from http import HTTPStatus
from typing import Final

CONTENT_TYPE = "application/problem+json"

LATER_S: Final = 5
"""When to come back to what is full, or is no more: by then somebody has left, or the relay's successor is there."""


def problem(status: int, detail: str) -> bytes:
    """Return the JSON document for one refused request.

    "about:blank" is the type of a problem that has no semantics beyond its
    HTTP status, and wants the status' phrase for its title (RFC 9457, 4.2.1).
    """
    members = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps(members).encode() + b"\n"


def whole_response(status: int, detail: str) -> bytes:
    """Return a problem as all the bytes of an HTTP answer, after which the connection is closed."""
    body = problem(status, detail)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
