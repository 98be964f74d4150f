"""The order in which the policies are asked, and the answers that they become."""

from __future__ import annotations

import pytest

from roomcast.protocol.handshake import Dialect
from roomcast.server import build_policies
from roomcast.transport.admission import Admission, Outcome, Refusal
from roomcast.transport.visit import Visit
from tests.running import settings

TWO_TEMPLATES = """
[server]
hosts = ["chat.example"]
protocols = ["rfc6455"]
[origins]
allow = ["https://app.example"]
[[rooms]]
name = "desks"
path = "/desks/{desk}"
origins = { allow = ["https://desk.example"] }
[[rooms]]
name = "all"
path = "/{place}/{rest...}"
"""


@pytest.fixture
def admission() -> Admission:
    # A first segment that is free could be "-", which is reserved.
    return build_policies(settings(TWO_TEMPLATES.replace("/{place}/", "/all/")))


def enter(admission: Admission, path: str, origin: str | None) -> str:
    return admission.admit(path, Visit(origin, "chat.example")).template.name


def refusal(admission: Admission, path: str, origin: str | None) -> Refusal:
    with pytest.raises(Refusal) as raised:
        enter(admission, path, origin)
    return raised.value


def test_templates_are_kept_in_the_order_of_the_configuration(admission: Admission) -> None:
    assert [template.name for template in admission.templates] == ["desks", "all"]


@pytest.mark.parametrize(
    ("path", "origin", "template"),
    [
        ("/desks/7", "https://desk.example", "desks"),
        ("/desks/7", None, "desks"),
        ("/all/7", "https://app.example", "all"),
        ("/all/7/b", "https://chat.example", "all"),
    ],
)
def test_template_decides_whose_origins_enter(
    admission: Admission, path: str, origin: str | None, template: str
) -> None:
    assert enter(admission, path, origin) == template


def test_template_s_own_origins_replace_those_of_all(admission: Admission) -> None:
    no = refusal(admission, "/desks/7", "https://app.example")

    assert (no.status, no.outcome, no.template, no.room) == (403, Outcome.ORIGIN, "desks", "/desks/7")
    assert no.hint == 'add "https://app.example" to origins of the room template "desks"'


@pytest.mark.parametrize("path", ["/", "/desks", "/desks/7/8", "/-/ready"])
def test_path_of_no_room_is_404_and_the_hint_lists_the_paths(admission: Admission, path: str) -> None:
    no = refusal(admission, path, None)

    assert (no.status, no.outcome) == (404, Outcome.NOT_FOUND)
    assert no.hint == "room paths here are /desks/{desk}, /all/{rest...}"
    assert "desk" not in no.message


def test_path_that_can_be_no_room_is_400_before_anything_else_is_asked(admission: Admission) -> None:
    no = refusal(admission, "/desks/%2e%2e", "https://evil.example")

    assert (no.status, no.outcome) == (400, Outcome.MALFORMED)


def test_host_that_is_not_served_is_421(admission: Admission) -> None:
    admission.check_host("chat.example", "/desks/7")

    with pytest.raises(Refusal) as raised:
        admission.check_host("other.example", "/desks/7")

    assert (raised.value.status, raised.value.outcome) == (421, Outcome.HOST)


@pytest.mark.parametrize("path", ["/", "/-/ready"])
def test_what_is_no_room_answers_to_any_host(admission: Admission, path: str) -> None:
    admission.check_host("10.1.2.3:8080", path)


def test_dialect_that_is_not_spoken_is_426(admission: Admission) -> None:
    admission.check_dialect(Dialect.RFC6455)

    with pytest.raises(Refusal) as raised:
        admission.check_dialect(Dialect.HIXIE76)

    assert (raised.value.status, raised.value.outcome) == (426, Outcome.DIALECT)
    assert ("Sec-WebSocket-Version", "13") in raised.value.headers


def shadow(toml: str, origin: str | None, path: str = "/rooms/lobby") -> str | None:
    admitted = build_policies(settings(toml)).admit(path, Visit(origin, "chat.example"))
    return None if admitted.shadow is None else f"{admitted.shadow.is_allowed}: {admitted.shadow.rule}"


LISTS = '[origins]\nallow = ["https://old.example", "https://new.example"]\nshadow = ["https://new.example"]\n'
OWN = '[[rooms]]\nname = "own"\npath = "/own/{room}"\norigins = { allow = ["https://old.example"] }\n'


@pytest.mark.parametrize(
    ("toml", "origin", "says"),
    [
        (LISTS, "https://old.example", "False: not same_origin, not in shadow"),
        (LISTS, "https://new.example", 'True: shadow "https://new.example"'),
        (LISTS, "https://chat.example", "True: same_origin = true"),
        (LISTS, None, 'True: missing = "allow"'),
        (LISTS + "same_origin = false", "https://new.example", 'True: shadow "https://new.example"'),
        ('[origins]\nallow = ["https://old.example"]', "https://old.example", None),
        ('[origins]\nallow = ["https://old.example"]\nshadow = []', "https://old.example", None),
        # Whom the live list would refuse is counted as only reported, and not here as well.
        (LISTS + "enforce = false", "https://evil.example", None),
        (LISTS + "enforce = false", "https://old.example", "False: not same_origin, not in shadow"),
    ],
)
def test_shadow_judges_whom_the_live_list_lets_in(toml: str, origin: str | None, says: str | None) -> None:
    assert shadow(toml, origin) == says


@pytest.mark.parametrize(
    ("own", "says"),
    [
        (OWN, None),
        (OWN.replace(" }", ', shadow = ["https://b.example"] }'), "False: not same_origin, not in shadow"),
        (OWN.replace('origins = { allow = ["https://old.example"] }', ""), "False: not same_origin, not in shadow"),
    ],
    ids=["a list of its own", "and a shadow", "neither"],
)
def test_shadow_of_a_template_is_its_own_where_its_list_is(own: str, says: str | None) -> None:
    assert shadow(LISTS + own, "https://old.example", "/own/a") == says


def test_shadow_refuses_nobody_whom_the_live_list_lets_in_and_lets_in_nobody_else(admission: Admission) -> None:
    with pytest.raises(Refusal):
        shadow('[origins]\nshadow = ["https://evil.example"]', "https://evil.example")
