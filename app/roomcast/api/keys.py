"""Who may use the API: named holders, their keys, and what those open.

A key is a secret that is sent as it is (RFC 6750), so it is looked at in one place
only. What is kept of it is its SHA-256, which is as long for each, and all of them
are compared, whichever fits: an answer takes as long for a key that is nearly right
as for any other.

A holder's file may have several keys, so that a new one can be handed out before
the old one is taken away. Nothing here ever says what stands in a file, only in
which line of it there is something wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from roomcast.settings.named_files import read_named
from roomcast.settings.values import check_api_key

# A few lines, of which each may be a token of another system. More is another file than was meant.
FILE_MAX_BYTES: Final = 65_536


class Scope(StrEnum):
    """What a key opens. None of them holds another."""

    PUBLISH = "publish"
    """To send messages."""
    READ = "read"
    """To list rooms and members, and to read what rooms keep."""
    ADMIN = "admin"
    """To close rooms and members."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a key."""

    name: str
    scopes: frozenset[Scope]


ROOT: Final = Holder("api_key", frozenset(Scope))
"""Whoever has the one key of the settings."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file with the keys of one holder, one a line."""

    holder: Holder
    path: str


class KeyFileError(ValueError):
    """A file of keys cannot be used. The message names the holder, the file and the rule, and no key."""


_Key = tuple[bytes, Holder]


class Keyring:
    """All keys, as they were when the files were last read.

    Args:
        api_key: The one key with every scope; empty for none.
        files: The others.

    Raises:
        KeyFileError: If a file cannot be read, or does not hold keys.
    """

    def __init__(self, api_key: str, files: Sequence[KeyFile]) -> None:
        self._api_key = api_key
        self._files = tuple(files)
        self._keys = self._read()

    @property
    def is_empty(self) -> bool:
        """Whether there is no key at all, and so nobody who could show one."""
        return not self._keys

    def holder_of(self, key: str) -> Holder | None:
        """Return whose key this is, in a time that does not tell how wrong it was."""
        digest = sha256(key.encode()).digest()
        found = None
        for known, holder in self._keys:
            if compare_digest(known, digest):
                found = holder
        return found

    def _read(self) -> tuple[_Key, ...]:
        keys: dict[bytes, Holder] = {}
        for digest, holder in self._each():
            other = keys.setdefault(digest, holder)
            if other != holder:
                raise KeyFileError(f'api_keys "{holder.name}": has a key that is also one of "{other.name}"')
        return tuple(keys.items())

    def _each(self) -> Iterator[_Key]:
        if self._api_key:
            yield sha256(self._api_key.encode()).digest(), ROOT
        for file in self._files:
            for key in _read_keys(file):
                yield sha256(key.encode()).digest(), file.holder


def _read_keys(file: KeyFile) -> list[str]:
    place = f'api_keys "{file.holder.name}": {file.path}'
    try:
        text = read_named(file.path).decode()
    except OSError as error:
        raise KeyFileError(f"{place} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{place} is no text, and a key is") from None
    if len(text) > FILE_MAX_BYTES:
        raise KeyFileError(f"{place} is longer than {FILE_MAX_BYTES} bytes")
    keys = [_checked(line.strip(), f"{place} line {number}") for number, line in enumerate(text.splitlines(), start=1)]
    if not any(keys):
        raise KeyFileError(f"{place} holds no key")
    return [key for key in keys if key]


def _checked(key: str, place: str) -> str:
    try:
        return check_api_key(key)
    except ValueError as error:
        raise KeyFileError(f"{place} {error}") from None
