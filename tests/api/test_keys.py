from __future__ import annotations

from pathlib import Path

import pytest

from roomcast.api.keys import FILE_MAX_BYTES, ROOT, Holder, KeyFile, KeyFileError, Keyring, Scope

OLD = "0123456789abcdef0123456789abcdef"
NEW = "fedcba9876543210fedcba9876543210"
BACKEND = Holder("backend", frozenset({Scope.PUBLISH}))
SCREEN = Holder("screen", frozenset({Scope.READ}))


def key_file(path: Path, text: str, holder: Holder = BACKEND) -> KeyFile:
    path.write_text(text)
    return KeyFile(holder, str(path))


def test_nobody_has_a_key_where_there_is_none() -> None:
    keyring = Keyring("", [])

    assert keyring.is_empty
    assert keyring.holder_of("") is None


def test_the_one_key_of_the_settings_opens_everything() -> None:
    keyring = Keyring(OLD, [])

    assert not keyring.is_empty
    assert keyring.holder_of(OLD) is ROOT
    assert ROOT.scopes == set(Scope)


@pytest.mark.parametrize("key", ["", NEW, OLD[:-1], OLD + "0", OLD.upper(), "ü" * 32])
def test_key_that_is_nearly_right_is_nobodys(key: str) -> None:
    assert Keyring(OLD, []).holder_of(key) is None


def test_each_file_is_one_holders_and_may_have_several_keys(tmp_path: Path) -> None:
    backend = key_file(tmp_path / "a", f"\n  {OLD}\t\r\n\n{NEW}")
    screen = key_file(tmp_path / "b", "x" * 32, SCREEN)

    keyring = Keyring("", [backend, screen])

    assert [keyring.holder_of(key) for key in (OLD, NEW, "x" * 32)] == [BACKEND, BACKEND, SCREEN]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", " holds no key"),
        (" \n\n", " holds no key"),
        (f"{OLD}\nshort\n", " line 2 is shorter than 32 characters"),
        (f"{OLD} {NEW}\n", " line 1 may hold letters, digits and -._~+/ only"),
        ("x" * (FILE_MAX_BYTES + 1), f" is longer than {FILE_MAX_BYTES} bytes"),
    ],
)
def test_file_that_does_not_hold_keys_is_named_with_the_rule_and_not_quoted(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = key_file(tmp_path / "keys", text)

    with pytest.raises(KeyFileError) as caught:
        Keyring("", [file])

    assert str(caught.value).startswith(f'api_keys "backend": {tmp_path}/keys{problem}')
    assert OLD not in str(caught.value)


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\xff" * 32)

    with pytest.raises(KeyFileError, match="/keys is no text"):
        Keyring("", [KeyFile(BACKEND, str(tmp_path / "keys"))])


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"/keys cannot be read: No such file or directory$"):
        Keyring("", [KeyFile(BACKEND, str(tmp_path / "keys"))])


def test_key_of_two_holders_is_refused_for_nobody_could_tell_them_apart(tmp_path: Path) -> None:
    files = [key_file(tmp_path / "a", OLD), key_file(tmp_path / "b", OLD, SCREEN)]

    with pytest.raises(KeyFileError, match='api_keys "screen": has a key that is also one of "backend"'):
        Keyring("", files)
