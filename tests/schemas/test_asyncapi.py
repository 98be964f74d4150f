"""The AsyncAPI document: as AsyncAPI wants it, whole in itself, and of the same mind as the subprotocol's schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from roomcast import __version__
from tests.schemas.documents import ASYNCAPI, FROM_CLIENT, FROM_RELAY, SCHEMA, SCHEMAS, types_from

MESSAGES: dict[str, Any] = ASYNCAPI["components"]["messages"]
# Where tests/install/tools.sh puts the package @asyncapi/specs.
SPECS = Path(sys.prefix, "witnesses", "node_modules", "@asyncapi", "specs")


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(target)}:
            yield target
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)


def find(reference: str) -> Any:
    """Return what a reference of the document leads to."""
    file, _, path = reference.partition("#/")
    found = json.loads((SCHEMAS / file).read_text(encoding="utf-8")) if file else ASYNCAPI
    for name in path.split("/"):
        found = found[name]
    return found


def test_asyncapi_s_own_schema_finds_nothing_wrong() -> None:
    specification = json.loads((SPECS / "schemas" / "3.0.0.json").read_text(encoding="utf-8"))

    assert [error.message for error in Draft7Validator(specification).iter_errors(ASYNCAPI)] == []


def test_document_is_of_this_version() -> None:
    assert ASYNCAPI["info"]["version"] == __version__


def test_reference_leads_somewhere() -> None:
    for reference in references(ASYNCAPI):
        assert find(reference), reference


def test_every_object_of_the_subprotocol_is_a_message_of_its_channel() -> None:
    names = types_from("fromRelay") | types_from("fromClient")

    assert set(ASYNCAPI["channels"]["json"]["messages"]) == names
    assert {name for name in MESSAGES if name in SCHEMA["$defs"]} == names


def test_relay_sends_what_it_says_and_receives_what_clients_say() -> None:
    def names(operation: str) -> set[str]:
        return {each["$ref"].rpartition("/")[2] for each in ASYNCAPI["operations"][operation]["messages"]}

    assert names("tellJson") == types_from("fromRelay")
    assert names("hearJson") == types_from("fromClient")


@pytest.mark.parametrize("name", [name for name in MESSAGES if name in SCHEMA["$defs"]])
def test_example_is_as_the_subprotocol_s_schema_says(name: str) -> None:
    validator = FROM_CLIENT if name in types_from("fromClient") else FROM_RELAY

    for example in MESSAGES[name]["examples"]:
        validator.validate(example["payload"])
        assert example["payload"]["type"] == name


@pytest.mark.parametrize("kind", ["gap", "expiring", "goodbye"])
def test_event_says_what_the_object_of_its_type_says(kind: str) -> None:
    event, said = MESSAGES[f"event{kind.capitalize()}"], SCHEMA["$defs"][kind]

    assert {name: find(of["$ref"]) for name, of in event["payload"]["properties"].items()} == {
        name: of for name, of in said["properties"].items() if name != "type"
    }
    assert event["payload"]["required"] == [name for name in said["required"] if name != "type"]
    for example in event["examples"]:
        FROM_RELAY.validate({"type": kind} | example["payload"])
