import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.frames import CloseCode, mask, may_be_received, may_be_sent


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_a_peer_may_give_a_registered_or_a_private_code(code: int) -> None:
    assert may_be_received(code)


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_a_peer_may_not_give_a_reserved_code(code: int) -> None:
    assert not may_be_received(code)


@pytest.mark.parametrize("code", CloseCode)
def test_what_we_send_may_be_sent_and_received(code: CloseCode) -> None:
    assert may_be_sent(code)
    assert may_be_received(code)


@pytest.mark.parametrize("code", [1010, 1014, 1004, 1005, 1006, 1015, 999, 5000])
def test_what_others_say_or_nobody_is_never_sent(code: int) -> None:
    assert not may_be_sent(code)


def test_the_example_of_the_rfc_is_unmasked() -> None:
    assert mask(bytes.fromhex("7f9f4d5158"), bytes.fromhex("37fa213d")) == b"Hello"


@given(payload=st.binary(max_size=300), key=st.binary(min_size=4, max_size=4))
def test_masking_is_an_xor_with_the_key_over_and_over(payload: bytes, key: bytes) -> None:
    expected = bytes(byte ^ key[position % 4] for position, byte in enumerate(payload))

    assert mask(payload, key) == expected


@given(payload=st.binary(max_size=50), key=st.binary(min_size=4, max_size=4), cut=st.integers(0, 50))
def test_a_piece_is_masked_as_its_place_in_the_frame_demands(payload: bytes, key: bytes, cut: int) -> None:
    first, second = payload[:cut], payload[cut:]

    assert mask(first, key) + mask(second, key, len(first)) == mask(payload, key)


def test_whatever_may_be_sent_may_be_received() -> None:
    assert all(may_be_received(code) for code in range(0x10000) if may_be_sent(code))
