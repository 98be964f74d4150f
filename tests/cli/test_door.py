"""A relay's address, and the secrets that are said to it."""

from http.client import CannotSendRequest, RemoteDisconnected
from pathlib import Path

import pytest

from roomcast.cli.door import Door, in_words, line_of, retry_after_s, secret_from
from tests.cli.scripted import refusal, scripted


@pytest.mark.parametrize(
    ("url", "door"),
    [
        ("http://127.0.0.1:8080", Door("127.0.0.1", 8080, False, "")),
        ("https://relay.example", Door("relay.example", 443, True, "")),
        ("ws://[::1]:9000/", Door("::1", 9000, False, "")),
        ("wss://a.example/relay/", Door("a.example", 443, True, "/relay")),
        ("http://a.example", Door("a.example", 80, False, "")),
    ],
)
def test_address_names_a_door(url: str, door: Door) -> None:
    assert Door.at(url) == door


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("127.0.0.1:8080", "http://host:port"),
        ("ftp://a.example", "http://host:port"),
        ("http://", "http://host:port"),
        ("http://a.example:99999", "0-65535"),
        ("http://user:word@a.example", "holds more than"),
        ("http://a.example/?a=b", "holds more than"),
    ],
)
def test_address_that_is_none_is_refused_with_its_rule(url: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule) as error:
        Door.at(url)

    assert "word" not in str(error.value)


def test_room_is_asked_for_by_its_name_as_it_is_written_in_a_path() -> None:
    assert Door.at("http://a.example/relay").target("/rooms/a b%20?é") == "/relay/rooms/a%20b%2520%3F%C3%A9"


@pytest.mark.parametrize(
    ("line", "shown"), [("no room has this path", "no room has this path"), ("\x1b[2J\nmore", r"\x1b[2J"), ("", "Gone")]
)
def test_refusal_is_one_line_that_moves_no_cursor(line: str, shown: str) -> None:
    with scripted(refusal("410 Gone", line)) as door:
        connection = Door.at(door.url).connect(silence_max_s=20)
        connection.request("GET", "/")
        with connection.getresponse() as answer:
            assert line_of(answer) == shown
        connection.close()


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [("3", 3), ("0", 0), ("3600", 3600), ("86400", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0), ("", 0)],
)
def test_wait_that_a_refusal_asks_for_is_an_hour_at_most(said: str, wait_s: float) -> None:
    with scripted(refusal("503 Service Unavailable", "full", f"Retry-After: {said}")) as door:
        connection = Door.at(door.url).connect(silence_max_s=20)
        connection.request("GET", "/")
        with connection.getresponse() as answer:
            assert retry_after_s(answer) == wait_s
        connection.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("timed out"), "no answer in time"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (RemoteDisconnected("Remote end closed connection without response"), "Remote end closed connection"),
        (CannotSendRequest(), "CannotSendRequest"),
    ],
)
def test_what_is_wrong_with_a_connection_is_said_in_words(error: Exception, words: str) -> None:
    assert in_words(error).startswith(words)


def test_secret_is_in_a_file_or_else_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("abc\n")

    assert secret_from(None, "SECRET_OF_A_TEST") == ""
    monkeypatch.setenv("SECRET_OF_A_TEST", "def")
    assert secret_from(None, "SECRET_OF_A_TEST") == "def"
    assert secret_from(tmp_path / "token", "SECRET_OF_A_TEST") == "abc"


@pytest.mark.parametrize("secret", ["a\r\nHost: b", "é", "a\0b"])
def test_secret_that_no_header_can_hold_is_refused_and_not_told(tmp_path: Path, secret: str) -> None:
    (tmp_path / "token").write_text(secret)

    with pytest.raises(ValueError, match="token holds more than one line, or characters") as error:
        secret_from(tmp_path / "token", "SECRET_OF_A_TEST")

    assert secret not in str(error.value)
