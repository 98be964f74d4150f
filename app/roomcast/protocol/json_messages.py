"""The subprotocol ``roomcast.json``: each frame a text, each text one JSON object with a ``type``.

A raw member sends and hears what is said, and nothing else. One that offers this
subprotocol also hears where it is in the room's order, who said it, that it was
heard, what it missed, and why it has to go. What each object looks like is
written down for clients in ``app/PROTOCOL.md``, and as a JSON Schema beside it.

Values in, bytes out, and back. Nothing here knows a room.

Source: RFC 8259.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

from roomcast.protocol.notices import Notice

SUBPROTOCOL: Final = "roomcast.json"

REF_MAX_CHARACTERS: Final = 64
"""How long a client may call what it publishes. It comes back with the answer."""

VALUES_MAX: Final = 4_096
"""How many commas and opening brackets what a client sends may have outside of strings: about as many values
does it hold, where a publication has four. Of three bytes of brackets Python makes up to 90: 16 MiB of them
were 500 MB, and held everybody for 1.6 s."""

LISTED_MAX: Final = 100
"""How many are listed of those who are there, or come and go: 10 KB. Of a crowd the number matters."""

Ref: TypeAlias = str | int | None


@dataclass(frozen=True, slots=True)
class Publication:
    """What a client wants to be said in its room."""

    is_text: bool
    payload: bytes
    ref: Ref = None


class UnreadableError(ValueError):
    """What a client sent is none of the objects that it may send; ``reason`` is the word for it."""

    def __init__(self, reason: str, detail: str, ref: Ref = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.ref = ref


# --- what a client says


def parse(payload: bytes, *, is_text: bool = True) -> Publication:
    """Read what a client sent.

    Args:
        payload: Of its frame.
        is_text: Whether that was a text.

    Raises:
        UnreadableError: Naming the rule, never quoting the payload.
    """
    if not is_text:
        raise UnreadableError("malformed", "a frame is a text")
    if len(payload) > VALUES_MAX:
        _check_values(payload)
    try:
        # Not of bytes: whether they are UTF-16 would be guessed.
        said = json.loads(payload.decode())
    except (ValueError, RecursionError):
        raise UnreadableError("malformed", "a frame is one JSON object in UTF-8") from None
    if not isinstance(said, dict):
        raise UnreadableError("malformed", "a frame is one JSON object")
    ref = _ref(said)
    if said.get("type") != "publish":
        raise UnreadableError("unknown_type", 'the type is "publish": a client sends no other', ref)
    if ("text" in said) is ("base64" in said):
        raise UnreadableError("malformed", "publish has either text or base64", ref)
    if "text" in said:
        return Publication(True, _text(said["text"], ref), ref)
    return Publication(False, _binary(said["base64"], ref), ref)


def _check_values(payload: bytes) -> None:
    """Refuse what holds too many values, before anything is made of them.

    What follows a backslash outside of strings may be counted wrongly: the reading ends there.
    """
    if _count_values(payload) <= VALUES_MAX:
        return
    # A long text, most likely, with commas of its own. A regular expression would take ten times as long.
    plain = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two strings have a comma in between, or a colon, and each of those a comma before.
    if plain.count(b'"') > 4 * VALUES_MAX or _count_values(b"".join(plain.split(b'"')[::2])) > VALUES_MAX:
        rule = f"a frame has at most {VALUES_MAX} commas and opening brackets outside of strings"
        raise UnreadableError("malformed", rule)


def _count_values(payload: bytes) -> int:
    return payload.count(b",") + payload.count(b"[") + payload.count(b"{")


def _ref(said: dict[str, Any]) -> Ref:
    ref = said.get("ref")
    if ref is None:
        return None
    if isinstance(ref, str) and len(ref) <= REF_MAX_CHARACTERS:
        # Before anything is published: the answer could not be written.
        _utf8("ref", ref)
        return ref
    # A double holds no larger one, so JavaScript could not know it again. And True is an int.
    if type(ref) is int and abs(ref) < 1 << 53:
        return ref
    raise UnreadableError("malformed", f"ref is a string of at most {REF_MAX_CHARACTERS} characters, or an integer")


def _text(text: object, ref: Ref) -> bytes:
    if not isinstance(text, str):
        raise UnreadableError("malformed", "text is a string", ref)
    return _utf8("text", text, ref)


def _utf8(name: str, text: str, ref: Ref = None) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # "\ud800" alone, which JSON can write down and UTF-8 cannot (RFC 8259, 8.2).
        raise UnreadableError("malformed", f"{name} holds half of a surrogate pair", ref) from None


def _binary(data: object, ref: Ref) -> bytes:
    if isinstance(data, str):
        with suppress(ValueError):
            return b64decode(data, validate=True)
    raise UnreadableError("malformed", "base64 is a string in base64, with its padding", ref)


# --- what a client is told


def message(
    offset: int, *, author: str | None, subject: str | None, published_s: float, is_text: bool, payload: bytes
) -> bytes:
    """Return what a message of the room looks like.

    Put together by hand, because it is made for each message: a third of the time of ``json.dumps``.
    """
    who = "null" if author is None else f'"{author}"'
    if subject is not None:
        who = f'{who},"subject":{_string(subject)}'
    what = f'"text":{_string(payload.decode())}' if is_text else f'"base64":"{b64encode(payload).decode()}"'
    time_ms = round(published_s * 1000)
    return f'{{"type":"message","offset":{offset},"from":{who},"time_ms":{time_ms},{what}}}'.encode()


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def welcome(
    identity: str,
    *,
    epoch: str,
    offset: int,
    head: int,
    members: int,
    present: People | None = None,
    greeting: str = "",
) -> bytes:
    """Return what a newcomer is told first: who it is, where it begins, and who is there.

    Args:
        identity: Its id.
        epoch: Under which offsets count.
        offset: What comes next is after this.
        head: The offset of the newest message.
        members: How many are in the room, this one included.
        present: Who they are, where its room says.
        greeting: The template's.
    """
    told: dict[str, Any] = {"id": identity, "epoch": epoch, "offset": offset, "head": head, "members": members}
    if present is not None:
        told["present"] = [_person(person) for person in present.listed]
        if present.more:
            told["more"] = present.more
    if greeting:
        told["greeting"] = greeting
    return _object("welcome", told)


def ack(ref: Ref, offset: int) -> bytes:
    """Return the answer to what was published: it has this offset."""
    return _object("ack", {"ref": ref, "offset": offset})


def error(ref: Ref, reason: str, detail: str) -> bytes:
    """Return the answer to what was not: the word for it, and one line."""
    return _object("error", {"ref": ref, "reason": reason, "detail": detail})


def notice(told: Notice) -> bytes:
    """Return what one is told of its own connection."""
    return _object(told.kind, told.fields)


# --- who is there


Person: TypeAlias = tuple[str, str | None]
"""The id of a connection, and the subject of its token, if it has any."""


@dataclass(frozen=True, slots=True)
class People:
    """Some who are in a room: those that are listed, and how many more."""

    listed: Sequence[Person]
    more: int = 0

    @classmethod
    def of(cls, persons: Iterable[Person], count: int) -> People:
        """Return how so many are listed: ``LISTED_MAX`` of them at most."""
        listed = list(islice(persons, LISTED_MAX))
        return cls(listed, count - len(listed))


def joined(people: People, members: int) -> bytes:
    """Return what the others are told of those who have come; ``members`` are there now."""
    return _people("joined", people, members)


def left(people: People, members: int) -> bytes:
    """Return what the others are told of those who have gone."""
    return _people("left", people, members)


def _people(kind: str, people: People, members: int) -> bytes:
    return _object(kind, people_fields(people, members))


def present(people: People, members: int) -> bytes:
    """Return what one is told that was not told who came and went: who is there now."""
    return _people("present", people, members)


def people_fields(people: People, members: int) -> dict[str, Any]:
    """Return what is told of some of the members of a room; ``members`` are there in all."""
    told: dict[str, Any] = {"members": [_person(person) for person in people.listed], "count": members}
    if people.more:
        told["more"] = people.more
    return told


def _person(person: Person) -> dict[str, str]:
    identity, subject = person
    return {"id": identity} if subject is None else {"id": identity, "subject": subject}


def _object(kind: str, told: Mapping[str, object]) -> bytes:
    return json.dumps({"type": kind, **told}, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
