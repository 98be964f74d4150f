"""What we read and what ``websockets`` reads: the same messages, and the same verdict at the end of each frame."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.frames import Close as TheirClose
from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode

from roomcast.protocol.frames import Opcode
from roomcast.protocol.rfc6455 import encode, encode_close
from tests.fuzz import corpus, script
from tests.fuzz.targets import TARGETS
from tests.fuzz.witness import check_agreement, frames
from tests.protocol.clients import deflated, frame, pieces

OURS_TO_REFUSE = {1010, 1014}
"""They let a server send these; one is a client's to say, the other a gateway's (RFC 6455, 7.4.1, and its registry)."""


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """What may stand in a frame: text, text cut in the middle of a character, close codes, anything."""
    text = draw(st.text(max_size=40)).encode()
    start = draw(st.integers(0, 3))
    code = draw(st.sampled_from([999, 1000, 1001, 1004, 1005, 1006, 1010, 1014, 1015, 1016, 2999, 3000, 4999, 5000]))
    return draw(
        st.sampled_from([text, text[start:], text[:-start], code.to_bytes(2, "big") + text[:60]])
        | st.binary(max_size=130)
        | st.sampled_from([b"x" * size for size in (0, 1, 124, 125, 126, 127, 200)])
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame in which anything may be wrong: opcode, reserved bits, mask, length and its form."""
    first = draw(st.sampled_from([0x80, 0x00, 0x80, 0x00, 0xC0, 0xA0, 0x90])) | draw(st.sampled_from(range(16)))
    payload = draw(payloads())
    length = draw(st.sampled_from([len(payload)] * 3 + [0, 125, 126, 0xFFFF, 0x10000, 2**63 - 1, 2**63, 2**64 - 1]))
    form = draw(st.sampled_from([0, 2, 8]))
    mask_bit = draw(st.sampled_from([0x80, 0x80, 0x80, 0]))
    head = bytes([first, mask_bit | {0: min(length, 125), 2: 126, 8: 127}[form]])
    size = (length % 2 ** (8 * form)).to_bytes(form, "big") if form else b""
    return head + size + (bytes(4) if mask_bit else b"") + payload


valid = st.builds(
    frame,
    st.sampled_from([Opcode.TEXT, Opcode.BINARY, *[Opcode.CONTINUATION] * 3, Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    payloads(),
    is_final=st.booleans(),
    key=st.binary(min_size=4, max_size=4),
)
streams = st.lists(st.one_of(valid, valid, valid, damaged()), max_size=8).map(b"".join)


@settings(max_examples=300)
@given(stream=streams, message_max_bytes=st.sampled_from([0, 0, 1, 100, 125, 126, 200]))
@example(stream=b"\x01\x80\x00\x00\x00\x00" + b"\x80\x80\x00\x00\x00\x00", message_max_bytes=0)
def test_messages_and_verdicts_are_theirs_at_the_end_of_each_frame(stream: bytes, message_max_bytes: int) -> None:
    check_agreement(stream, message_max_bytes=message_max_bytes)


@st.composite
def compressed(draw: st.DrawFn) -> bytes:
    """A compressed message in some fragments, one byte of which may be wrong."""
    payload = draw(st.text("aé€", max_size=300).map(str.encode) | st.binary(max_size=100))
    data = deflated(payload, flushed_every=draw(st.sampled_from([0, 0, 7])))
    if data and draw(st.booleans()):
        position = draw(st.integers(0, len(data) - 1))
        data = data[:position] + draw(st.binary(max_size=2)) + data[position + 1 :]
    parts = pieces(data, draw(st.lists(st.integers(0, len(data)), max_size=2)))
    opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
    return b"".join(
        frame(
            Opcode.CONTINUATION if number else opcode,
            part,
            is_final=number == len(parts) - 1,
            is_compressed=number == 0,
        )
        for number, part in enumerate(parts)
    )


@settings(max_examples=300)
@given(
    stream=st.lists(st.one_of(compressed(), compressed(), valid), max_size=4).map(b"".join),
    message_max_bytes=st.sampled_from([0, 0, 1, 100, 300]),
)
def test_compressed_messages_and_verdicts_are_theirs_too(stream: bytes, message_max_bytes: int) -> None:
    check_agreement(stream, message_max_bytes=message_max_bytes, may_inflate=True)


@pytest.mark.parametrize("may_inflate", [False, True])
@pytest.mark.parametrize("message_max_bytes", [0, 64, 0xFFFF])
def test_they_read_the_corpus_as_we_do(message_max_bytes: int, may_inflate: bool) -> None:
    for _, data in corpus.inputs(TARGETS["rfc6455"]):
        check_agreement(script.read(data).stream, message_max_bytes=message_max_bytes, may_inflate=may_inflate)


def test_frames_are_cut_at_their_ends_and_the_last_is_completed() -> None:
    whole, cut = frame(Opcode.TEXT, b"hello"), frame(Opcode.BINARY, b"bye")[:-1]

    assert list(frames(whole + cut)) == [(whole, True), (cut + b"\x00", True)]
    assert list(frames(b"\x81")) == [(b"\x81\x00", True)]


def test_a_frame_that_is_far_from_complete_is_left_as_it_is() -> None:
    start = bytes.fromhex("82ff0000000001000000 00000000")

    assert list(frames(start)) == [(start, False)]


# What the server says


@given(payload=st.binary(max_size=200) | st.sampled_from([bytes(size) for size in (125, 126, 0xFFFF, 0x10000)]))
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_frames_are_encoded_as_theirs(opcode: Opcode, payload: bytes) -> None:
    assert encode(opcode, payload) == Frame(TheirOpcode(opcode), payload).serialize(mask=False)


def is_theirs_to_send(code: int) -> bool:
    try:
        TheirClose(code, "").serialize()
    except ProtocolError:
        return False
    return True


def is_ours_to_send(code: int) -> bool:
    try:
        encode_close(code)
    except ValueError:
        return False
    return True


def test_close_codes_are_sent_that_they_send_but_for_two() -> None:
    codes = range(6000)

    assert {code for code in codes if is_theirs_to_send(code) != is_ours_to_send(code)} == OURS_TO_REFUSE
