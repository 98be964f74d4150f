from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from falcon.testing import TestClient

from roomcast.api.app import create_app
from tests.diary import Diary
from tests.idle import idle_access, idle_counters, idle_hub

KEY = "0123456789abcdef0123456789abcdef"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}


class Tokens:
    """Somebody who knows whose token is whose, and remembers what it was told."""

    def __init__(self) -> None:
        self.revoked: list[tuple[str, float]] = []

    def revoke(self, subject: str, ttl_s: float = 86_400.0) -> int:
        self.revoked.append((subject, ttl_s))
        return 3


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def client(tokens: Tokens, diary: Diary) -> TestClient:
    access = idle_access(KEY)
    access = replace(access, revoker=tokens)
    return TestClient(
        create_app(idle_hub(), idle_counters(), lambda: True, diary.journal, access), headers={"Host": "localhost"}
    )


@pytest.mark.parametrize(
    ("body", "revoked"), [({"subject": "alice"}, ("alice", 86_400.0)), ({"subject": "bob", "ttl_s": 60}, ("bob", 60))]
)
def test_subject_is_revoked_and_the_answer_says_how_many_were_closed(
    client: TestClient, tokens: Tokens, body: dict[str, Any], revoked: tuple[str, float]
) -> None:
    answer = client.simulate_post("/api/v1/revocations", json=body, headers=WITH_KEY)

    assert (answer.status_code, answer.json) == (200, {"members": 3})
    assert tokens.revoked == [revoked]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"subject": ""},
        {"subject": 1},
        {"subject": "a" * 256},
        {"subject": "a", "ttl_s": 0},
        {"subject": "a", "ttl": 1},
        [],
    ],
)
def test_body_that_revokes_nobody_is_400(client: TestClient, tokens: Tokens, body: Any) -> None:
    answer = client.simulate_post("/api/v1/revocations", json=body, headers=WITH_KEY)

    assert answer.status_code == 400
    assert tokens.revoked == []


def test_revocation_is_json_and_wants_a_key(client: TestClient, tokens: Tokens) -> None:
    assert client.simulate_post("/api/v1/revocations", body="{}", headers=WITH_KEY).status_code == 415
    assert client.simulate_post("/api/v1/revocations", json={"subject": "alice"}).status_code == 401
    assert tokens.revoked == []
