"""The names of settings: dotted as in ``--set``, upper case in the environment.

``server.port`` is the key ``port`` in the file's section ``[server]`` and the name
``ROOMCAST_SERVER__PORT`` in the environment or among the secrets. What stands in a list
of tables, ``[[rooms]]`` or ``[[api_keys]]``, has no names there, since the list is one
value; in messages its rows are numbered from 0: ``rooms[1].path``.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from roomcast.settings.model import Settings
from roomcast.settings.sections import Section

PREFIX = "ROOMCAST_"
FILE_VARIABLE = "ROOMCAST_CONFIG"

# What a client says to a relay, where the command is one. No settings: a relay that has them in its
# environment is not configured by them, and must not take them for a mistake either.
BEARER_VARIABLE = "ROOMCAST_CLIENT_TOKEN"
API_KEY_VARIABLE = "ROOMCAST_CLIENT_API_KEY"
VARIABLES = (FILE_VARIABLE, BEARER_VARIABLE, API_KEY_VARIABLE)
"""Names like a setting's, in the environment, that are none."""


def _keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _keys_of(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _row_model(annotation: Any) -> type[Section] | None:
    """Return what a row of a list of tables is; None for any other value."""
    rows = [kind for kind in get_args(annotation) if isinstance(kind, type) and issubclass(kind, Section)]
    return rows[0] if rows else None


# Every key that takes one value. A list of tables is one of them.
KEYS = tuple(_keys_of(Settings))
# The keys of one row, by the name of its list.
TABLES = {
    name: tuple(row.model_fields)
    for name, info in Settings.model_fields.items()
    if (row := _row_model(info.annotation))
}
# Never shown, wherever the value came from: what is in a file that everybody may read is still no
# matter for a terminal, a pipeline's log, a bug report or a traceback: they are in no repr either.
HIDDEN_KEYS = frozenset(
    f"{section}.{name}"
    for section, info in Settings.model_fields.items()
    if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    for name, field in info.annotation.model_fields.items()
    if not field.repr
)
SECTIONS = tuple(Settings.model_fields)
NAMES = {PREFIX + key.upper().replace(".", "__"): key for key in KEYS}


def dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the key of everything in a nested mapping, sections and rows of tables included."""
    for name, value in values.items():
        yield from _dotted_value(value, f"{prefix}{name}")


def _dotted_value(value: Any, key: str) -> Iterator[str]:
    yield key
    if isinstance(value, Mapping):
        yield from dotted(value, f"{key}.")
    elif key in TABLES and isinstance(value, list):
        for index, row in enumerate(value):
            yield from _dotted_value(row, f"{key}[{index}]")


def table_of(key: str) -> str | None:
    """Return the list of tables that a dotted key is in a row of, or None."""
    name, bracket, _ = key.partition("[")
    return name if bracket and name in TABLES else None


def around(key: str) -> Iterator[str]:
    """Yield what ``key`` stands in, from the inside out: ``rooms[1].path``: ``rooms[1]``, ``rooms`` and ``""``."""
    while match := re.search(r"[.\[][^.\[]*$", key):
        key = key[: match.start()]
        yield key
    yield ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?``, or nothing when no known name is near.

    A key that exists in another section wins over one that is spelt alike: most
    people know the word and forget where it belongs.
    """
    candidates = list(known)
    leaf = name.rpartition(".")[2]
    moved = [key for key in candidates if "." in key and key.rpartition(".")[2] == leaf]
    near = moved or difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean {near[0]}?" if near else ""
