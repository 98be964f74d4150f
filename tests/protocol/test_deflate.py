import hashlib
import tracemalloc
import zlib
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomcast.protocol.deflate import (
    FINAL_BLOCKS_MAX,
    Agreement,
    Deflater,
    Inflater,
    deflated_max_bytes,
    negotiate,
)
from roomcast.protocol.errors import FrameError, HandshakeError
from roomcast.protocol.frames import CloseCode
from tests.protocol.clients import deflated, pieces

ANY_WINDOW = Agreement(15)

# The offer


@pytest.mark.parametrize(
    ("offer", "agreement"),
    [
        ("permessage-deflate", ANY_WINDOW),
        ("permessage-deflate; client_max_window_bits", ANY_WINDOW),
        ("permessage-deflate; client_max_window_bits=8", ANY_WINDOW),
        ("permessage-deflate; client_max_window_bits=15", ANY_WINDOW),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", ANY_WINDOW),
        ("permessage-deflate; server_max_window_bits=9", Agreement(9, is_window_named=True)),
        ("permessage-deflate; server_max_window_bits=15", Agreement(15, is_window_named=True)),
        ('permessage-deflate; server_max_window_bits="10"', Agreement(10, is_window_named=True)),
        (r'permessage-deflate; server_max_window_bits="1\0"', Agreement(10, is_window_named=True)),
        (
            "permessage-deflate;\tserver_max_window_bits = 12 ;client_max_window_bits",
            Agreement(12, is_window_named=True),
        ),
        (" , ,permessage-deflate ,", ANY_WINDOW),
        ("x-webkit-deflate-frame, permessage-deflate", ANY_WINDOW),
        ('other; a="b"; c, permessage-deflate', ANY_WINDOW),
    ],
)
def test_an_offer_that_keeps_the_rules_is_taken(offer: str, agreement: Agreement) -> None:
    assert negotiate([offer]) == agreement


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-bzip2",
        "Permessage-Deflate",
        "x; permessage-deflate",
        "permessage-deflate; mux",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ],
)
def test_an_offer_that_breaks_a_rule_is_declined(offer: str) -> None:
    assert negotiate([offer]) is None


def test_a_window_that_zlib_cannot_make_is_declined() -> None:
    assert negotiate(["permessage-deflate; server_max_window_bits=8"]) is None


def test_no_offer_is_no_agreement() -> None:
    assert negotiate([]) is None


@pytest.mark.parametrize("separate", [True, False])
def test_the_first_offer_that_can_be_taken_is(separate: bool) -> None:
    offers = [
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=11",
        "permessage-deflate",
    ]

    assert negotiate(offers if separate else [", ".join(offers)]) == Agreement(11, is_window_named=True)


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ,\t,",
        "permessage-deflate;",
        "permessage-deflate; ; client_max_window_bits",
        "; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; =10",
        'permessage-deflate; server_max_window_bits="10',
        'permessage-deflate; server_max_window_bits=""',
        'permessage-deflate; server_max_window_bits="1 0"',
        'other; a="b, c"',
        'other; a="b;c"',
        'other; a="b\\"',
        "permessage-deflate client_max_window_bits",
        "permessage/deflate",
        "permessage-deflate; server_max_window_bits=10=10",
        "naïve",
        "permessage-deflate," + " " * 16_000 + "@",
        "a," * 8000 + "@",
        "a;" * 8000 + "@",
    ],
)
def test_a_header_that_is_no_list_of_extensions_is_refused(header: str) -> None:
    with pytest.raises(HandshakeError, match="Sec-WebSocket-Extensions is not a list of names") as caught:
        negotiate([header])

    assert caught.value.status == 400


@given(st.text(st.sampled_from('permessage-deflate;,= "\\10_\t'), max_size=60))
def test_any_header_is_judged(header: str) -> None:
    try:
        agreement = negotiate([header])
    except HandshakeError:
        return
    assert agreement in (None, ANY_WINDOW)


def test_the_answer_names_both_takeovers_and_the_window_if_it_was_asked_for() -> None:
    plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    assert Agreement(15).header == plain
    assert Agreement(15, is_window_named=True).header == plain + "; server_max_window_bits=15"
    assert Agreement(9, is_window_named=True).header == plain + "; server_max_window_bits=9"


# Inflating


def inflated(*parts: bytes, limit: int = 0) -> bytes:
    """What a message comes to that arrives in these parts."""
    message = bytearray()
    inflater = Inflater(message, limit)
    for number, part in enumerate(parts, start=1):
        for piece in inflater.inflate(part, is_end=number == len(parts)):
            message += piece
    return bytes(message)


