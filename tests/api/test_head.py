from __future__ import annotations

import pytest

from roomcast.api.head import Head, RequestError


def test_header_is_found_by_its_name_in_any_case() -> None:
    head = Head([b"Host: relay\r\n", b"X-One:\t a b \r\n", b"content-length: 12\n"])

    assert (head.get("host"), head.get("X-ONE"), head.get("Content-Length")) == ("relay", "a b", "12")
    assert (head.get("other"), head.get("other", "none")) == (None, "none")
    assert head.typeheader is None


def test_headers_are_variables_as_wsgi_names_them() -> None:
    head = Head(
        [
            b"Host: relay\r\n",
            b"X-A: 1\r\n",
            b"x-a: 2\r\n",
            b"Content-Type: a/b\r\n",
            b"Content-Length: 0\r\n",
            b"X_A: 3\r\n",
        ]
    )

    assert list(head.variables()) == [("HTTP_HOST", "relay"), ("HTTP_X_A", "1"), ("HTTP_X_A", "2")]
    assert head.typeheader == "a/b"


def test_value_is_read_byte_by_byte() -> None:
    assert Head([b"X: \xc3\xa9\r\n"]).get("x") == "Ã©"


@pytest.mark.parametrize(
    "line",
    [
        b"secret\r\n",
        b" X: secret\r\n",
        b"X : secret\r\n",
        b": secret\r\n",
        b"X: secret\x00\r\n",
        b"X: secret\rY: a\r\n",
        b"X: secret",
    ],
)
def test_line_that_is_no_header_is_400_and_not_quoted(line: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        Head([b"Host: relay\r\n", line])

    assert (caught.value.status, str(caught.value)) == (400, "line 3 of the head is not name: value")


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Authorization", "Idempotency-Key"])
def test_what_can_be_said_once_only_is_400_when_it_is_said_twice(name: str) -> None:
    with pytest.raises(RequestError, match=f"there is more than one {name.lower()} header"):
        Head([f"{name}: 1\r\n".encode(), f"{name.upper()}: 1\r\n".encode()])


@pytest.mark.parametrize("length", ["", "-1", "+1", "1_0", "0x1", "many", "1, 1", "9" * 19])
def test_length_is_a_number_of_bytes(length: str) -> None:
    with pytest.raises(RequestError, match="Content-Length is not a number of bytes"):
        Head([f"Content-Length: {length}\r\n".encode()])


def test_blanks_take_no_longer_than_anything_else() -> None:
    assert Head([b"X:" + b" " * 16_000 + b"a" + b" " * 16_000 + b"\r\n"]).get("x") == "a"
