"""The policies that settings make, and what ``explain`` says of them."""

from __future__ import annotations

import re

import pytest

from roomcast.server import build_forwarding, build_policies, explain
from tests.running import settings
from tests.tokens import SECRET, signer

LOBBY = "/rooms/lobby"


@pytest.mark.parametrize(
    ("toml", "quoted"),
    [
        ('[origins]\nallow = ["https://*"]', ["https://*"]),
        ('[[rooms]]\nname = "a"\npath = "/-/{x}"', ["/-/{x}"]),
        (
            '[[rooms]]\nname = "a"\npath = "/r/{x}/b"\n[[rooms]]\nname = "b"\npath = "/r/a/{x}"',
            ["/r/{x}/b", "/r/a/{x}"],
        ),
    ],
)
def test_policies_that_cannot_be_are_refused_with_what_is_wrong_in_quotes(toml: str, quoted: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(re.escape(f'"{text}"') for text in quoted)):
        build_policies(settings(toml))


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "proxy.example"])
def test_trust_in_what_is_no_network_is_refused_with_it_in_quotes(entry: str) -> None:
    with pytest.raises(ValueError, match=f'trusted_proxies "{entry}"'):
        build_forwarding(settings(f'[server]\ntrusted_proxies = ["{entry}"]'))


def test_forwarding_is_what_the_settings_say() -> None:
    ours = 'trusted_proxies = ["10.0.0.0/8", "unix:"]\nforwarded_header = "forwarded"\nproxy_protocol = true'
    forwarding = build_forwarding(settings(f"[server]\n{ours}"))

    assert [forwarding.owes_proxy_header(peer) for peer in ("10.1.2.3", "", "11.0.0.1")] == [True, True, False]
    assert forwarding.client("", {"forwarded": ["for=203.0.113.9"], "x-forwarded-for": []}.__getitem__).address == (
        "203.0.113.9"
    )
    assert not build_forwarding(settings("")).proxies.trusts("10.1.2.3")


def test_explain_tells_the_template_and_the_rule() -> None:
    answer = explain(settings('[origins]\nallow = ["https://app.example"]'), path=LOBBY, origin="https://app.example")

    assert (answer.status, answer.outcome) == (101, "accepted")
    assert (answer.template, answer.room, answer.rule) == ("rooms", LOBBY, 'allow "https://app.example"')
    assert answer.message == ""


@pytest.mark.parametrize(("toml", "status"), [("", 101), ('[tls]\ncertificate = "a.pem"\nkey = "a.pem"', 403)])
def test_explain_knows_that_our_own_pages_are_not_in_clear_where_there_is_a_certificate(toml: str, status: int) -> None:
    answer = explain(settings(toml), path=LOBBY, origin="http://relay.example", host="relay.example")

    assert answer.status == status


def test_explain_tells_what_is_only_reported() -> None:
    answer = explain(settings("[origins]\nenforce = false"), path=LOBBY, origin="https://evil.example")

    assert answer.status == 101
    assert answer.message == "only reported: [origins] enforce = false"


@pytest.mark.parametrize(
    ("toml", "path", "status", "outcome", "hint"),
    [
        ("", LOBBY, 403, "origin", 'add "https://evil.example" to [origins] allow'),
        ("", "/lobby?token=1", 404, "not_found", "room paths here are /rooms/{room}"),
        ("", "/rooms/%00", 400, "malformed", "control character"),
        ('[server]\nhosts = ["a.example"]', LOBBY, 421, "host", 'add "b.example" to [server] hosts'),
    ],
)
def test_explain_says_no_as_the_door_would(toml: str, path: str, status: int, outcome: str, hint: str) -> None:
    answer = explain(settings(toml), path=path, origin="https://evil.example", host="b.example")

    assert (answer.status, answer.outcome) == (status, outcome)
    assert hint in answer.message


CLOSED = f'[tokens]\nsecret = "{SECRET}"\n[[rooms]]\nname = "rooms"\npath = "/rooms/{{room}}"\naccess = "token"\n'


def test_explain_says_that_a_room_asks_for_a_token() -> None:
    answer = explain(settings(CLOSED), path=LOBBY)

    assert (answer.status, answer.outcome, answer.rule) == (401, "token", 'access = "token"')
    assert answer.message.startswith("this room asks for a token: ")


@pytest.mark.parametrize(
    ("rooms", "expires_s", "status"),
    [([LOBBY], 2**33, 101), (["/rooms/other"], 2**33, 403), ([LOBBY], 1, 401)],
)
def test_explain_looks_at_a_token_as_the_door_would(rooms: list[str], expires_s: int, status: int) -> None:
    token = signer("HS256").token({"exp": expires_s, "rooms": rooms})

    assert explain(settings(CLOSED), path=LOBBY, token=token).status == status


def test_explain_looks_at_a_token_in_an_open_room_too() -> None:
    ours = settings(f'[tokens]\nsecret = "{SECRET}"\n')

    assert explain(ours, path=LOBBY, token=signer("HS256").token({"exp": 2**33})).status == 101
    assert explain(ours, path=LOBBY, token="a.b.c").status == 401


SHADOW = '[origins]\nallow = ["https://old.example", "https://new.example"]\nshadow = ["https://new.example"]\n'


@pytest.mark.parametrize(
    ("origin", "status", "says"),
    [
        ("https://old.example", 101, "would refuse it: not same_origin, not in shadow"),
        ("https://new.example", 101, 'would let it in: shadow "https://new.example"'),
        ("https://evil.example", 403, "would refuse it: not same_origin, not in shadow"),
    ],
)
def test_explain_says_what_the_shadow_would_say(origin: str, status: int, says: str) -> None:
    answer = explain(settings(SHADOW), path=LOBBY, origin=origin)

    assert (answer.status, answer.shadow) == (status, says)


@pytest.mark.parametrize(("toml", "path"), [("", LOBBY), (SHADOW, "/nowhere"), (SHADOW, "/rooms/%00")])
def test_explain_says_nothing_of_a_shadow_where_there_is_none_or_no_room(toml: str, path: str) -> None:
    assert explain(settings(toml), path=path, origin="https://old.example").shadow is None


def test_shadow_that_cannot_be_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match='shadow "https://\\*"'):
        build_policies(settings('[origins]\nshadow = ["https://*"]'))
