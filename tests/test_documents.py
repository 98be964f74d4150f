"""What the documents say can be done, opened, read or seen is so: each of them is held against the program."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Final, NamedTuple
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from roomcast.cli import app
from roomcast.relay.reasons import Reason
from roomcast.server import build_policies
from roomcast.settings import Settings
from roomcast.transport.visit import Visit
from tests.processes import command_line, started
from tests.running import ask
from tests.wire import get

ROOT: Final = Path(__file__).parent.parent
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS: Final = sorted(
    path
    for pattern in ("*.md", "app/**/*.md", "config/**/*.md", "deploy/**/*.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
)

# What is quoted from a Python program is no command, whatever it looks like.
COMMANDS: Final = re.compile(r"^```(?:sh|console)\n(.*?)^```|(?<!`)`([^`\n]+)`(?!`)", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
# A peer's own code comes back; who is gone, or takes nothing, hears nothing: no number stands there.
WITHOUT_CODE: Final = {Reason.PEER: "its own", Reason.GONE: "none", Reason.WRITE_TIMEOUT: "none"}


def each_of(documents: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", documents, ids=lambda path: str(path.relative_to(ROOT)))


class Running(NamedTuple):
    address: tuple[str, int]
    log: IO[str]


@pytest.fixture(autouse=True)
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide whatever configures the relay on this machine."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("ROOMCAST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def relay() -> Iterator[Running]:
    """A relay as an operator starts it who looks at its log in a terminal."""
    with started("log.format=console") as process:
        assert process.stdout is not None
        _, rooms, _ = (process.stdout.readline() for _ in range(3))
        yield Running(("127.0.0.1", urlsplit(rooms.split()[1]).port or 0), process.stdout)


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def block(before: str) -> str:
    """Return the one block of the README that follows these words."""
    (found,) = re.findall(rf"{re.escape(before)}\n+```\w*\n(.*?)```", README, re.DOTALL)
    return str(found)


def printed(name: str) -> tuple[list[str], str]:
    """Return the command of an example, and what the README says that it prints."""
    command, _, output = block(f"<!-- printed: {name} -->").removeprefix("$ ").partition("\n")
    return shlex.split(command), output


def commands_in(document: Path) -> str:
    return "\n".join(fenced or inline for fenced, inline in COMMANDS.findall(text_of(document)))


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that a repository's host makes of the headings."""
    prose = re.sub(r"^```.*?^```", "", text_of(document), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_of(DOCUMENTS)
def test_link_leads_somewhere(document: Path) -> None:
    for path, anchor in LINK.findall(text_of(document)):
        target = document.parent / path if path else document
        assert target.exists(), f"{path} is not there"
        assert not anchor or anchor in anchors_of(target), f"{path} has no heading for #{anchor}"


@each_of(DOCUMENTS)
def test_make_has_every_target_that_is_named(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))

    named = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", commands_in(document)))

    assert named <= targets


@each_of(DOCUMENTS)
def test_roomcast_has_every_command_that_is_named(document: Path) -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}

    named = set(re.findall(r"(?<!from )\broomcast ([a-z]+)\b", commands_in(document)))

    assert named <= commands


@pytest.mark.parametrize("before", ["With one, say what differs:", "until you say otherwise."])
def test_configuration_in_the_readme_is_right(before: str) -> None:
    Path("roomcast.toml").write_text(block(before), encoding="utf-8")

    result = CliRunner().invoke(app, ["check", "--config", "roomcast.toml"])

    assert result.exit_code == 0, result.output


def test_client_in_the_readme_opens_a_room_of_the_default_configuration() -> None:
    (url,) = re.findall(r'new WebSocket\("([^"]+)"\);$', README, re.MULTILINE)
    settings = Settings()

    room = build_policies(settings).admit(urlsplit(url).path, Visit()).room

    assert room == "/rooms/lobby"
    assert urlsplit(url).port == settings.server.port


def test_readme_has_every_close_reason_with_its_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", README, re.MULTILINE)

    assert dict(rows) == {str(reason): WITHOUT_CODE.get(reason, str(reason.close_code)) for reason in Reason}


@pytest.mark.parametrize("mistake", ["origin", "path"])
def test_refusal_reads_as_the_readme_shows_it(mistake: str, relay: Running) -> None:
    (_, *arguments), answer = printed(mistake)
    lines = [value for option, value in pairwise(arguments) if option == "-H"]

    assert ask(relay.address, get(urlsplit(arguments[-1]).path, *lines)).body.decode() == answer
    logged, shown = relay.log.readline(), block(f"<!-- logged: {mistake} -->")
    assert without_time_and_id(logged) == without_time_and_id(shown)


def without_time_and_id(line: str) -> str:
    return re.sub(r"  id=[a-z0-9]{8}\.\d+  ", "  id  ", line.partition(" ")[2])


def test_port_that_is_taken_reads_as_the_readme_shows_it(relay: Running) -> None:
    (_, *arguments), output = printed("port")
    port = relay.address[1]
    line = command_line(*arguments, "--set", f"server.port={port}", "--set", "admin.port=0")

    errors = subprocess.run(line, capture_output=True, text=True, check=False).stderr

    # Which process holds it, only some systems tell.
    holder = re.compile(r", held by [^;]+")
    assert holder.sub("", errors.replace(str(port), "8080")) == holder.sub("", output)


def test_misspelt_key_reads_as_the_readme_shows_it() -> None:
    (_, *arguments), output = printed("typo")
    Path("roomcast.toml").write_text("[origin]\nallow = []\n", encoding="utf-8")

    assert CliRunner().invoke(app, arguments).stderr == output


def in_the_words_of(value: object) -> str:
    """Return a setting's default as a person would write it in a table."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int) and value >= 1024 and value % 1024 == 0 and value.bit_count() == 1 and value > 4096:
        return f"{value >> 20} MiB" if value >= 1 << 20 else f"{value >> 10} KiB"
    if isinstance(value, float):
        return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def defaults_of(settings: Settings) -> dict[str, object]:
    """Return what every key that keeps somebody out, or within bounds, is without a configuration."""
    # A template that says nothing inherits: what it leaves open stands in [limits].
    sections = (settings.rooms[0], settings.limits, settings.deflate)
    return {key: value for section in sections for key, value in section.model_dump().items()}


def test_security_names_the_threat_behind_every_limit() -> None:
    security = text_of(ROOT / "SECURITY.md")
    settings = Settings()
    sections = (settings.limits, settings.origins, settings.tokens, settings.tls, settings.deflate)

    named = set(re.findall(r"`(\w+)`", security))

    assert {key for section in sections for key in type(section).model_fields} <= named


def test_security_quotes_the_defaults_as_they_are() -> None:
    defaults = defaults_of(Settings())
    quoted: dict[str, str] = {}
    for line in text_of(ROOT / "SECURITY.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        keys = re.findall(r"`(\w+)`", cells[0])
        values = cells[1].split(" · ") if len(cells) == 4 else []
        if len(keys) == len(values) and set(keys) <= set(defaults):
            quoted |= dict(zip(keys, values, strict=True))

    assert len(quoted) > 20
    assert quoted == {key: in_the_words_of(defaults[key]) for key in quoted}
