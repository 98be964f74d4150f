import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.incoming import Incoming, check_utf8
from tests.protocol.clients import deflated, pieces

NO_MASK = bytes(4)


def arriving(text: bytes, *, opcode: Opcode = Opcode.TEXT, length: int = 1000) -> int:
    """How many of these bytes, one after the other, a message takes before it finds a fault."""
    incoming = Incoming(opcode)
    incoming.begin_frame(length, NO_MASK, is_final=True)
    for position in range(len(text)):
        try:
            incoming.take(text[position : position + 1])
        except FrameError:
            return position
    return len(text)


@pytest.mark.parametrize(
    ("text", "first_bad"),
    [
        ("80", 0),
        ("c0", 0),
        ("c1", 0),
        ("f5", 0),
        ("ff", 0),
        ("c328", 1),
        ("e080", 1),
        ("eda0", 1),
        ("f08f", 1),
        ("f490", 1),
        ("e28228", 2),
        ("f09f9228", 3),
        ("f09f92a980", 4),
    ],
)
def test_text_is_refused_at_the_first_byte_that_nothing_can_follow(text: str, first_bad: int) -> None:
    assert arriving(b"ok " + bytes.fromhex(text) + b"more") == 3 + first_bad


def is_refused(text: bytes) -> bool:
    try:
        check_utf8(text, is_end=False)
    except FrameError:
        return True
    return False


def test_a_beginning_is_refused_if_and_only_if_no_character_begins_so() -> None:
    # One code point of every 64: they differ in the first bytes, not the last.
    characters = [chr(point).encode() for point in range(0x80, 0x110000, 64) if not 0xD800 <= point <= 0xDFFF]
    beginnings = {character[:size] for character in characters for size in range(1, len(character))}
    whole = {character[:-1] for character in characters}
    tried = [b"", *(beginning for beginning in beginnings if len(beginning) < 3)]

    for beginning in tried:
        allowed = {byte for byte in range(256) if beginning + bytes([byte]) in beginnings}
        allowed |= set(range(0x80, 0xC0)) if beginning in whole else set()
        allowed |= set(range(0x80)) if not beginning else set()
        assert {byte for byte in range(256) if not is_refused(beginning + bytes([byte]))} == allowed


def test_a_binary_message_may_hold_anything() -> None:
    assert arriving(bytes(range(256)), opcode=Opcode.BINARY) == 256


def test_a_character_may_be_cut_by_the_end_of_a_frame_but_not_of_the_message() -> None:
    incoming = Incoming(Opcode.TEXT)
    incoming.begin_frame(2, NO_MASK, is_final=False)
    incoming.take("€".encode()[:2])
    incoming.begin_frame(0, NO_MASK, is_final=True)

    with pytest.raises(FrameError, match="text is not UTF-8 at byte 0: unexpected end of data"):
        incoming.take(b"")


def compressed(text: bytes, *, opcode: Opcode = Opcode.TEXT, message_max_bytes: int = 0, cut: int = 0) -> bytes:
    """What comes of a compressed message that arrives in two pieces."""
    data = deflated(text)
    incoming = Incoming(opcode, is_compressed=True, message_max_bytes=message_max_bytes)
    incoming.begin_frame(len(data), NO_MASK, is_final=True)
    for piece in (data[:cut], data[cut:]):
        incoming.take(piece)
    return bytes(incoming.payload)


@pytest.mark.parametrize("cut", range(9))
def test_a_compressed_message_is_inflated_as_it_arrives(cut: int) -> None:
    assert compressed("naïve €".encode(), cut=cut) == "naïve €".encode()
    assert compressed(b"\xff\x00", opcode=Opcode.BINARY, cut=min(cut, 3)) == b"\xff\x00"


def test_compressed_text_is_refused_at_its_first_bad_byte() -> None:
    incoming = Incoming(Opcode.TEXT, is_compressed=True)
    data = deflated(b"ok \xff" + b"more " * 1000, flushed_every=4)
    incoming.begin_frame(len(data), NO_MASK, is_final=True)

    with pytest.raises(FrameError, match="text is not UTF-8 at byte 3: invalid start byte"):
        incoming.take(data[:20])


def test_a_character_may_be_cut_between_two_blocks_but_not_by_the_end_of_a_compressed_message() -> None:
    incoming = Incoming(Opcode.TEXT, is_compressed=True)
    data = deflated("€".encode(), flushed_every=1)
    incoming.begin_frame(len(data), NO_MASK, is_final=True)
    incoming.take(data)

    assert incoming.payload == "€".encode()
    with pytest.raises(FrameError, match="text is not UTF-8 at byte 0: unexpected end of data"):
        compressed("€".encode()[:2])


