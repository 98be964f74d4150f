"""From files and the environment to ``Settings``, or to a message that says what to change.

    defaults < TOML file < /run/secrets/ROOMCAST_<SECTION>__<KEY> < ROOMCAST_<SECTION>__<KEY> < --set section.key=value

What systemd loads as credentials of a service counts as what is in /run/secrets.

``--dev`` lays ``dev.toml`` over the file. A value that came from a secret is never
shown, not even when it is wrong.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from roomcast.settings.errors import HIDDEN, SettingsError, problems
from roomcast.settings.keys import FILE_VARIABLE, HIDDEN_KEYS, KEYS, TABLES, around, table_of
from roomcast.settings.model import Settings
from roomcast.settings.sections import Section
from roomcast.settings.sources import Layer, read_environment, read_file, read_overrides, read_secrets, read_text
from roomcast.settings.values import is_loopback

FILES = (Path("config/roomcast.toml"), Path("/etc/roomcast/roomcast.toml"))
SECRETS = Path("/run/secrets")
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
NEW_FILE = Path("NEW.toml")
"""What a file is called of which only the text is known."""
# In a wheel the file lies beside the package, in a checkout where its readers look for it.
DEV_FILES = (Path(__file__).parents[1] / "dev.toml", Path(__file__).parents[3] / "config" / "dev.toml")

# What holds for a template that leaves these open.
INHERITED = {
    "message_max_bytes": "limits.message_max_bytes",
    "messages_per_s": "limits.messages_per_s",
    "bytes_per_s": "limits.bytes_per_s",
    "control_frames_per_s": "limits.control_frames_per_s",
    "origins": "origins.allow",
}


@dataclass(frozen=True)
class Given:
    """What a program was told about where its configuration is: enough to read it once more."""

    file: Path | None = None
    is_dev: bool = False
    overrides: tuple[str, ...] = ()
    secrets: Path = SECRETS

    def load(self, text: str | None = None) -> "Loaded":
        """Read and check everything now. See ``load``.

        Args:
            text: Of a configuration file that stands in for the one that is there.

        Raises:
            SettingsError: With every problem found, each with its place.
        """
        given = self if text is not None else replace(self, file=_find_file(self.file))
        layers = [
            *given._files(text),
            read_secrets(self.secrets),
            *_read_credentials(),
            read_environment(),
            read_overrides(self.overrides),
        ]
        loaded = _trace(_check(layers), layers, given)
        if self.is_dev:
            _check_loopback(loaded)
        return loaded

    def _files(self, text: str | None) -> list[Layer]:
        files = []
        if text is not None:
            files = [read_text(text, NEW_FILE)]
        elif self.file is not None:
            files = [read_file(self.file)]
        return [*files, *([_beside_own_rooms(read_file(_dev_file()), files)] if self.is_dev else [])]


@dataclass(frozen=True)
class Loaded:
    """Settings, and for each of their keys where its value came from."""

    settings: Settings
    sources: Mapping[str, str] = field(default_factory=dict)
    """By dotted key: "default", "config/roomcast.toml line 12", "environment ROOMCAST_SERVER__PORT" …"""
    secrets: frozenset[str] = frozenset()
    """The keys whose values must not be shown."""
    given: Given = Given()
    """By which it is read again: from the same file, if there was one. Where that is missing then, as while an
    editor saves it, to look on would find another, or none, and that is a configuration of defaults."""

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield each key, the value that holds, as TOML writes it, and where it came from; secrets hidden."""
        values = _values(self.settings)
        for key, value in values.items():
            inherited = INHERITED[key.rpartition(".")[2]] if value is None else None
            shown = HIDDEN if (inherited or key) in self.secrets else in_toml(values[inherited or key])
            yield key, shown, f"as {inherited}" if inherited else self.sources[key]


def load(
    file: Path | None = None,
    *,
    is_dev: bool = False,
    overrides: Sequence[str] = (),
    secrets: Path = SECRETS,
) -> Loaded:
    """Read and check everything that configures Roomcast.

    Args:
        file: The configuration file. None: what ROOMCAST_CONFIG names, else the first
            of ``FILES`` that exists, else none.
        is_dev: Lay ``dev.toml`` over the file, and refuse to be reachable from elsewhere. Its
            templates are for a file that has none of its own.
        overrides: ``section.key=value``, the last word on a key.
        secrets: The folder where secrets are mounted.

    Raises:
        SettingsError: With every problem found, each with its place.
    """
    return Given(file, is_dev, tuple(overrides), secrets).load()


