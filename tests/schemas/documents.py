"""The documents under test, read."""

import json
import re
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

ROOT: Final = Path(__file__).parents[2]
SCHEMAS: Final = ROOT / "app" / "schemas"
PROTOCOL: Final = (ROOT / "app" / "PROTOCOL.md").read_text(encoding="utf-8")
SCHEMA: Final[dict[str, Any]] = json.loads((SCHEMAS / "roomcast.json.schema.json").read_text(encoding="utf-8"))
ASYNCAPI: Final[dict[str, Any]] = json.loads((SCHEMAS / "asyncapi.json").read_text(encoding="utf-8"))

FROM_RELAY: Final = Draft202012Validator({"$ref": "#/$defs/fromRelay", "$defs": SCHEMA["$defs"]})
FROM_CLIENT: Final = Draft202012Validator({"$ref": "#/$defs/fromClient", "$defs": SCHEMA["$defs"]})


def types_from(side: str) -> set[str]:
    """Return the types that this side may send: fromRelay or fromClient."""
    return {each["$ref"].rpartition("/")[2] for each in SCHEMA["$defs"][side]["oneOf"]}


def examples(heading: str) -> list[dict[str, Any]]:
    """Return the objects in the fenced blocks of PROTOCOL.md under this heading, up to the next."""
    _, _, behind = PROTOCOL.partition(f"### {heading}\n")
    section = re.split(r"^#+ ", behind, maxsplit=1, flags=re.MULTILINE)[0]
    lines = "".join(re.findall(r"^```json\n(.*?)^```", section, re.DOTALL | re.MULTILINE))
    return [json.loads(line) for line in lines.splitlines()]


def words(definition: str, key: str) -> set[str]:
    """Return the words that a member of an object may have."""
    return set(SCHEMA["$defs"][definition]["properties"][key]["enum"])


def undocumented(told: dict[str, Any]) -> set[str]:
    """Return the members of an object that the schema does not name."""
    return set(told) - set(SCHEMA["$defs"][told["type"]]["properties"])
