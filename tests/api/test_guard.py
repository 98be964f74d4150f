from __future__ import annotations

import pytest
from falcon import HTTPError, Request
from falcon.testing import create_environ

from roomcast.api.guard import NEIGHBOUR, Guard
from roomcast.api.keys import ROOT, Holder, KeyFile, Keyring, Scope
from roomcast.policies.hosts import PrivateHosts

KEY = "0123456789abcdef0123456789abcdef"
ALL = [*Scope]


def guard_with(key: str, *, is_local: bool = True, keyring: Keyring | None = None) -> Guard:
    return Guard(keyring or Keyring(key, []), PrivateHosts(["relay.internal"]), is_local=lambda: is_local)


def request(**headers: str) -> Request:
    given = {"Host": "127.0.0.1:8081", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request(create_environ(headers=given))


def refusal(guard: Guard, request: Request, scope: Scope = Scope.READ) -> HTTPError:
    with pytest.raises(HTTPError) as caught:
        guard.require(request, scope)
    return caught.value


@pytest.mark.parametrize("scope", ALL)
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_right_key_opens_what_it_is_for(scope: Scope, scheme: str) -> None:
    assert guard_with(KEY).require(request(Authorization=scheme + KEY), scope) is ROOT


@pytest.mark.parametrize("scope", ALL)
@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, "Bearer"),
        ("Basic dXNlcjpwYXNz", "Bearer"),
        (KEY, "Bearer"),
        ("Bearer", "Bearer"),
        (f"Bearer {KEY[:-1]}", 'Bearer error="invalid_token"'),
        (f"Bearer {KEY},Bearer {KEY}", 'Bearer error="invalid_token"'),
    ],
)
def test_missing_or_wrong_key_is_401_with_a_challenge(scope: Scope, authorization: str | None, challenge: str) -> None:
    asking = request() if authorization is None else request(Authorization=authorization)

    error = refusal(guard_with(KEY), asking, scope)

    assert error.status_code == 401
    assert dict(error.headers or {})["WWW-Authenticate"] == challenge
    assert KEY[:-1] not in (error.description or "")


def test_key_without_the_scope_is_403_and_told_which_it_lacks(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("keys") / "screen"
    file.write_text(KEY)
    screen = Holder("screen", frozenset({Scope.READ}))
    guard = guard_with("", keyring=Keyring("", [KeyFile(screen, str(file))]))

    error = refusal(guard, request(Authorization=f"Bearer {KEY}"), Scope.PUBLISH)

    assert guard.require(request(Authorization=f"Bearer {KEY}"), Scope.READ) is screen
    assert error.status_code == 403
    assert dict(error.headers or {})["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="publish"'


@pytest.mark.parametrize(
    ("scope", "is_local", "status"),
    [
        (Scope.READ, True, None),
        (Scope.READ, False, 403),
        (Scope.PUBLISH, True, 403),
        (Scope.PUBLISH, False, 403),
        (Scope.ADMIN, True, 403),
    ],
)
def test_without_any_key_only_a_neighbour_looks_and_nobody_changes_anything(
    scope: Scope, is_local: bool, status: int | None
) -> None:
    guard = guard_with("", is_local=is_local)

    if status is None:
        assert guard.require(request(), scope) is NEIGHBOUR
    else:
        assert refusal(guard, request(), scope).status_code == status


def test_where_there_is_a_key_a_neighbour_needs_it_too() -> None:
    assert refusal(guard_with(KEY, is_local=True), request(), Scope.READ).status_code == 401


@pytest.mark.parametrize("key", [KEY, ""])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1:8081,evil.example"])
def test_request_under_a_strange_name_is_421_whatever_it_shows(key: str, host: str) -> None:
    guard = guard_with(key)
    asking = request(Host=host, Authorization=f"Bearer {KEY}")

    assert refusal(guard, asking).status_code == 421
    with pytest.raises(HTTPError, match="421"):
        guard.check_host(asking)


def test_page_needs_no_key_under_a_name_of_ours() -> None:
    guard_with(KEY).check_host(request(Host="relay.internal:8081"))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8080", "http://127.0.0.1"])
def test_page_of_another_origin_changes_nothing_though_it_knows_a_key(origin: str) -> None:
    asking = request(Authorization=f"Bearer {KEY}", Origin=origin)

    assert refusal(guard_with(KEY), asking, Scope.PUBLISH).status_code == 403
    assert refusal(guard_with(KEY), asking, Scope.ADMIN).status_code == 403


def test_page_of_ours_changes_what_its_key_opens() -> None:
    asking = request(Authorization=f"Bearer {KEY}", Origin="http://127.0.0.1:8081")

    assert guard_with(KEY).require(asking, Scope.PUBLISH) is ROOT
