"""The configuration files against the settings: neither may know a key or a default that the other does not."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from roomcast.settings import Settings, load
from roomcast.settings.difference import AT_START
from roomcast.settings.keys import TABLES
from roomcast.settings.sections import OWN_LIMITS

CONFIG = Path(__file__).parent.parent / "config"
MANUAL = (CONFIG / "roomcast.toml").read_text("utf-8")

# A template's limits and origins are inherited unless it has its own, so the file shows them
# as comments, with the value that is inherited. Of the holders of API keys there are none.
OPTIONAL = re.compile(r"^# (?=\w+ = |\[\[\w+\]\]$)", re.MULTILINE)
MANUAL_WITH_OPTIONAL = OPTIONAL.sub("", MANUAL)


def fields(model: type[BaseModel], prefix: str) -> Iterator[str]:
    return (f"{prefix}.{name}" for name in model.model_fields)


def keys_of_the_settings() -> set[str]:
    keys = {f"{table}.{name}" for table, names in TABLES.items() for name in names}
    for section, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys |= set(fields(info.annotation, section))
    return keys


def values_in(text: str) -> dict[str, Any]:
    sections = tomllib.loads(text)
    for table in sections.keys() & TABLES.keys():
        [sections[table]] = sections[table]
    return {f"{section}.{key}": value for section, keys in sections.items() for key, value in keys.items()}


def inherited_values() -> dict[str, Any]:
    settings = Settings()
    room = settings.rooms[0].inherit(settings.limits)
    limits = {f"rooms.{key}": getattr(room, key) for key in OWN_LIMITS}
    return {**limits, "rooms.origins": {"allow": list(settings.origins.allow), "shadow": list(settings.origins.shadow)}}


def key_lines() -> list[int]:
    return [index for index, line in enumerate(MANUAL.splitlines()) if re.match(r"(# )?\w+ = ", line)]


def key_at(index: int) -> str:
    lines = [line.removeprefix("# ") for line in MANUAL.splitlines()]
    section = next(line for line in lines[index::-1] if re.fullmatch(r"\[+\w+\]+", line))
    return f"{section.strip('[]')}.{lines[index].partition(' = ')[0]}"


def comment_above(index: int) -> str:
    lines = MANUAL.splitlines()
    start = index
    while lines[start - 1].startswith("# ") and not OPTIONAL.match(lines[start - 1]):
        start -= 1
    return " ".join(line.removeprefix("# ") for line in lines[start:index])


def test_manual_has_every_key_and_no_other() -> None:
    assert set(values_in(MANUAL_WITH_OPTIONAL)) == keys_of_the_settings()


def test_manual_shows_every_default_as_the_value() -> None:
    assert Settings(**tomllib.loads(MANUAL)) == Settings()


def test_manual_says_nothing_of_what_a_template_inherits_or_of_who_has_no_key() -> None:
    holders = {f"api_keys.{name}" for name in TABLES["api_keys"]}

    assert set(values_in(MANUAL_WITH_OPTIONAL)) - set(values_in(MANUAL)) == {*inherited_values(), *holders}


def test_manual_shows_what_a_template_inherits_in_its_comments() -> None:
    shown = values_in(MANUAL_WITH_OPTIONAL)

    assert {key: shown[key] for key in inherited_values()} == inherited_values()


@pytest.mark.parametrize("index", key_lines(), ids=lambda index: MANUAL.splitlines()[index])
def test_every_key_is_explained_above_and_says_when_it_takes_effect(index: int) -> None:
    comment = comment_above(index)

    words = "Takes effect at start." if key_at(index) in AT_START else "Takes effect on reload."
    assert comment.endswith(words)
    assert len(comment) > len(words)


def test_manual_fits_a_terminal() -> None:
    assert max(len(line) for line in MANUAL.splitlines()) <= 100


def test_every_setting_has_a_description_in_the_schema() -> None:
    schema = Settings.model_json_schema()
    tables = [schema, *schema["$defs"].values()]

    undescribed = [name for table in tables for name, key in table["properties"].items() if not key.get("description")]

    assert undescribed == []


def test_dev_shows_the_chat_page_and_allows_pages_of_this_machine() -> None:
    settings = Settings(**tomllib.loads((CONFIG / "dev.toml").read_text("utf-8")))

    assert settings.server.demo
    assert settings.origins.allow == ("http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*")


def test_dev_changes_nothing_else() -> None:
    dev = tomllib.loads((CONFIG / "dev.toml").read_text("utf-8"))

    [room] = dev.pop("rooms")
    assert {section: set(keys) for section, keys in dev.items()} == {"server": {"demo"}, "origins": {"allow"}}
    assert room == {"name": "rooms", "path": "/rooms/{room}", "history_messages": 200, "presence": True}


def test_package_is_built_with_the_file_that_dev_reads() -> None:
    project = tomllib.loads((CONFIG.parent / "pyproject.toml").read_text("utf-8"))

    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert included == {"config/dev.toml": "roomcast/dev.toml"}


def test_example_in_the_readme_is_valid(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", (CONFIG / "README.md").read_text("utf-8"), re.DOTALL)
    file = tmp_path / "roomcast.toml"
    file.write_text(example)

    assert load(file, secrets=tmp_path).settings.rooms[0].echo
