"""Files that settings name: what is read of them, and what is not waited for."""

import os
from pathlib import Path

import pytest

from roomcast.settings.named_files import FILE_MAX_BYTES, read_named


def test_plain_file_is_read_to_its_longest(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_bytes(b"x" * FILE_MAX_BYTES)

    assert len(read_named(str(file))) == FILE_MAX_BYTES


def test_file_one_byte_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_bytes(b"x" * (FILE_MAX_BYTES + 1))

    with pytest.raises(OSError, match="longer than 1048576 bytes"):
        read_named(str(file))


def test_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="Not a plain file"):
        read_named(str(tmp_path / "pipe"))


def test_device_without_an_end_is_refused() -> None:
    with pytest.raises(OSError, match="Not a plain file"):
        read_named("/dev/zero")


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        read_named(str(tmp_path))


def test_path_with_a_nul_is_refused_as_one_that_cannot_be_read() -> None:
    with pytest.raises(OSError, match="no path holds a NUL"):
        read_named("a\0b")
