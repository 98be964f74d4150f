"""What every answer of the public door but a 101 has in common."""

from tests.wire import Answer


def check_answer(answer: Answer, status: int, body: str) -> None:
    """Every answer but 101 is one line of text, after which the connection is closed."""
    text = answer.body.decode()
    assert answer.status == status, text
    assert body in text
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert answer.headers["connection"].startswith("close")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.body))
