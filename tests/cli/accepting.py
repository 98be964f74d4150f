"""What a relay's private door answers to a batch."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.cli.scripted import Asked


def texts(asked: Asked) -> list[str]:
    """Return the texts of a batch."""
    return [message["text"] for message in json.loads(asked.body)["messages"]]


def accept(first: int = 1, epoch: str = "k7c2m9qa", *, lost: int = 0) -> Callable[[Asked], bytes]:
    """Return what accepts a whole batch, its messages from this offset on; the last ones are lost."""

    def answer(asked: Asked) -> bytes:
        count = len(json.loads(asked.body)["messages"])
        offsets = [*range(first, first + count - lost), *[None] * lost]
        return json_answer("200 OK", {"epoch": epoch, "offsets": offsets})

    return answer


def problem(status: str, detail: str, *headers: str) -> bytes:
    """Return a refusal, as RFC 9457 writes it."""
    return json_answer(status, {"type": "about:blank", "title": "a", "status": 0, "detail": detail}, *headers)


def json_answer(status: str, value: object, *headers: str, is_last: bool = True) -> bytes:
    """Return an answer that holds this value, and says whether it is the connection's last."""
    body = json.dumps(value)
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, *(["Connection: close"] if is_last else []), "", body]).encode()