def test_what_is_inflated_keeps_the_limit() -> None:
    assert compressed(b"a" * 100, message_max_bytes=100) == b"a" * 100
    with pytest.raises(FrameError, match="inflates to more than message_max_bytes = 99"):
        compressed(b"a" * 100, message_max_bytes=99)


def test_a_message_knows_what_all_its_frames_are_long() -> None:
    incoming = Incoming(Opcode.TEXT)
    incoming.begin_frame(3, NO_MASK, is_final=False)
    incoming.take(b"abc")
    incoming.begin_frame(2, NO_MASK, is_final=True)

    assert incoming.received_bytes == 5


def test_a_fault_names_the_byte_where_the_bad_character_begins() -> None:
    with pytest.raises(FrameError, match="text is not UTF-8 at byte 7: invalid continuation byte") as caught:
        check_utf8(b"ok \xe2\x28", 4)

    assert caught.value.close_code is CloseCode.NOT_UTF8


def test_a_fault_does_not_carry_the_payload() -> None:
    with pytest.raises(FrameError) as caught:
        check_utf8(b"secret\xff")

    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)


def test_a_message_that_arrives_in_crumbs_costs_about_its_size() -> None:
    size = 64 * 1024
    incoming = Incoming(Opcode.BINARY)
    incoming.begin_frame(size, NO_MASK, is_final=True)
    tracemalloc.start()
    try:
        for _ in range(size // 2):
            incoming.take(b"ab")
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(incoming.payload) == size
    assert kept_bytes < 1.5 * size


# Whatever comes


def can_be_completed(text: bytes) -> bool:
    """Whether some bytes behind these make them UTF-8: tried with second bytes for each first one, and third ones."""
    for ending in (
        b"",
        b"\x80",
        b"\x9f",
        b"\xa0",
        b"\x80\x80",
        b"\x9f\x80",
        b"\xa0\x80",
        b"\x80\x80\x80",
        b"\x90\x80\x80",
    ):
        try:
            (text + ending).decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


texts = st.one_of(
    st.text(max_size=8).map(str.encode),
    st.binary(max_size=8),
    st.lists(st.sampled_from([b"\xe0", b"\xed", b"\xf0", b"\xf4", b"\xc2", b"\x80", b"\x90", b"\xa0", b"a"])).map(
        b"".join
    ),
)


@given(text=texts)
def test_text_is_refused_at_the_byte_behind_which_nothing_can_make_it_good(text: bytes) -> None:
    first_bad = next((size for size in range(len(text)) if not can_be_completed(text[: size + 1])), len(text))

    assert arriving(text) == first_bad


def fate(parts: list[bytes], key: bytes) -> bytes | str:
    """What a text frame becomes that arrives in these parts."""
    incoming = Incoming(Opcode.TEXT)
    incoming.begin_frame(sum(map(len, parts)), key, is_final=True)
    try:
        for part in parts:
            incoming.take(part)
    except FrameError as error:
        return str(error)
    return bytes(incoming.payload)


@given(text=texts, cuts=st.lists(st.integers(0, 8)), key=st.binary(min_size=4, max_size=4))
def test_a_text_and_its_fault_are_the_same_however_it_is_cut(text: bytes, cuts: list[int], key: bytes) -> None:
    masked = bytes(byte ^ key[position % 4] for position, byte in enumerate(text))

    assert fate(pieces(masked, cuts), key) == fate([masked], key)


# --- what it came in


def inflated(sent: bytes, *, fragments: int = 1) -> Incoming:
    """A compressed message whose bytes are these, all of them in the last of its frames."""
    incoming = Incoming(Opcode.BINARY, is_compressed=True)
    for _ in range(fragments - 1):
        incoming.begin_frame(0, NO_MASK, is_final=False)
        incoming.take(b"")
    incoming.begin_frame(len(sent), NO_MASK, is_final=True)
    incoming.take(sent)
    return incoming


@pytest.mark.parametrize("payload", [b"", b"hello", b"a" * 5000, bytes(range(256)) * 20])
def test_what_a_compressor_makes_is_not_padded(payload: bytes) -> None:
    assert inflated(deflated(payload)).padded_bytes == 0


@pytest.mark.parametrize(("blocks", "fragments", "padded_bytes"), [(3, 1, 0), (4, 1, 21), (6, 2, 0), (7, 2, 36)])
def test_message_of_blocks_that_hold_nothing_is_padded(blocks: int, fragments: int, padded_bytes: int) -> None:
    empty_block = b"\x00\x00\x00\xff\xff"

    assert inflated(empty_block * blocks + b"\x00", fragments=fragments).padded_bytes == padded_bytes


def test_message_that_is_not_compressed_is_never_padded() -> None:
    incoming = Incoming(Opcode.BINARY)
    incoming.begin_frame(5, NO_MASK, is_final=True)
    incoming.take(b"hello")

    assert incoming.padded_bytes == 0
