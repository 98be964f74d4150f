import pytest

from roomcast.relay.reasons import Reason


@pytest.mark.parametrize(
    ("reason", "close_code"),
    [
        ("peer", 1000),
        ("gone", 1000),
        ("restart", 1012),
        ("protocol", 1002),
        ("unsupported", 1003),
        ("not_utf8", 1007),
        ("rate", 1008),
        ("too_big", 1009),
        ("pong_timeout", 1011),
        ("write_timeout", 1011),
        ("internal", 1011),
        ("lagging", 1013),
        ("overloaded", 1013),
        ("kicked", 4403),
        ("room_closed", 4404),
        ("gap", 4410),
        ("token_expired", 4401),
        ("revoked", 4403),
        ("forbidden", 4403),
    ],
)
def test_word_and_close_code_are_a_promise(reason: str, close_code: int) -> None:
    assert Reason(reason).close_code == close_code


@pytest.mark.parametrize("reason", Reason)
def test_codes_of_44xx_and_no_others_are_final(reason: Reason) -> None:
    assert reason.is_final is str(reason.close_code).startswith("44")


def test_no_reason_is_left_out_of_the_promise() -> None:
    assert len(Reason) == 19


@pytest.mark.parametrize("reason", Reason)
def test_code_is_one_that_may_be_sent(reason: Reason) -> None:
    assert reason.close_code not in {1004, 1005, 1006, 1010, 1014, 1015}


@pytest.mark.parametrize("reason", Reason)
def test_word_leaves_room_for_details_in_a_close_frame(reason: Reason) -> None:
    assert str(reason).isascii()
    assert len(f"{reason} retry_after_ms=600000") <= 123
