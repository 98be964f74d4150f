"""The objects of ``roomcast.json``: what a client may send, and what it is told."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol import json_messages
from roomcast.protocol.json_messages import REF_MAX_CHARACTERS, People, Publication, UnreadableError, parse

AUTHOR = "k7c2m9qa.1"


def told(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data))


# --- what a client says


@pytest.mark.parametrize(
    ("said", "publication"),
    [
        ('{"type":"publish","text":"hello"}', Publication(True, b"hello")),
        ('{"type":"publish","text":""}', Publication(True, b"")),
        ('{"type":"publish","text":"na\\u00efve","ref":"a1"}', Publication(True, "naïve".encode(), "a1")),
        ('{"type":"publish","base64":"AP8=","ref":7}', Publication(False, b"\x00\xff", 7)),
        ('{"type":"publish","base64":"","ref":null}', Publication(False, b"")),
        ('{"unknown":[1],"type":"publish","text":"hello"}', Publication(True, b"hello")),
    ],
)
def test_publication_is_read(said: str, publication: Publication) -> None:
    assert parse(said.encode()) == publication


@pytest.mark.parametrize(
    ("said", "reason", "rule"),
    [
        (b"", "malformed", "one JSON object in UTF-8"),
        (b"hello", "malformed", "one JSON object in UTF-8"),
        (b"\xff", "malformed", "one JSON object in UTF-8"),
        (b"[" * 100_000, "malformed", "one JSON object in UTF-8"),
        (b"[]", "malformed", "one JSON object"),
        (b"null", "malformed", "one JSON object"),
        (b"{}", "unknown_type", 'the type is "publish"'),
        (b'{"type":"subscribe"}', "unknown_type", 'the type is "publish"'),
        (b'{"type":["publish"]}', "unknown_type", 'the type is "publish"'),
        (b'{"type":"publish"}', "malformed", "either text or base64"),
        (b'{"type":"publish","text":"a","base64":"AA=="}', "malformed", "either text or base64"),
        (b'{"type":"publish","text":1}', "malformed", "text is a string"),
        (b'{"type":"publish","text":"\\ud800"}', "malformed", "half of a surrogate pair"),
        (b'{"type":"publish","base64":1}', "malformed", "base64 is a string in base64"),
        (b'{"type":"publish","base64":"A"}', "malformed", "base64 is a string in base64"),
        (b'{"type":"publish","base64":"AA==\\n"}', "malformed", "base64 is a string in base64"),
        ('{"type":"publish","base64":"é"}'.encode(), "malformed", "base64 is a string in base64"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_rule(said: bytes, reason: str, rule: str) -> None:
    with pytest.raises(UnreadableError, match=rule) as caught:
        parse(said)

    assert (caught.value.reason, caught.value.ref) == (reason, None)


@pytest.mark.parametrize("ref", ["x" * REF_MAX_CHARACTERS, "", 0, -1, 2**53 - 1])
def test_ref_comes_back_with_what_is_wrong(ref: str | int) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse(json.dumps({"type": "publish", "ref": ref}).encode())

    assert caught.value.ref == ref


@pytest.mark.parametrize("ref", ["x" * (REF_MAX_CHARACTERS + 1), True, 1.5, [], {}, 2**53])
def test_ref_is_a_short_string_or_an_integer(ref: object) -> None:
    with pytest.raises(UnreadableError, match="ref is a string of at most 64 characters, or an integer"):
        parse(json.dumps({"type": "publish", "text": "", "ref": ref}).encode())


@given(st.binary())
def test_whatever_is_sent_is_a_publication_or_refused(payload: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        parse(payload)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_through_as_it_is(text: str) -> None:
    published = parse(json.dumps({"type": "publish", "text": text}).encode())
    heard = json_messages.message(
        1, author=AUTHOR, subject=text, published_s=0.0, is_text=True, payload=published.payload
    )

    assert (told(heard)["text"], told(heard)["subject"]) == (text, text)


# --- what a client is told


def test_message_says_where_it_stands_when_it_was_said_and_by_whom() -> None:
    said = json_messages.message(
        42, author=AUTHOR, subject="alice", published_s=1_700_000_000.1235, is_text=True, payload=b"hello"
    )

    assert list(told(said).items()) == [
        ("type", "message"),
        ("offset", 42),
        ("from", AUTHOR),
        ("subject", "alice"),
        ("time_ms", 1_700_000_000_124),
        ("text", "hello"),
    ]


def test_message_that_no_member_sent_is_from_nobody_and_binary_is_base64() -> None:
    said = json_messages.message(1, author=None, subject=None, published_s=0.0, is_text=False, payload=b"\x00\xff")

    assert told(said) == {"type": "message", "offset": 1, "from": None, "time_ms": 0, "base64": "AP8="}


def test_welcome_says_only_what_there_is_to_say() -> None:
    plain = json_messages.welcome(AUTHOR, epoch="k7c2m9qa", offset=3, head=5, members=2)
    present = People([(AUTHOR, None), ("k7c2m9qa.2", "alice")], more=1)
    full = json_messages.welcome(AUTHOR, epoch="k7c2m9qa", offset=3, head=5, members=3, present=present, greeting="hi")
    few = json_messages.welcome(AUTHOR, epoch="k7c2m9qa", offset=3, head=5, members=3, present=People([]))

    common = {"type": "welcome", "id": AUTHOR, "epoch": "k7c2m9qa", "offset": 3, "head": 5}
    people = [{"id": AUTHOR}, {"id": "k7c2m9qa.2", "subject": "alice"}]
    assert told(plain) == common | {"members": 2}
    assert told(full) == common | {"members": 3, "present": people, "more": 1, "greeting": "hi"}
    assert told(few) == common | {"members": 3, "present": []}


def test_answers_carry_the_ref_that_was_given() -> None:
    assert told(json_messages.ack("a1", 7)) == {"type": "ack", "ref": "a1", "offset": 7}
    assert told(json_messages.error(None, "rate", "too many")) == {
        "type": "error",
        "ref": None,
        "reason": "rate",
        "detail": "too many",
    }


def test_those_who_come_and_go_are_listed_with_how_many_are_left() -> None:
    some = People([(AUTHOR, "alice")])

    assert told(json_messages.joined(some, 3)) == {
        "type": "joined",
        "members": [{"id": AUTHOR, "subject": "alice"}],
        "count": 3,
    }
    assert told(json_messages.present(some, 1))["type"] == "present"
    assert told(json_messages.left(People([], more=9), 0)) == {"type": "left", "members": [], "count": 0, "more": 9}
