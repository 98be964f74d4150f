import pytest

from roomcast.protocol.control import read_control
from roomcast.protocol.errors import FrameError
from roomcast.protocol.events import Close, Event, Ping, Pong
from roomcast.protocol.frames import CloseCode, Opcode


@pytest.mark.parametrize(
    ("opcode", "payload", "event"),
    [
        (Opcode.PING, b"", Ping(b"")),
        (Opcode.PONG, b"\xff", Pong(b"\xff")),
        (Opcode.CLOSE, b"", Close(None, "")),
        (Opcode.CLOSE, b"\x03\xe8", Close(1000, "")),
        (Opcode.CLOSE, b"\x0f\xa0" + "tschüß".encode(), Close(4000, "tschüß")),
    ],
)
def test_a_control_frame_is_the_event_that_it_carries(opcode: Opcode, payload: bytes, event: Event) -> None:
    assert read_control(opcode, payload) == event


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (b"\x03", CloseCode.PROTOCOL_ERROR, "a CLOSE frame of 1 byte: a close code takes two"),
        (b"\x03\xed", CloseCode.PROTOCOL_ERROR, "close code 1005 must not stand in a CLOSE frame"),
        (b"\x03\xe8\xff", CloseCode.NOT_UTF8, "text is not UTF-8 at byte 0: invalid start byte"),
    ],
)
def test_a_goodbye_that_breaks_a_rule_says_which(payload: bytes, code: CloseCode, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        read_control(Opcode.CLOSE, payload)

    assert (caught.value.close_code, str(caught.value)) == (code, words)
