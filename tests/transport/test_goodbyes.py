"""What goodbyes say, and which one answers what a peer did."""

from __future__ import annotations

import pytest

from roomcast.protocol.errors import FrameError, broken_rule, over_limit
from roomcast.protocol.events import Close
from roomcast.protocol.frames import CloseCode
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import Goodbye, echo_of, why
from tests.running import Serve
from tests.transport.test_json_member import join

ID = "k7c2m9qa.41"


@pytest.mark.parametrize(("code", "answer"), [(1000, 1000), (1001, 1001), (1010, 1000), (1014, 1000), (4999, 4999)])
def test_goodbye_is_answered_with_its_own_code_unless_only_others_may_send_it(code: int, answer: int) -> None:
    assert echo_of(code).close(ID) == Close(answer, "peer")


def test_goodbye_without_a_code_is_answered_without_one() -> None:
    assert echo_of(None).close(ID) == Close(None, "")


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


@pytest.mark.parametrize(
    ("goodbye", "text", "back_ms"),
    [
        (Goodbye.of(Reason.LAGGING), "lagging", 0),
        (Goodbye.of(Reason.RESTART, retry_after_ms=12_000), "restart retry_after_ms=12000", 12_000),
        (Goodbye.of(Reason.RESTART, retry_after_ms=0), "restart retry_after_ms=0", 0),
        (Goodbye.of(Reason.RATE, "limit=bytes_per_s", 5), "rate limit=bytes_per_s retry_after_ms=5", 5),
        (Goodbye.of(Reason.KICKED, "no key in it"), "kicked no key in it", None),
        (Goodbye.of(Reason.REVOKED, retry_after_ms=5), "revoked retry_after_ms=5", None),
    ],
)
def test_close_frame_and_notice_say_the_same(goodbye: Goodbye, text: str, back_ms: int | None) -> None:
    reason, code, detail, _ = goodbye

    assert goodbye.close(ID) == Close(code, f"{text} id={ID}")
    fields = {"reason": reason, "code": code, "reconnect_after_ms": back_ms, "id": ID}
    assert goodbye.notice(ID).fields == (fields | {"detail": detail} if detail else fields)


@pytest.mark.parametrize("reason", Reason)
def test_close_frame_has_room_for_the_longest_id(reason: Reason) -> None:
    goodbye = Goodbye.of(reason, "limit=control_frames_per_s", retry_after_ms=3_600_000)

    # A number that a process which takes 10,000 a second has after 30,000 years.
    assert len(goodbye.close(f"k7c2m9qa.{10**16}").reason) <= 123


@pytest.mark.parametrize(
    ("reason", "detail", "retry_after_ms"),
    [
        (Reason.PONG_TIMEOUT, "", None),
        (Reason.RESTART, "", 12_000),
        (Reason.RATE, "limit=messages_per_s", None),
        (Reason.KICKED, "by an operator", None),
    ],
)
def test_goodbye_is_the_same_whatever_a_member_speaks(
    serve: Serve, reason: Reason, detail: str, retry_after_ms: int | None
) -> None:
    relay = serve()
    talker, stream = join(relay), relay.stream()

    def dismiss() -> None:
        for member in relay.server.keep_alive:
            member.dismiss(reason, detail, retry_after_ms=retry_after_ms)

    relay.call(dismiss)

    goodbye, epoch = Goodbye.of(reason, detail, retry_after_ms), relay.server.hub.epoch
    assert talker.hear() == {"type": "goodbye", **goodbye.notice(f"{epoch}.1").fields}
    assert stream.told("goodbye") == goodbye.notice(f"{epoch}.2").fields
