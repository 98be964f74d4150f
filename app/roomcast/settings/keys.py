"""The names of settings: dotted as in ``--set``, upper case in the environment.

``server.port`` is the key ``port`` in the file's section ``[server]`` and the name
``ROOMCAST_SERVER__PORT`` in the environment or among the secrets. Templates have no
names there, since they are one value, a list; in messages they are numbered from 0:
``rooms[1].path``.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from roomcast.settings.model import Settings
from roomcast.settings.sections import RoomSettings

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


# Every key that takes one value. "rooms" is one of them.
KEYS = tuple(_keys_of(Settings))
ROOM_KEYS = tuple(RoomSettings.model_fields)
SECTIONS = tuple(Settings.model_fields)
NAMES = {PREFIX + key.upper().replace(".", "__"): key for key in KEYS}


def dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the key of everything in a nested mapping, sections and templates included."""
    for name, value in values.items():
        yield from _dotted_value(value, f"{prefix}{name}")


def _dotted_value(value: Any, key: str) -> Iterator[str]:
    yield key
    if isinstance(value, Mapping):
        yield from dotted(value, f"{key}.")
    elif key == "rooms" and isinstance(value, list):
        for index, template in enumerate(value):
            yield from _dotted_value(template, f"{key}[{index}]")


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
