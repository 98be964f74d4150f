"""The order in which the policies are asked, and the answers that they become."""

from __future__ import annotations

import pytest

from roomcast.protocol.handshake import Dialect
from roomcast.server import build_policies
from roomcast.transport.admission import Admission, Outcome, Refusal
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
    return admission.admit(path, origin=origin, host="chat.example", scheme=None).template.name


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
