"""Where a token is found, and which subprotocol is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.bearer import TokenPlaces, answered, credentials, find_token
from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.request import Request

TOKEN = "eyJh.eyJz.c2ln"
EVERYWHERE = TokenPlaces(cookie="session", is_query_read=True)


def request(*headers: tuple[str, str], query: str = "") -> Request:
    return Request(f"/rooms/lobby{query}", (("host", "relay.example"), *headers))


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", f"Bearer {TOKEN}"),
        ("authorization", f"bearer   {TOKEN}"),
        ("sec-websocket-protocol", f"roomcast.raw, bearer.{TOKEN}"),
        ("sec-websocket-protocol", f"bearer.{TOKEN},roomcast.raw"),
        ("sec-websocket-protocol", f"roomcast.raw bearer.{TOKEN}"),
        ("cookie", f"a=b; session={TOKEN}; c=d"),
        ("cookie", f'session="{TOKEN}"'),
    ],
)
def test_token_is_found_in_a_header(header: tuple[str, str]) -> None:
    assert find_token(request(header), EVERYWHERE) == TOKEN


@pytest.mark.parametrize("query", [f"?token={TOKEN}", f"?a=b&token={TOKEN}&c", f"?token={TOKEN.replace('.', '%2E')}"])
def test_token_is_found_in_the_query_where_it_may_be(query: str) -> None:
    assert find_token(request(query=query), EVERYWHERE) == TOKEN
    assert find_token(request(query=query), TokenPlaces()) is None


def test_cookie_is_looked_at_where_one_is_named() -> None:
    assert find_token(request(("cookie", f"session={TOKEN}")), TokenPlaces(cookie="other")) is None
    assert find_token(request(("cookie", f"session={TOKEN}; =x")), TokenPlaces()) is None


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ((), ""),
        ((), "?tokens=a&Token=b&a=token=c"),
        ((("authorization", "Basic dXNlcjpwYXNz"), ("sec-websocket-protocol", "bearers.a, bearer")), ""),
        ((("authorization", "Bearerish x"), ("cookie", "Session=a; session; xsession=b")), ""),
    ],
)
def test_what_is_no_place_for_a_token_holds_none(headers: tuple[tuple[str, str], ...], query: str) -> None:
    assert find_token(request(*headers, query=query), EVERYWHERE) is None


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [(f"Bearer {TOKEN}", TOKEN), ("BEARER   a", "a"), ("bearer", ""), ("Bearerish a", None), ("Basic a", None)],
)
def test_credentials_are_what_the_scheme_bearer_shows(authorization: str, shown: str | None) -> None:
    assert credentials(authorization) == shown


def test_same_token_in_every_place_is_one() -> None:
    headers = (
        ("authorization", f"Bearer {TOKEN}"),
        ("sec-websocket-protocol", f"roomcast.raw, bearer.{TOKEN}"),
        ("cookie", f"session={TOKEN}"),
    )

    assert find_token(request(*headers, query=f"?token={TOKEN}"), EVERYWHERE) == TOKEN


PLACES = {
    "authorization": ("authorization", "Bearer {}"),
    "subprotocol": ("sec-websocket-protocol", "raw, bearer.{}"),
    "cookie": ("cookie", "session={}"),
}


@pytest.mark.parametrize("one", PLACES)
@pytest.mark.parametrize("other", PLACES)
def test_two_different_tokens_are_refused_wherever_they_are(one: str, other: str) -> None:
    headers = [
        (name, value.format(text)) for (name, value), text in zip((PLACES[one], PLACES[other]), "ab", strict=True)
    ]

    with pytest.raises(HandshakeError, match=r"^the request has 2 different tokens, not one$") as raised:
        find_token(request(*headers), EVERYWHERE)

    assert raised.value.status == 400


def test_two_different_tokens_in_the_query_are_refused() -> None:
    with pytest.raises(HandshakeError, match="2 different tokens"):
        find_token(request(query="?token=a&token=b"), EVERYWHERE)


@pytest.mark.parametrize(
    ("header", "query"),
    [
        (("authorization", "Bearer"), ""),
        (("authorization", "Bearer "), ""),
        (("sec-websocket-protocol", "raw, bearer."), ""),
        (("cookie", "session="), ""),
        (("x-nothing", ""), "?token="),
    ],
)
def test_place_with_nothing_in_it_is_refused(header: tuple[str, str], query: str) -> None:
    with pytest.raises(HandshakeError, match="a place for a token, and nothing in it"):
        find_token(request(header, query=query), EVERYWHERE)


@pytest.mark.parametrize("prefix", ["Bearer.", "BEARER.", "bEARER."])
def test_token_in_a_subprotocol_of_another_case_is_refused_with_the_rule(prefix: str) -> None:
    name = f"{prefix}{TOKEN}"

    with pytest.raises(HandshakeError, match=r"begins with bearer\. in lower case") as found:
        find_token(request(("sec-websocket-protocol", f"roomcast.raw, {name}")), EVERYWHERE)
    with pytest.raises(HandshakeError, match=r"begins with bearer\. in lower case") as offered:
        answered(["roomcast.raw", name])

    for raised in (found, offered):
        assert raised.value.status == 400
        assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        ([], None),
        (["roomcast.raw"], "roomcast.raw"),
        (["chat", "roomcast.raw"], "chat"),
        ([f"bearer.{TOKEN}", "roomcast.raw"], "roomcast.raw"),
        (["roomcast.json", f"bearer.{TOKEN}"], "roomcast.json"),
        (["bearer"], "bearer"),
    ],
)
def test_first_subprotocol_that_is_no_token_is_answered(offered: list[str], answer: str | None) -> None:
    assert answered(offered) == answer


def test_offer_of_nothing_but_a_token_is_refused_with_what_to_offer() -> None:
    with pytest.raises(HandshakeError, match=r'offer "roomcast\.raw", too') as raised:
        answered([f"bearer.{TOKEN}"])

    assert raised.value.status == 400
    assert TOKEN not in str(raised.value)


@given(st.lists(st.sampled_from(["a", "b", "bearer.x", "bearer.", "Bearer.x", "BEARER.", "roomcast.json"]), max_size=4))
def test_token_is_never_answered(offered: list[str]) -> None:
    try:
        answer = answered(offered)
    except HandshakeError:
        assert offered
    else:
        assert answer is None or not answer.lower().startswith("bearer.")
