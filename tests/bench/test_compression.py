"""What compression costs can be told, for messages that compression is made for."""

import zlib

import pytest

from tests.bench import compression
from tests.bench.compression import SIZES, chatter, masked, table


@pytest.mark.parametrize("size", SIZES)
def test_messages_are_of_their_size_and_shrink_as_text_does(size: int) -> None:
    text = chatter(size)

    assert len(text) == size
    assert 0.2 < len(zlib.compress(text)) / size < 0.7


def test_frames_are_a_client_s() -> None:
    assert masked(b"hello", is_compressed=False) == b"\x81\x85\0\0\0\0hello"
    assert masked(bytes(200), is_compressed=True)[:4] == b"\xc1\xfe\x00\xc8"


def test_table_has_a_line_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_RUN_S", 0.0)

    lines = table().splitlines()

    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {size:,}" for size in SIZES]
