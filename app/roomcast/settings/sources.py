"""Where settings come from: each source read into a layer, each value with its place.

pydantic-settings does the reading. It is silent about three mistakes that cost
operators an evening each, so they are caught here: a misspelt name in the
environment, a misspelt file among the secrets, a configuration file that is not
there. tomllib, in turn, forgets the lines it read, so the text is scanned a second
time for its keys.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic_settings import (
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    SecretsSettingsSource,
)

from roomcast.settings.errors import SettingsError
from roomcast.settings.keys import KEYS, NAMES, PREFIX, TABLES, VARIABLES, around, did_you_mean, dotted
from roomcast.settings.model import Settings
from roomcast.settings.named_files import read_named

# Kubernetes describes every Service to every container that starts after it. Beside a Service
# called "roomcast" or "roomcast-admin" these look like ours, and nobody has misspelt anything.
KUBERNETES_NAME = re.compile(r"ROOMCAST_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)")
KUBERNETES_PORT = re.compile(r"ROOMCAST_(.*_)?PORT")
KUBERNETES_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

TOML_HEADER = re.compile(r"\s*(?P<open>\[\[?)\s*(?P<name>[^\[\]]+?)\s*\]")
TOML_WORD = r"""([A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
TOML_KEY = re.compile(rf"\s*(?P<name>{TOML_WORD}(\s*\.\s*{TOML_WORD})*)\s*=")
TOML_ERROR_LINE = re.compile(r" \(at line (\d+), column \d+\)$")

# Ours end at the fourth: an item of [[rooms]], its origins, their list. What is much deeper is refused
# here, once: each that walks over the values, or writes them, would need an answer of its own.
NESTED_MAX = 16


@dataclass(frozen=True)
class Layer:
    """What one source says, and where it says so."""

    values: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    is_secret: bool = False

    def has(self, key: str) -> bool:
        """Return whether this source says anything about ``key``."""
        return key in self._keys

    @cached_property
    def _keys(self) -> frozenset[str]:
        # Once: asked anew for each key, 500 templates took 14 s to start.
        return frozenset(dotted(self.values))

    def place(self, key: str) -> str:
        """Return where ``key`` stands, or the nearest thing around it that has a place."""
        return next((self.places[name] for name in (key, *around(key)) if name in self.places), "")


def read_file(path: Path) -> Layer:
    """Read a TOML file, which has to be there.

    Raises:
        SettingsError: If it is missing, unreadable or no TOML; with its line where there is one.
    """
    try:
        text = read_named(str(path)).decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is no UTF-8, which TOML must be: {error.reason}") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    return read_text(text, path)


def read_text(text: str, path: Path) -> Layer:
    """Read what stands in a TOML file.

    Args:
        text: All of it.
        path: What it is called.

    Raises:
        SettingsError: If it is no TOML; with its line where there is one.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(_syntax_error(path, str(error))) from error
    except ValueError as error:
        # Python's own, of a number with thousands of digits.
        raise SettingsError(f"{path}: is no TOML that can be read: {error}") from error
    except RecursionError as error:
        raise SettingsError(_too_deep(path)) from error
    if _is_nested_deeper(values, NESTED_MAX):
        raise SettingsError(_too_deep(path))
    places = {key: f"{path} line {line}" for key, line in lines(text).items()}
    return Layer(values, {"": str(path), **places})


def _too_deep(path: Path) -> str:
    return f"{path}: is nested deeper than anything that could be meant"


def _is_nested_deeper(values: Any, levels: int) -> bool:
    """Whether lists and tables stand in one another deeper than that. No recursion, which it is to prevent."""
    level = [values]
    for _ in range(levels):
        level = [inner for outer in level for inner in _held_by(outer) if isinstance(inner, list | dict)]
    return bool(level)


def _held_by(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _syntax_error(path: Path, message: str) -> str:
    line = TOML_ERROR_LINE.search(message)
    if line is None:
        return f"{path}: is no TOML: {message}"
    return f"{path} line {line[1]}: is no TOML: {message[: line.start()]}"


def lines(text: str) -> dict[str, int]:
    """Return the line of every key and section in a TOML document that tomllib has accepted."""
    found: dict[str, int] = {}
    section, rows, is_in_string = "", dict.fromkeys(TABLES, 0), False
    for number, line in enumerate(text.splitlines(), start=1):
        # What stands between triple quotes may look like a key and is none.
        was_in_string = is_in_string
        is_in_string ^= (line.count('"""') + line.count("'''")) % 2 == 1
        if was_in_string:
            continue
        if header := TOML_HEADER.match(line):
            section = header["name"]
            table, dot, rest = section.partition(".")
            if header["open"] == "[[" and section in rows:
                rows[section] += 1
            if rows.get(table):
                section = f"{table}[{rows[table] - 1}]{dot}{rest}"
            found.setdefault(section.partition("[")[0], number)
            found.setdefault(section, number)
        elif key := TOML_KEY.match(line):
            name = re.sub(r"[\"' ]", "", key["name"])
            found.setdefault(f"{section}.{name}" if section else name, number)
    return found


class _OurSecrets(NestedSecretsSettingsSource):
    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        """Read our files only: a neighbour's need not be text, nor is it ours to open."""
        return {file.name: read_named(str(file)).decode().strip() for file in path.glob(f"{PREFIX}*")}


def read_secrets(folder: Path) -> Layer:
    """Read the files that Docker and Kubernetes mount for us, if there are any.

    Raises:
        SettingsError: If one of them is misnamed or cannot be read.
    """
    places = {file.name: f"secret {file}" for file in sorted(folder.glob(f"{PREFIX}*"))}
    _check_names(places)
    try:
        values = _OurSecrets(SecretsSettingsSource(Settings), secrets_dir=folder, secrets_dir_missing="ok")()
    except (OSError, ValueError) as error:
        raise SettingsError(f"secret {folder}: cannot be read: {error}") from error
    return Layer(values, {NAMES[name]: place for name, place in places.items()}, is_secret=True)


def read_environment() -> Layer:
    """Read this process's environment.

    Raises:
        SettingsError: If a name begins like ours and is none.
    """
    places = {name: f"environment {name}" for name, value in os.environ.items() if _is_meant_for_us(name, value)}
    _check_names(places)
    return Layer(EnvSettingsSource(Settings)(), {NAMES[name]: place for name, place in places.items()})


def _is_meant_for_us(name: str, value: str) -> bool:
    if not name.upper().startswith(PREFIX) or name in VARIABLES:
        return False
    if "__" in name or name in NAMES:
        return True
    is_address = KUBERNETES_PORT.fullmatch(name) and KUBERNETES_ADDRESS.match(value)
    return not (is_address or KUBERNETES_NAME.fullmatch(name))


def _check_names(places: Mapping[str, str]) -> None:
    unknown = [
        f"{place}: there is no such setting{did_you_mean(name.upper(), (*NAMES, *VARIABLES))}"
        for name, place in places.items()
        if name not in NAMES
    ]
    if unknown:
        raise SettingsError("\n".join(unknown))


def read_overrides(assignments: Sequence[str]) -> Layer:
    """Read ``section.key=value``, as ``--set`` takes it; of two for one key the last wins.

    Raises:
        SettingsError: If one has no ``=`` or names no key.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"--set {assignment}: has no value; write --set section.key=value")
        if key not in KEYS:
            raise SettingsError(f"--set {key}: there is no such key{did_you_mean(key, KEYS)}")
        section, _, name = key.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name] = value
    return Layer(values, dict.fromkeys(dotted(values), "--set"))
