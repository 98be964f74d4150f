from __future__ import annotations

import pytest
from pydantic import ValidationError

from roomcast.api.models import Addressed, MembersQuery, MessagesQuery, Payload


@pytest.mark.parametrize(
    ("payload", "is_binary", "data"),
    [
        (Payload(text="é"), False, "é".encode()),
        (Payload(text=""), False, b""),
        (Payload(base64="/+8="), True, b"\xff\xef"),
        (Payload(base64=""), True, b""),
        (Addressed(room="/rooms/a", text="x"), False, b"x"),
    ],
)
def test_payload_is_a_text_or_bytes(payload: Payload, is_binary: bool, data: bytes) -> None:
    assert (payload.is_binary, payload.data()) == (is_binary, data)


@pytest.mark.parametrize("payload", [Payload(), Payload(text="", base64="")])
def test_payload_that_is_both_or_neither_is_none(payload: Payload) -> None:
    with pytest.raises(ValueError, match='a message has either "text" or "base64"'):
        payload.data()


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QQ===", "Q Q=", "-_==", "QQ==\n"])
def test_base64_is_written_as_rfc_4648_says(text: str) -> None:
    with pytest.raises(ValidationError):
        Payload(base64=text)


@pytest.mark.parametrize("after", ["", "41", "k7c2m9qa:", "k7c2m9qa:-1", "k7c2m9qa:1:2", "K7C2M9QA:1", "a:" + "9" * 16])
def test_position_is_an_epoch_and_an_offset(after: str) -> None:
    assert MessagesQuery(room="/rooms/a", after="k7c2m9qa:41").after == "k7c2m9qa:41"
    with pytest.raises(ValidationError):
        MessagesQuery(room="/rooms/a", after=after)


@pytest.mark.parametrize("after", ["", "3", "k7c2m9qa.", "k7c2m9qa.x"])
def test_member_id_is_an_epoch_and_a_number(after: str) -> None:
    with pytest.raises(ValidationError):
        MembersQuery(room="/rooms/a", after=after)