def fault(*parts: bytes, limit: int = 0) -> tuple[CloseCode, str]:
    with pytest.raises(FrameError) as caught:
        inflated(*parts, limit=limit)
    return caught.value.close_code, str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("f248cdc9c90700", id="one block"),
        pytest.param("000500faff48656c6c6f00", id="without compression"),
        pytest.param("f348cdc9c9070000", id="final block"),
        pytest.param("f248050000 00ffffcac9c90700", id="two blocks"),
    ],
)
def test_the_examples_of_the_rfc_are_read(message: str) -> None:
    data = bytes.fromhex(message)

    for cut in range(len(data) + 1):
        assert inflated(data[:cut], data[cut:]) == b"Hello"


def test_an_empty_message_is_one_empty_block() -> None:
    assert inflated(b"\x00") == b""
    assert inflated(b"", b"\x00", b"") == b""


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("byte", [b"a", b"0123456789"])
def test_a_message_of_any_size_is_read(size: int, byte: bytes) -> None:
    message = (byte * size)[:size]

    assert inflated(deflated(message)) == message


def test_what_follows_a_final_block_may_refer_to_what_came_before_it() -> None:
    first = zlib.compressobj(wbits=-15)
    second = zlib.compressobj(wbits=-15, zdict=b"once upon a time, ")
    parts = first.compress(b"once upon a time, ") + first.flush()
    again = second.compress(b"once upon a time, ") + second.flush(zlib.Z_SYNC_FLUSH)

    assert len(again) < 14
    assert inflated(parts + again[:-4]) == b"once upon a time, " * 2


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("07", "compressed data is not deflate, at byte 0"),
        ("f248cdc9c907000000ffff07", "compressed data is not deflate, at byte 5"),
        ("000500000048656c6c6f00", "compressed data is not deflate, at byte 0"),
        ("4a0442", "compressed data is not deflate, at byte 1"),
    ],
)
def test_what_is_not_deflate_is_1002(message: str, words: str) -> None:
    data = bytes.fromhex(message)

    assert fault(data) == (CloseCode.PROTOCOL_ERROR, words)
    assert fault(*(data[position : position + 1] for position in range(len(data)))) == (1002, words)


@pytest.mark.parametrize("message", ["", "f2", "f248cdc9c907", "f348cdc9c907", "f348cdc9c90700", "000a00f5ff48656c"])
def test_a_message_that_ends_inside_of_a_block_is_1002(message: str) -> None:
    assert fault(bytes.fromhex(message)) == (1002, "a compressed message that ends inside of a block")


def test_a_final_block_may_end_with_the_bytes_that_were_left_out() -> None:
    # A stored block of nine bytes, of which the four behind "Hello" are those that every message is given.
    assert inflated(bytes.fromhex("010900f6ff48656c6c6f")) == b"Hello\x00\x00\xff\xff"


def test_a_final_block_that_makes_a_message_too_long_is_1009_though_more_may_follow() -> None:
    message = bytearray()
    # A block that says it is the last, of 21 bytes, and nothing behind it.
    inflating = Inflater(message, 20).inflate(bytes.fromhex("0b4cc4045100"), is_end=False)
    message += next(inflating)

    with pytest.raises(FrameError, match="message_max_bytes = 20"):
        next(inflating)


@pytest.mark.parametrize("limit", [1, 100, 65_535, 65_536, 100_000])
def test_a_message_at_the_limit_is_taken_and_one_byte_more_is_1009(limit: int) -> None:
    assert inflated(deflated(b"x" * limit), limit=limit) == b"x" * limit
    assert fault(deflated(b"x" * (limit + 1)), limit=limit) == (
        CloseCode.TOO_BIG,
        f"a message that inflates to more than message_max_bytes = {limit}",
    )


def test_a_message_at_the_limit_may_end_in_empty_blocks() -> None:
    assert inflated(deflated(b"x" * 100) + b"\x00\x00\xff\xff\x00", limit=100) == b"x" * 100


def test_a_bomb_is_refused_before_its_memory_is_spent() -> None:
    bomb = deflated(bytes(64 << 20), level=9)
    tracemalloc.start()
    try:
        assert fault(bomb, limit=100_000)[0] is CloseCode.TOO_BIG
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(bomb) < 70_000
    assert peak_bytes < 500_000


def test_a_message_may_have_so_many_final_blocks_and_no_more() -> None:
    final_block = bytes.fromhex("0300")

    assert inflated(final_block * FINAL_BLOCKS_MAX + b"\x00") == b""
    assert fault(final_block * (FINAL_BLOCKS_MAX + 1) + b"\x00") == (
        CloseCode.TOO_BIG,
        f"a compressed message of more than {FINAL_BLOCKS_MAX} final blocks",
    )


def verdict(parts: list[bytes], limit: int) -> object:
    """What was inflated up to the end or the fault, and the fault."""
    message = bytearray()
    inflater = Inflater(message, limit)
    try:
        for number, part in enumerate(parts, start=1):
            for piece in inflater.inflate(part, is_end=number == len(parts)):
                message += piece
    except FrameError as error:
        # A piece that comes with the fault is not given, so up to a byte more may be known when bytes come singly.
        return error.close_code, str(error)
    return bytes(message)


