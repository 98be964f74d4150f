"""What changes between two configurations, key by key: for the log, for the API, and to know what takes a restart.

Templates and holders of keys are told apart by name, so their order means nothing. What
came from a secret, before or now, is only said to have changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from roomcast.settings.keys import HIDDEN_KEYS, TABLES
from roomcast.settings.load import INHERITED, Loaded, in_toml
from roomcast.settings.sections import Section

AT_START: Final = frozenset(
    {
        "server.host",
        "server.port",
        "admin.host",
        "admin.port",
        "admin.body_max_bytes",
        "admin.busiest_rooms",
        "limits.send_buffer_bytes",
        "limits.receive_buffer_bytes",
        "log.format",
    }
)
"""What only a start can take: addresses, what is set on a listening socket, and what others are made of once."""
TLS_KEYS: Final = frozenset({"tls.certificate", "tls.key"})
"""Paths may change. Whether there is any certificate decides what members are made of: that takes a start."""

VALUE_MAX_CHARS: Final = 80
"""As much of a value is shown as helps to recognise it."""
CHANGES_SHOWN: Final = 50
"""How many changes a line of the log names; of the others it says how many they are."""

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One key that has another value; of a secret, and of what is new or gone, no values."""

    key: str
    old: str | None
    new: str | None
    takes_restart: bool = False

    def __str__(self) -> str:
        if self.old is None or self.new is None:
            return f"{self.key}: {self.old or self.new}"
        return f"{self.key}: {self.old} -> {self.new}"


def difference(old: Loaded, new: Loaded) -> list[Change]:
    """Return what ``new`` changes, in the order of the keys' names."""
    before, after = _flat(old), _flat(new)
    hidden = HIDDEN_KEYS | {_table_or_key(key) for key in old.secrets | new.secrets}
    # There may be a certificate before and after, or neither.
    is_tls_kept = bool(old.settings.tls.certificate) == bool(new.settings.tls.certificate)
    changes = []
    for key in sorted(before.keys() | after.keys()):
        was, becomes = before.get(key, _ABSENT), after.get(key, _ABSENT)
        row = ".".join(key.split(".")[:2])
        if was == becomes or (row != key and (row in before) != (row in after) and _is_in_table(key)):
            continue
        takes_restart = key in AT_START or (key in TLS_KEYS and not is_tls_kept)
        changes.append(_change(key, was, becomes, is_hidden=_table_or_key(key) in hidden, takes_restart=takes_restart))
    return changes


def restart_keys(changes: Sequence[Change]) -> list[str]:
    """Return the keys that only a start can take."""
    return [change.key for change in changes if change.takes_restart]


def in_words(changes: Sequence[Change]) -> list[str]:
    """Return them for a line of the log, not more than it should hold."""
    lines = [str(change) for change in changes[:CHANGES_SHOWN]]
    more = len(changes) - len(lines)
    return [*lines, f"and {more} more"] if more else lines


def _change(key: str, was: Any, becomes: Any, *, is_hidden: bool, takes_restart: bool) -> Change:
    if was is _ABSENT or becomes is _ABSENT:
        is_new = was is _ABSENT
        return Change(key, None if is_new else "removed", "added" if is_new else None, takes_restart)
    if is_hidden:
        return Change(key, None, "changed", takes_restart)
    return Change(key, _shown(key, was), _shown(key, becomes), takes_restart)


def _shown(key: str, value: Any) -> str:
    text = f"as {INHERITED[key.rpartition('.')[2]]}" if value is None else in_toml(value)
    return text if len(text) <= VALUE_MAX_CHARS else f"{text[:VALUE_MAX_CHARS]}…"


def _is_in_table(key: str) -> bool:
    return key.partition(".")[0] in TABLES


def _table_or_key(key: str) -> str:
    # A list of tables is one value: where it came from a secret, all of it did.
    table = key.partition("[")[0].partition(".")[0]
    return table if table in TABLES else key


def _flat(loaded: Loaded) -> dict[str, Any]:
    return dict(_values(loaded))


def _values(loaded: Loaded) -> Iterator[tuple[str, Any]]:
    for name, section in loaded.settings:
        if isinstance(section, Section):
            yield from ((f"{name}.{key}", value) for key, value in section)
            continue
        for row in section:
            # That there is one at all, then what it says.
            yield f"{name}.{row.name}", row.name
            yield from ((f"{name}.{row.name}.{key}", value) for key, value in row if key != "name")
