"""What is wrong with a configuration, said to the person who wrote it.

pydantic knows the rule and the value; the layers know the place. One line each:

    config/roomcast.toml line 12: server.port = 70000: should be less than or equal to 65535
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from roomcast.settings.keys import KEYS, SECTIONS, TABLES, did_you_mean, table_of

# Of a wrong value, as much as helps to recognise it.
SHOWN_CHARACTERS = 80
PROBLEMS_MAX = 100
"""As many as anybody reads. For each the names near it are looked up: 300,000 took a minute."""
HIDDEN = "(hidden)"
# In a URL, what stands before the host is a name and a password.
USER_OF_URL = re.compile(r'//[^/?#"]*@')


class SettingsError(ValueError):
    """The configuration cannot be used. Its text says what, where and why, one problem a line."""


def problems(error: ValidationError, place: Callable[[str], str], is_secret: Callable[[str], bool]) -> Iterator[str]:
    """Yield a line for each key that is wrong, of the first ``PROBLEMS_MAX``, and how many more there are.

    Args:
        error: What pydantic found.
        place: Where a dotted key has its value from.
        is_secret: Whether that place is a secret, whose value must not be shown.
    """
    found: dict[str, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_key(details["loc"]), []).append(details)
    for key, several in islice(found.items(), PROBLEMS_MAX):
        # "auto" or a number: a value that is neither fails twice.
        rule = " or ".join(dict.fromkeys(_rule(details, key) for details in several))
        if key:
            value = HIDDEN if is_secret(key) else _shown(several[0]["input"])
            shown = "" if several[0]["type"] in {"extra_forbidden", "missing"} else f" = {value}"
            yield f"{place(key)}: {key}{shown}: {rule}"
        else:
            # Keys that disagree with one another are named in the rule.
            yield rule
    if (more := len(found) - PROBLEMS_MAX) > 0:
        yield f"and {more} keys more are wrong"


def _key(location: tuple[int | str, ...]) -> str:
    """Return the key that an error is about: not the item of a list, nor the arm of a union."""
    depth = 2
    if location and location[0] in TABLES:
        depth = 4 if location[2:3] == ("origins",) else 3
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[:depth])
    return "".join(parts).removeprefix(".")


def _rule(details: ErrorDetails, key: str) -> str:
    match details["type"]:
        case "extra_forbidden":
            kind = "key" if "." in key else "section"
            return f"there is no such {kind}{did_you_mean(key, _known_beside(key))}"
        case "missing":
            return "is required"
        case "model_type":
            return f"should be a section: write [{key}] on a line of its own, and its keys below"
        case "tuple_type" if key in TABLES:
            return f"should be a list of tables: write [[{key}]], with two brackets, above each"
        case "tuple_type":
            return "should be a list"
        case _:
            return details["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _known_beside(key: str) -> Iterator[str]:
    section, dot, _ = key.rpartition(".")
    if not dot:
        yield from SECTIONS
    elif section.endswith("].origins"):
        yield f"{section}.allow"
    else:
        for table, names in TABLES.items():
            row = section if table_of(section) == table else f"[[{table}]]"
            yield from (f"{row}.{name}" for name in names)
        yield from KEYS


def _shown(value: Any) -> str:
    text = USER_OF_URL.sub(f"//{HIDDEN}@", json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
