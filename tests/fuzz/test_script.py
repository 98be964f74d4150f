import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import script


def test_an_input_says_what_was_written_into_it() -> None:
    asked = script.read(script.write(b"abcdefgh", 3, 1, choice=5))

    assert (asked.choice, asked.sizes, asked.stream) == (5, (3, 1), b"abcdefgh")
    assert list(asked.pieces()) == [b"abc", b"d", b"efg", b"h"]
    assert asked.choose("xyz") == "z"


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x03", b"\x01\x03a", b"\x01\x08abc", b"\xff" * 12])
def test_what_an_input_lacks_is_nought(data: bytes) -> None:
    asked = script.read(data)

    assert b"".join(asked.pieces()) == asked.stream


@given(st.binary(max_size=60))
def test_the_pieces_of_any_input_are_its_stream(data: bytes) -> None:
    asked = script.read(data)

    assert b"".join(asked.pieces()) == asked.stream
    assert all(asked.pieces())
