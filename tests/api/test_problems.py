from __future__ import annotations

import json

from roomcast.api.problems import problem, whole_response


def test_problem_has_the_members_of_rfc_9457() -> None:
    assert json.loads(problem(404, "there is no such path")) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no such path",
    }


def test_whole_response_can_be_sent_as_it_is() -> None:
    head, body = whole_response(408, "too slow").split(b"\r\n\r\n")

    assert head.split(b"\r\n") == [
        b"HTTP/1.1 408 Request Timeout",
        b"Content-Type: application/problem+json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
    ]
    assert body == problem(408, "too slow")
