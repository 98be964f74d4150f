"""The objects of ``roomcast.json``: what a client may send, and what it is told."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol import json_messages
from roomcast.protocol.json_messages import REF_MAX_CHARACTERS, VALUES_MAX, People, Publication, UnreadableError, parse

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
        (b"[" * VALUES_MAX, "malformed", "one JSON object in UTF-8"),
        ('{"type":"publish","text":"a"}'.encode("utf-16"), "malformed", "one JSON object in UTF-8"),
        ('{"type":"publish","text":"a"}'.encode("utf-32-le"), "malformed", "one JSON object in UTF-8"),
        (b'\xef\xbb\xbf{"type":"publish","text":"a"}', "malformed", "one JSON object in UTF-8"),
        (b"[]", "malformed", "one JSON object"),
        (b"null", "malformed", "one JSON object"),
        (b"{}", "unknown_type", 'the type is "publish"'),
        (b'{"type":"subscribe"}', "unknown_type", 'the type is "publish"'),
        (b'{"type":["publish"]}', "unknown_type", 'the type is "publish"'),
        (b'{"type":"publish"}', "malformed", "either text or base64"),
        (b'{"type":"publish","text":"a","base64":"AA=="}', "malformed", "either text or base64"),
        (b'{"type":"publish","text":1}', "malformed", "text is a string"),
        (b'{"type":"publish","text":"\\ud800"}', "malformed", "half of a surrogate pair"),
        (b'{"type":"publish","text":"a","ref":"\\ud800"}', "malformed", "ref holds half of a surrogate pair"),
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


def test_binary_frame_is_none_of_the_objects_whatever_is_in_it() -> None:
    with pytest.raises(UnreadableError, match="a frame is a text") as caught:
        parse(b'{"type":"publish","text":"a","ref":1}', is_text=False)

    assert (caught.value.reason, caught.value.ref) == ("malformed", None)


@pytest.mark.parametrize("text", ["a,[{" * VALUES_MAX, '\\",[' * VALUES_MAX, '"' * VALUES_MAX * 5 + "," * VALUES_MAX])
def test_commas_and_brackets_of_a_text_are_as_many_as_it_likes(text: str) -> None:
    assert parse(json.dumps({"type": "publish", "text": text}).encode()).payload == text.encode()


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'"x,"', b'"\\\\"'])
def test_values_are_bounded_before_anything_is_made_of_them(value: bytes) -> None:
    said = b'{"type":"publish","text":"a","x":[%s]}'
    # Three commas and two brackets are there anyway, and each but the first has a comma before.
    each = value.count(b"[") + value.count(b"{") + 1
    fitting = (VALUES_MAX - 3) // each

    assert parse(said % b",".join([value] * fitting)).payload == b"a"
    with pytest.raises(UnreadableError, match="at most 4096 commas and opening brackets outside of strings"):
        parse(said % b",".join([value] * (fitting + 1)))


@pytest.mark.parametrize(
    "payload", [b'""' * 50_000 + b"," * VALUES_MAX, b'{"a":"b"' + b':"b"' * 50_000 + b"," * VALUES_MAX]
)
def test_strings_with_nothing_in_between_are_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"one JSON object in UTF-8|at most 4096 commas"):
        parse(payload)


@given(st.lists(st.sampled_from(['"', "\\", ",", "[", "x", "é", "\n"]), max_size=40))
def test_what_is_in_a_string_is_never_counted(pieces: list[str]) -> None:
    text = "".join(pieces) + "," * VALUES_MAX

    assert parse(json.dumps({"type": "publish", "text": text}).encode()).payload == text.encode()


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


# Half of surrogate pairs among them: JSON can write them down, UTF-8 cannot.
ANY_TEXT = st.text(st.characters())


@given(ref=ANY_TEXT, text=ANY_TEXT)
def test_whatever_is_said_can_be_answered(ref: str, text: str) -> None:
    try:
        answer = json_messages.ack(parse(json.dumps({"type": "publish", "text": text, "ref": ref}).encode()).ref, 1)
    except UnreadableError as error:
        answer = json_messages.error(error.ref, error.reason, str(error))

    assert told(answer)["ref"] in (ref, None)


@given(ANY_TEXT)
def test_whatever_is_told_can_be_written(text: str) -> None:
    assert told(json_messages.error(text, text, text))["type"] == "error"


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
