"""What a request brings: its query and its body, read once and strictly.

Nothing is repaired, and nothing is skipped that was meant: a misspelt parameter
would be a limit that does not hold. What is wrong is named by its place and the
rule, and never quoted.

Falcon reads queries and bodies as well, but takes bytes that are no UTF-8 for
U+FFFD, and the last of two parameters for the only one: either would turn one
room's name into another's.

Source: RFC 3986, 2.1, and the URL Standard for "+" in a query.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from falcon import HTTPBadRequest, HTTPError, Request
from pydantic import BaseModel, ValidationError

# How many things that are wrong are told one by one. To tell a hundred thousand took 0.3 s, and a megabyte.
TOLD_MAX: Final = 20

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

M = TypeVar("M", bound=BaseModel)


def query(request: Request, model: type[M]) -> M:
    """Return the query as a model of its parameters.

    Raises:
        HTTPBadRequest: If a parameter is unknown, missing, given twice, or breaks its rule.
    """
    parsed: M = parse_query(request.query_string, model)
    return parsed


# Most ask for the same few rooms again and again. A query is at most as long as a request line, 8 KiB.
@lru_cache(maxsize=256)
def parse_query(text: str, model: type[M]) -> M:
    """Return what stands behind the "?" of a target as a model of its parameters.

    Raises:
        HTTPBadRequest: As ``query``.
    """
    if not text.isascii() or _BAD_ESCAPE.search(text):
        raise HTTPBadRequest(description="in a query all beyond ASCII, and % itself, is percent-encoded")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise HTTPBadRequest(description="a query is UTF-8, percent-encoded") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise HTTPBadRequest(description="a query has each parameter once")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise HTTPBadRequest(description=_problems(error, model, "query")) from None


def body(request: Request) -> bytes:
    """Return the whole body; its length was bounded when the head was read.

    Raises:
        HTTPBadRequest: If it breaks off.
    """
    try:
        return request.bounded_stream.read()
    except OSError:
        raise HTTPBadRequest(description="the body breaks off") from None


def json(data: bytes, model: type[M]) -> M:
    """Return a JSON body as a model.

    Raises:
        HTTPBadRequest: If it is no JSON, or not of this form.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise HTTPBadRequest(description=_problems(error, model, "body")) from None


def media_type(request: Request) -> str:
    """Return the type of the body in lower case, without parameters; empty where none is named.

    A charset may say what is so anyway.
    """
    name, _, parameters = (request.content_type or "").partition(";")
    charset = re.fullmatch(r'\s*charset="?(?:utf-8|us-ascii)"?\s*', parameters, re.IGNORECASE)
    return name.strip().lower() if charset or not parameters.strip() else ""


def unsupported(accepted: Iterable[str], how: str) -> HTTPError:
    """Return the refusal of a body of another type, with what would be taken (RFC 9110, 15.5.16)."""
    return HTTPError(415, description=how, headers={"Accept": ", ".join(accepted)})


def _problems(error: ValidationError, model: type[BaseModel], whole: str) -> str:
    """Say what is wrong, without a word of what was given: not even a name, unless it is one of ours."""
    if error.error_count() > TOLD_MAX:
        return f"{error.error_count()} things are wrong with the {whole}: too many to tell"
    found = error.errors(include_url=False, include_input=False, include_context=False)
    problems = (_problem(details["type"], details["loc"], details["msg"], model, whole) for details in found)
    return "; ".join(dict.fromkeys(problems))


def _problem(kind: str, location: tuple[int | str, ...], message: str, model: type[BaseModel], whole: str) -> str:
    if kind == "json_invalid":
        return "the body is no JSON"
    if kind == "extra_forbidden":
        names = ", ".join(model.model_fields)
        return f"{_place(location[:-1], whole)} has a member that is not known; there are {names}"
    return f"{_place(location, whole)}: {message.removeprefix('Value error, ')}"


def _place(location: tuple[int | str, ...], whole: str) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".") or f"the {whole}"
