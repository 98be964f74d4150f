"""Every fault carries the answer it deserves."""

import pytest

from roomcast.protocol.errors import FrameError, HandshakeError, HandshakeFault, ProtocolError, broken_rule
from roomcast.protocol.frames import CloseCode


def test_handshake_fault_is_a_bad_request_unless_it_says_otherwise() -> None:
    error = HandshakeError("header line 3 has no colon")

    assert str(error) == "header line 3 has no colon"
    assert error.status == 400
    assert error.fault is HandshakeFault.INVALID_HEADER_LINE
    assert error.headers == ()


def test_handshake_fault_carries_the_status_and_the_headers_of_its_answer() -> None:
    error = HandshakeError(
        "version 8 is not 13",
        status=426,
        fault=HandshakeFault.MISSING_HEADER_KEYS,
        headers=(("Sec-WebSocket-Version", "13"),),
    )

    assert error.status == 426
    assert error.fault is HandshakeFault.MISSING_HEADER_KEYS
    assert error.headers == (("Sec-WebSocket-Version", "13"),)


def test_frame_fault_carries_the_code_that_closes_the_connection() -> None:
    assert FrameError("1025 bytes are more than 1024", CloseCode.TOO_BIG).close_code == 1009
    assert broken_rule("frame starts with 0x83").close_code == 1002


@pytest.mark.parametrize("error", [HandshakeError("either"), broken_rule("or")])
def test_every_fault_is_a_broken_rule_of_the_protocol(error: ProtocolError) -> None:
    assert isinstance(error, ProtocolError)


def test_handshake_fails_in_the_six_ways_of_2010() -> None:
    assert [fault.value for fault in HandshakeFault] == [
        "I/O error",
        "invalid GET request",
        "invalid header line",
        "missing header keys",
        "bad first security key",
        "bad second security key",
    ]
