"""Every fault carries the answer it deserves."""

import pytest

from roomcast.protocol.errors import FrameError, HandshakeError, HandshakeFault, ProtocolError, broken_rule, over_limit
from roomcast.protocol.frames import CloseCode


def test_handshake_fault_is_a_bad_request_unless_it_says_otherwise() -> None:
    error = HandshakeError("header line 3 has no colon")

    assert str(error) == "header line 3 has no colon"
    assert error.status == 400
    assert error.fault is HandshakeFault.INVALID_HEADER_LINE
    assert error.headers == ()
    assert error.limit is None


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
    assert broken_rule("frame starts with 0x83").limit is None


def test_fault_that_exceeds_a_setting_names_it() -> None:
    late = HandshakeError("the head is longer than head_max_bytes = 1024", status=431, limit="head_max_bytes")
    big = over_limit("a message longer than message_max_bytes = 5", "message_max_bytes")

    assert late.limit == "head_max_bytes"
    assert (big.close_code, big.limit) == (1009, "message_max_bytes")


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