def _read_credentials() -> list[Layer]:
    """Return the secrets that systemd holds ready for this service (LoadCredential=), where it does."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    return [read_secrets(Path(folder))] if folder else []


def _find_file(file: Path | None) -> Path | None:
    if file is None and (named := os.environ.get(FILE_VARIABLE)):
        file = Path(named)
    # A file that was asked for by name must be there; read_file says so if it is not.
    return file or next((path for path in FILES if path.exists()), None)


def _beside_own_rooms(dev: Layer, files: Sequence[Layer]) -> Layer:
    """Return what dev says, less its templates where somebody has written others: those are to be tried out."""
    if not any("rooms" in file.values and not _is_default(file.values["rooms"]) for file in files):
        return dev
    return replace(dev, values={name: value for name, value in dev.values.items() if name != "rooms"})


def _is_default(rooms: Any) -> bool:
    """Whether these are the templates that there are without any, as in our own commented file."""
    try:
        return Settings(rooms=rooms).rooms == Settings().rooms
    except ValidationError:
        return False


def _dev_file() -> Path:
    path = next((path for path in DEV_FILES if path.exists()), DEV_FILES[-1])
    # As a reader would write it: it is named in what `check` prints.
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _check(layers: Sequence[Layer]) -> Settings:
    def uppermost(key: str) -> Layer:
        names = (key, *around(key))
        return next((layer for name in names for layer in reversed(layers) if layer.has(name)), Layer({}))

    try:
        return Settings(**reduce(_merge, [layer.values for layer in layers]))
    except ValidationError as error:
        lines = problems(
            error,
            lambda key: uppermost(key).place(key),
            lambda key: key in HIDDEN_KEYS or uppermost(key).is_secret,
        )
        # pydantic's own error quotes values, so it must not be seen behind ours.
        raise SettingsError("\n".join(lines)) from None


def _merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for name, value in upper.items():
        below = merged.get(name)
        # Sections hold values, never sections; a list of tables is one value.
        merged[name] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _values(settings: Settings) -> dict[str, Any]:
    """Return the effective value of every key, by its dotted name."""
    values = {
        key: getattr(getattr(settings, key.partition(".")[0]), key.partition(".")[2]) for key in KEYS if "." in key
    }
    for table, names in TABLES.items():
        for index, row in enumerate(getattr(settings, table)):
            values |= {f"{table}[{index}].{name}": getattr(row, name) for name in names}
    return values


def _deciding(key: str, layers: Sequence[Layer]) -> Layer | None:
    """Return the layer that ``key`` has its value from; None: the default."""
    for layer in reversed(layers):
        if layer.has(key):
            return layer
        if (table := table_of(key)) and layer.has(table):
            # A list of tables is one value: the uppermost layer that has a row has them all. As JSON they
            # are one string, with one place; in a file, a key that a row leaves out has its default.
            return layer if isinstance(layer.values[table], str) else None
    return None


def _trace(settings: Settings, layers: Sequence[Layer], given: Given) -> Loaded:
    values = _values(settings)
    deciding = {key: _deciding(key, layers) for key in values}
    sources = {key: layer.place(key) if layer else "default" for key, layer in deciding.items()}
    # That none is set should be seen.
    secrets = frozenset(
        key for key, layer in deciding.items() if layer and (layer.is_secret or (key in HIDDEN_KEYS and values[key]))
    )
    return Loaded(settings, sources, secrets, given)


def _check_loopback(loaded: Loaded) -> None:
    doors = {"server.host": loaded.settings.server.host, "admin.host": loaded.settings.admin.host}
    problems = [
        f"{loaded.sources[key]}: {key} = {in_toml(host)}: --dev lets every page on this machine in and shows the "
        "chat page, so it listens on loopback only; to be reachable from elsewhere, serve without --dev"
        for key, host in doors.items()
        if not (host.startswith("unix:") or is_loopback(host))
    ]
    if problems:
        raise SettingsError("\n".join(problems))


def in_toml(value: Any) -> str:
    """Return a setting's value as the configuration file would write it."""
    if isinstance(value, tuple):
        return f"[{', '.join(in_toml(item) for item in value)}]"
    if isinstance(value, Section):
        return "{ " + ", ".join(f"{key} = {in_toml(item)}" for key, item in value) + " }"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
