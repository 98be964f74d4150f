import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.header import read_header
from tests.protocol.clients import frame


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ("8180", 0),
        ("81fd", 125),
        ("81fe007e", 126),
        ("81feffff", 65535),
        ("81ff0000000000010000", 65536),
        ("81ff7fffffffffffffff", 2**63 - 1),
    ],
)
def test_each_form_of_a_length_is_read_where_it_is_the_shortest(header: str, length: int) -> None:
    data = bytes.fromhex(header)

    assert read_header(data, 0) == (Opcode.TEXT, length, len(data))


def test_a_header_is_read_where_it_starts() -> None:
    assert read_header(b"before" + bytes.fromhex("8983"), 6) == (Opcode.PING, 3, 8)


def test_a_compressed_message_is_read_if_that_was_agreed_on() -> None:
    assert read_header(bytes.fromhex("c183"), 0, may_inflate=True) == (Opcode.TEXT, 3, 2)
    assert read_header(bytes.fromhex("4283"), 0, may_inflate=True) == (Opcode.BINARY, 3, 2)


@pytest.mark.parametrize("header", ["8180", "81fe007e", "81ff0000000000010000"])
def test_a_header_that_is_not_all_here_is_no_fault(header: str) -> None:
    data = bytes.fromhex(header)

    assert [read_header(data[:size], 0) for size in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("c180", "frame starts with 0xC1: its reserved bits must be 0"),
        ("a180", "frame starts with 0xA1: its reserved bits must be 0"),
        ("9180", "frame starts with 0x91: its reserved bits must be 0"),
        ("8380", "frame starts with 0x83: its opcode is reserved"),
        ("8780", "frame starts with 0x87: its opcode is reserved"),
        ("8b80", "frame starts with 0x8B: its opcode is reserved"),
        ("8f80", "frame starts with 0x8F: its opcode is reserved"),
        ("0880", "a CLOSE frame that is a fragment"),
        ("0980", "a PING frame that is a fragment"),
        ("0a80", "a PONG frame that is a fragment"),
        ("8100", "a TEXT frame that is not masked, as a client's must be"),
        ("897d", "a PING frame that is not masked, as a client's must be"),
        ("89fe", "a PING frame of more than 125 bytes"),
        ("88ff", "a CLOSE frame of more than 125 bytes"),
        ("81fe007d", "length 125 is encoded in 2 bytes, not in fewer"),
        ("81ff0000000000000000", "length 0 is encoded in 8 bytes, not in fewer"),
        ("81ff000000000000ffff", "length 65535 is encoded in 8 bytes, not in fewer"),
        ("81ff8000000000000000", "length 9223372036854775808 has its highest bit set"),
    ],
)
def test_a_header_that_breaks_a_rule_is_1002_and_says_which(header: str, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        read_header(bytes.fromhex(header), 0)

    assert (caught.value.close_code, str(caught.value)) == (CloseCode.PROTOCOL_ERROR, words)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("4080", "a CONTINUATION frame that says it is compressed: the first of a message says it"),
        ("c080", "a CONTINUATION frame that says it is compressed: the first of a message says it"),
        ("c880", "a CLOSE frame that says it is compressed: the first of a message says it"),
        ("c980", "a PING frame that says it is compressed: the first of a message says it"),
        ("ca80", "a PONG frame that says it is compressed: the first of a message says it"),
        ("e180", "frame starts with 0xE1: its reserved bits must be 0"),
        ("a180", "frame starts with 0xA1: its reserved bits must be 0"),
        ("9180", "frame starts with 0x91: its reserved bits must be 0"),
        ("c380", "frame starts with 0xC3: its opcode is reserved"),
    ],
)
def test_what_was_agreed_on_is_the_first_frame_of_a_message_and_no_other(header: str, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        read_header(bytes.fromhex(header), 0, may_inflate=True)

    assert (caught.value.close_code, str(caught.value)) == (CloseCode.PROTOCOL_ERROR, words)


# Whatever comes


def judged(data: bytes, *, may_inflate: bool) -> tuple[Opcode, int, int] | str | None:
    try:
        return read_header(data, 0, may_inflate=may_inflate)
    except FrameError as error:
        return str(error)


@given(st.binary(max_size=16) | st.binary(max_size=10).map(b"\x82\xff".__add__), st.booleans())
def test_a_header_is_judged_at_the_byte_that_decides_and_not_otherwise_later(data: bytes, may_inflate: bool) -> None:
    verdicts = [judged(data[:size], may_inflate=may_inflate) for size in range(len(data) + 1)]
    decided = [verdict for verdict in verdicts if verdict is not None]

    assert verdicts == [None] * (len(verdicts) - len(decided)) + decided[:1] * len(decided)


@given(
    opcode=st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION]),
    size=st.integers(0, 300) | st.sampled_from([0xFFFF, 0x10000, 70_000]),
    is_final=st.booleans(),
    before=st.binary(max_size=5),
)
def test_what_a_client_announces_is_read_wherever_it_stands(
    opcode: Opcode, size: int, is_final: bool, before: bytes
) -> None:
    sent = frame(opcode, bytes(size), is_final=is_final)

    assert read_header(before + sent, len(before)) == (opcode, size, len(before) + len(sent) - size - 4)
