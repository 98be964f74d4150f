"""The public door, made of the settings."""

from __future__ import annotations

import pytest

from roomcast.server.front import deflation_of, handshake_limits, page_of
from roomcast.transport.formats import Deflation
from tests.running import settings


@pytest.mark.parametrize(("enabled", "deflation"), [("true", Deflation(1, 256)), ("false", None)])
def test_messages_are_compressed_where_the_settings_say_so(enabled: str, deflation: Deflation | None) -> None:
    assert deflation_of(settings(f"[deflate]\nenabled = {enabled}")) == deflation


def test_newcomers_may_take_what_the_settings_say() -> None:
    limits = handshake_limits(settings("[limits]\nhandshake_timeout_s = 3\nhead_max_bytes = 2048\nheaders_max = 9"))

    assert (limits.handshake_timeout_s, limits.head_max_bytes, limits.headers_max) == (3, 2048, 9)


@pytest.mark.parametrize(("demo", "beginning"), [("true", b"<!doctype html>"), ("false", b"Roomcast is running.")])
def test_page_is_the_one_to_try_rooms_in_or_a_line(demo: str, beginning: bytes) -> None:
    assert page_of(settings(f"[server]\ndemo = {demo}")).body.lower().startswith(beginning.lower())
