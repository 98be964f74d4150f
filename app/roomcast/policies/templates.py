"""Room names, and the templates that say which of them exist.

A room's name is the path of its URL. Two spellings of one URL must not be two
rooms, and no spelling may reach a room that the check in front of us (a proxy's
rule by path) took for another one. So a path is decoded once and then either is
a name as it stands or is refused; nothing is repaired. Names are compared code
point by code point: Unicode is not normalised, "é" in one code point and in two
are two rooms, as they are two URLs.

A template is a path whose segments are literal, ``{x}`` for exactly one segment,
or at its end ``{x...}`` for the rest, of at least one. Where several match, the
one that is more specific in some segment and less in none is taken; a pair of
which both could match one room and neither is more specific is refused, since
any choice between them would surprise somebody.

Source: RFC 3986, sections 2.1, 3.3 and 6.2.2.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from itertools import combinations
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

ROOM_NAME_MAX_BYTES = 255

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_ENCODED_SEPARATOR = re.compile(r"%(?:2[Ff]|5[Cc])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}")


class RoomNameError(ValueError):
    """This path names no room. The message is the rule that it breaks."""


def room_name(path: str) -> str:
    """Return the room that a request's path names.

    Args:
        path: As it stood in the request, still percent-encoded, without the
            query string.

    Raises:
        RoomNameError: To be answered with 400.
    """
    if not path.startswith("/"):
        raise RoomNameError("a room name begins with /")
    return check_room_name(_decoded(path))


def check_room_name(name: str) -> str:
    """Return a room's name that is decoded already, as the value of a query parameter is.

    Raises:
        RoomNameError: To be answered with 400.
    """
    if not name.startswith("/"):
        raise RoomNameError("a room name begins with /")
    if name == "/":
        raise RoomNameError("/ is the page, not a room")
    _check_characters(name)
    for segment in name[1:].split("/"):
        if segment in ("", ".", ".."):
            raise RoomNameError(f'a room name has no segment "{segment}"')
    if len(name.encode()) > ROOM_NAME_MAX_BYTES:
        raise RoomNameError(f"a room name has at most {ROOM_NAME_MAX_BYTES} bytes")
    return name


def _decoded(path: str) -> str:
    # Raw bytes beyond ASCII are no part of any URL, and which characters they
    # stood for would depend on how the head was decoded.
    if not path.isascii() or "?" in path or "#" in path:
        raise RoomNameError("in a path ?, # and all beyond ASCII are percent-encoded")
    if "%" not in path:
        return path
    if bad := _BAD_ESCAPE.search(path):
        raise RoomNameError(f"{bad[0]!a} is no percent-encoded byte")
    if _ENCODED_SEPARATOR.search(path):
        raise RoomNameError("a room name has no encoded / or \\")
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise RoomNameError("a room name is UTF-8") from None


def _check_characters(name: str) -> None:
    if control := _CONTROL.search(name):
        raise RoomNameError(f"a room name has no control character, as U+{ord(control[0]):04X} is")
    if "\\" in name:
        raise RoomNameError("a room name has no \\")


class _Rank(IntEnum):
    """How specific a segment of a template is."""

    REST = 0
    ONE = 1
    LITERAL = 2


class _Segment(NamedTuple):
    rank: _Rank
    text: str  # the literal itself; of a variable, its name


# A path begins with "/", so its first segment is empty: one more literal.
_ROOT = _Segment(_Rank.LITERAL, "")
_RESERVED = (_ROOT, _Segment(_Rank.LITERAL, "-"), _Segment(_Rank.REST, "rest"))


class Template:
    """A path with variables, under a name that stands in metrics and logs.

    Raises:
        ValueError: Quoting the path, with the rule it breaks.
    """

    __slots__ = ("name", "path", "segments")

    def __init__(self, name: str, path: str) -> None:
        if not name.strip() or not name.isprintable():
            raise ValueError(f'template "{path}": its name {name!a} is blank or not printable')
        self.name = name
        self.path = path
        try:
            self.segments = _parse_path(path)
        except ValueError as error:
            raise ValueError(f'template "{path}": {error}') from None


class Templates:
    """All templates of a relay, of which the most specific one that matches decides.

    Raises:
        ValueError: Quoting both of two that share a name, or of which neither
            is more specific where both match.
    """

    __slots__ = ("_root",)

    def __init__(self, templates: Sequence[Template]) -> None:
        self._root = _Node()
        for one, other in combinations(templates, 2):
            _check_pair(one, other)
        for template in templates:
            self._root.add(template)

    def match(self, room: str) -> Template | None:
        """Return the template for a name that ``room_name`` returned, None if no such room may exist."""
        return self._root.find(room.split("/"), 0)


class _Node:
    """A tree of the templates by segment, so that hundreds of them take no longer than one.

    Trying the literal before ``{x}`` before ``{x...}`` at every step finds the most
    specific template first, because no ambiguous pair was let in.
    """

    __slots__ = ("end", "literals", "one", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.one: _Node | None = None
        self.rest: Template | None = None
        self.end: Template | None = None

    def add(self, template: Template) -> None:
        node = self
        for rank, text in template.segments:
            if rank is _Rank.REST:
                node.rest = template
                return
            if rank is _Rank.LITERAL:
                node = node.literals.setdefault(text, _Node())
            else:
                node.one = node.one or _Node()
                node = node.one
        node.end = template

    def find(self, texts: list[str], depth: int) -> Template | None:
        # No deeper than the templates are long, whatever the room.
        if depth == len(texts):
            return self.end
        literal = self.literals.get(texts[depth])
        found = literal.find(texts, depth + 1) if literal else None
        if found is None and self.one:
            found = self.one.find(texts, depth + 1)
        return found or self.rest


def _parse_path(path: str) -> tuple[_Segment, ...]:
    if not path.startswith("/"):
        raise ValueError("a path begins with /")
    if path == "/":
        raise ValueError("/ is the page, not a room")
    segments = (_ROOT, *map(_parse_segment, path[1:].split("/")))
    if any(segment.rank is _Rank.REST for segment in segments[:-1]):
        raise ValueError("{x...} takes all the rest, so nothing can follow it")
    variables = [text for rank, text in segments if rank is not _Rank.LITERAL]
    if len(set(variables)) < len(variables):
        raise ValueError("it has two variables of one name")
    # A variable takes one byte at least, and so does the "/" before each segment.
    shortest_bytes = sum(1 + (len(text.encode()) if rank is _Rank.LITERAL else 1) for rank, text in segments[1:])
    if shortest_bytes > ROOM_NAME_MAX_BYTES:
        raise ValueError(f"it needs {shortest_bytes} bytes, and a room name has at most {ROOM_NAME_MAX_BYTES}")
    if _pairs(segments, _RESERVED):
        raise ValueError('it could match "/-/…", which is reserved: begin it with a literal segment')
    return segments


def _parse_segment(text: str) -> _Segment:
    if variable := _VARIABLE.fullmatch(text):
        return _Segment(_Rank.REST if variable[2] else _Rank.ONE, variable[1])
    if "{" in text or "}" in text:
        raise ValueError(f'in "{text}": a variable is a whole segment, {{x}} or at the end {{x...}}')
    if text == "*" or text.startswith((":", "<")):
        raise ValueError(f'"{text}": a variable is written {{x}}, and {{x...}} for the rest')
    if text in ("", ".", ".."):
        raise ValueError(f'a room name has no segment "{text}"')
    if re.search(r"[?#%]", text):
        raise ValueError(f'in "{text}": a segment is written decoded, and without ?, # and %')
    _check_characters(text)
    return _Segment(_Rank.LITERAL, text)


def _check_pair(one: Template, other: Template) -> None:
    both = f'"{one.path}" and "{other.path}"'
    if one.name == other.name:
        raise ValueError(f'templates {both} are both named "{one.name}"')
    pairs = _pairs(one.segments, other.segments)
    is_one_more = any(mine.rank > theirs.rank for mine, theirs in pairs)
    is_other_more = any(mine.rank < theirs.rank for mine, theirs in pairs)
    if pairs and is_one_more == is_other_more:
        example = "/".join((mine if mine.rank >= theirs.rank else theirs).text for mine, theirs in pairs)
        raise ValueError(f'templates {both} are ambiguous: both match "{example}", neither is more specific')


def _pairs(one: Sequence[_Segment], other: Sequence[_Segment]) -> list[tuple[_Segment, _Segment]]:
    """Put two templates side by side, segment by segment; nothing is returned if no room matches both."""
    if any(_differ(mine, theirs) for mine, theirs in zip(one, other, strict=False)):
        return []
    length = max(len(one), len(other))
    one, other = _stretched(one, length), _stretched(other, length)
    return list(zip(one, other, strict=True)) if len(one) == len(other) else []


def _differ(mine: _Segment, theirs: _Segment) -> bool:
    return mine.rank is theirs.rank is _Rank.LITERAL and mine.text != theirs.text


def _stretched(segments: Sequence[_Segment], length: int) -> Sequence[_Segment]:
    """Return the segments with a last ``{x...}`` repeated, which is what it stands for, up to ``length``."""
    last = segments[-1]
    return segments if last.rank is not _Rank.REST else (*segments, *[last] * (length - len(segments)))
