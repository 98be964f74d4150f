"""Which goodbye answers what a peer did."""

from __future__ import annotations

import pytest

from roomcast.protocol.errors import FrameError, broken_rule, over_limit
from roomcast.protocol.events import Close
from roomcast.protocol.frames import CloseCode
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import echo_of, why


@pytest.mark.parametrize(("code", "answer"), [(1000, 1000), (1001, 1001), (1010, 1000), (1014, 1000), (4999, 4999)])
def test_goodbye_is_answered_with_its_own_code_unless_only_others_may_send_it(code: int, answer: int) -> None:
    assert echo_of(code) == Close(answer, "peer")


def test_goodbye_without_a_code_is_answered_without_one() -> None:
    assert echo_of(None) == Close(None, "")


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (broken_rule("frame starts with 0x83"), Reason.PROTOCOL, ""),
        (FrameError("text is not UTF-8", CloseCode.NOT_UTF8), Reason.NOT_UTF8, ""),
        (over_limit("a message too long", "message_max_bytes"), Reason.TOO_BIG, ""),
        (
            FrameError("too many", CloseCode.POLICY_VIOLATION, limit="fragments_per_s"),
            Reason.RATE,
            "limit=fragments_per_s",
        ),
    ],
)
def test_fault_closes_with_the_reason_of_its_code(error: FrameError, reason: Reason, detail: str) -> None:
    assert why(error) == (reason, detail)
    assert reason.close_code == error.close_code