@st.composite
def compressed(draw: st.DrawFn) -> bytes:
    """Deflate, or nearly so."""
    payload = draw(st.one_of(st.binary(max_size=60), st.text("ab", max_size=400).map(str.encode)))
    data = deflated(payload, level=draw(st.integers(0, 9)), flushed_every=draw(st.integers(0, 50)))
    data += draw(st.sampled_from([b"", b"\x00\x00\xff\xff\x00", b"\x03\x00\x00", b"\x07", b"\x03\x00"]))
    if draw(st.booleans()):
        position = draw(st.integers(0, len(data) - 1))
        data = data[:position] + draw(st.binary(max_size=2)) + data[position + 1 :]
    return data


@settings(max_examples=500)
@given(
    data=st.one_of(compressed(), st.binary(max_size=60)),
    cuts=st.lists(st.integers(0, 100), max_size=6),
    limit=st.sampled_from([0, 1, 30, 258]),
)
def test_what_is_inflated_and_what_is_wrong_do_not_depend_on_how_the_bytes_arrive(
    data: bytes, cuts: list[int], limit: int
) -> None:
    whole = verdict([data], limit)

    assert verdict(pieces(data, cuts), limit) == whole
    assert verdict(pieces(data, range(len(data))), limit) == whole


# Deflating

WINDOWS = pytest.mark.parametrize("window_bits", range(9, 16))


def as_a_client_inflates(data: bytes, window_bits: int) -> bytes:
    """A message, inflated by zlib alone, in a window that holds no more than was agreed."""
    stream = zlib.decompressobj(-window_bits)
    message = stream.decompress(data + b"\x00\x00\xff\xff", 1)
    while stream.unconsumed_tail or len(message) % 16 == 1:
        # In small steps: what is given in one step may refer to all of itself, whatever the window.
        piece = stream.decompress(stream.unconsumed_tail, 16)
        message += piece
        if not piece:
            break
    return message


@WINDOWS
@pytest.mark.parametrize("level", [1, 6, 9])
def test_every_message_can_be_inflated_without_those_before_it(window_bits: int, level: int) -> None:
    deflater = Deflater(window_bits, level)
    # Repeated at distances below and beyond each window, and over the borders of messages.
    common = b"".join(b"%d: once upon a time, " % number for number in range(2000))
    messages = [common[:300], common[:300], common[: 1 << window_bits], common, b"x", common[-500:], bytes(70_000)]

    for message in messages:
        assert as_a_client_inflates(deflater.deflate(message), window_bits) == message


@settings(max_examples=200)
@given(messages=st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=5), window_bits=st.integers(9, 15))
def test_any_messages_can_be_inflated_each_alone(messages: list[bytes], window_bits: int) -> None:
    deflater = Deflater(window_bits, 1)

    for message in messages * 2:
        data = deflater.deflate(message)
        assert as_a_client_inflates(data, window_bits) == inflated(data) == message


@WINDOWS
def test_a_message_is_deflated_alike_whatever_came_before_it(window_bits: int) -> None:
    message = b"".join(b"%d, " % (number * number) for number in range(1000))
    fresh, used = Deflater(window_bits, 1), Deflater(window_bits, 1)
    for secret in (message, message[:500], b"something else"):
        used.deflate(secret)

    assert used.deflate(message) == fresh.deflate(message)


def test_half_a_message_that_failed_is_in_no_other() -> None:
    deflater = Deflater(15, 1)
    deflater.deflate(b"before")
    with pytest.raises(TypeError):
        deflater.deflate(cast(bytes, "no bytes"))

    assert inflated(deflater.deflate(b"after")) == b"after"


# How long a compressed message may be


@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
@pytest.mark.parametrize("memory_level", [1, 8])
@pytest.mark.parametrize("frame_bytes", [1, 7, 100, 4096])
@pytest.mark.parametrize("lowest", [0, 144])
def test_no_compressor_makes_more_of_a_message_than_is_taken(
    strategy: int, memory_level: int, frame_bytes: int, lowest: int
) -> None:
    # They do not repeat, and bytes from 144 up take nine bits each in the code that needs no table.
    message = bytes(lowest + byte % (256 - lowest) for byte in hashlib.shake_128(b"noise").digest(10_000))
    frames = [message[start : start + frame_bytes] for start in range(0, len(message), frame_bytes)]
    stream = zlib.compressobj(1, zlib.DEFLATED, -15, memory_level, strategy)

    data = b"".join(stream.compress(frame) + stream.flush(zlib.Z_SYNC_FLUSH) for frame in frames)

    assert len(data) <= deflated_max_bytes(len(message), len(frames))


def test_what_may_be_added_to_a_message_is_an_eighth_a_64th_and_16_bytes_a_frame() -> None:
    assert deflated_max_bytes(64_000, 2) == 64_000 + 8000 + 1000 + 32
