from __future__ import annotations

from typing import Annotated

import pytest
from falcon import HTTPBadRequest, Request
from falcon.testing import create_environ
from pydantic import BaseModel, ConfigDict, Field

from roomcast.api import intake


class Wanted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    room: str
    limit: Annotated[int, Field(ge=1)] = 7
    tags: list[int] = []


def asked(text: str) -> Wanted:
    return intake.query(Request(create_environ(query_string=text)), Wanted)


def problem(text: str) -> str:
    with pytest.raises(HTTPBadRequest) as caught:
        intake.parse_query(text, Wanted)
    return str(caught.value.description)


@pytest.mark.parametrize(
    ("text", "room"),
    [
        ("room=/rooms/lobby", "/rooms/lobby"),
        ("room=%2Frooms%2Flobby", "/rooms/lobby"),
        ("room=a+b%2B", "a b+"),
        ("room=%2541", "%41"),
        ("room=%C3%A9&limit=7", "é"),
        ("room=", ""),
    ],
)
def test_query_is_decoded_once(text: str, room: str) -> None:
    assert asked(text) == Wanted(room=room)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "room: Field required"),
        ("room=a&room=a", "a query has each parameter once"),
        ("room=a&secret=1", "the query has a member that is not known; there are room, limit, tags"),
        ("room=a&limit=secret", "limit: Input should be a valid integer, unable to parse string as an integer"),
        ("room=a&limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=0", "room: Field required; limit: Input should be greater than or equal to 1"),
        ("room=%", "in a query all beyond ASCII, and % itself, is percent-encoded"),
        ("room=%g0", "in a query all beyond ASCII, and % itself, is percent-encoded"),
        ("room=\xc3\xa9", "in a query all beyond ASCII, and % itself, is percent-encoded"),
        ("room=%ff", "a query is UTF-8, percent-encoded"),
        ("room=%ED%A0%80", "a query is UTF-8, percent-encoded"),
    ],
)
def test_query_that_leaves_a_doubt_is_refused_with_the_rule_and_not_quoted(text: str, rule: str) -> None:
    assert problem(text) == rule


def test_place_in_a_body_is_named() -> None:
    with pytest.raises(HTTPBadRequest) as caught:
        intake.json(b'{"room": "a", "tags": [1, "secret"]}', Wanted)

    assert caught.value.description == (
        "tags[1]: Input should be a valid integer, unable to parse string as an integer"
    )


def test_so_much_that_is_wrong_is_told_and_of_more_how_much_it_is() -> None:
    def detail(tags: int) -> str:
        with pytest.raises(HTTPBadRequest) as caught:
            intake.json(b'{"room": "a", "tags": [%s]}' % b",".join([b"null"] * tags), Wanted)
        return str(caught.value.description)

    assert detail(intake.TOLD_MAX).count("Input should be a valid integer") == intake.TOLD_MAX
    assert detail(intake.TOLD_MAX + 1) == "21 things are wrong with the body: too many to tell"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("text/plain", "text/plain"),
        (" Text/Plain ; charset=UTF-8", "text/plain"),
        ('text/plain; charset="utf-8"', "text/plain"),
        ("text/plain;", "text/plain"),
        ("text/plain; charset=utf-16", ""),
        ("text/plain; charset=utf-8; format=flowed", ""),
        ("", ""),
    ],
)
def test_type_of_a_body_is_known_by_its_name_where_its_charset_is_ours(header: str, kind: str) -> None:
    assert intake.media_type(Request(create_environ(headers={"Content-Type": header}))) == kind
