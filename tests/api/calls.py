"""What it takes to use the API of a relay that runs in another thread: a client with a key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.running import Relay, ask_admin
from tests.tokens import SECRET, fresh_token

KEY = "0123456789abcdef0123456789abcdef"
WITH_KEY = f'[admin]\napi_key = "{KEY}"\n'
"""What makes a relay take it, in its settings."""

TAKES_TOKENS = f'[tokens]\nsecret = "{SECRET}"\n'
"""What makes a relay take tokens that ``shown`` shows."""

TEXT = {"Content-Type": "text/plain"}
BINARY = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}


def shown(**claims: object) -> str:
    """Return the header by which somebody shows a good token for any room, with these claims too."""
    return f"Authorization: Bearer {fresh_token(**{'iat': 1} | claims)}"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of the API."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """What a problem says; it must be one."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json.keys() == {"type", "title", "status", "detail"}
        assert self.json["status"] == self.status
        return str(self.json["detail"])


class Caller:
    """Somebody who uses the API.

    Args:
        relay: Whose.
        key: Shown with each request; none, where it is empty.
    """

    def __init__(self, relay: Relay, key: str = KEY) -> None:
        self._relay = relay
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """Send one request on a connection of its own and return the answer."""
        text = query if isinstance(query, str) else urlencode(query)
        target, shown = f"/api/v1/{path}?{text}", {**self._headers, **(headers or {})}
        return Told(*ask_admin(self._relay.server.private_address, target, method, body, shown))

    def get(self, path: str, **query: object) -> Told:
        return self.call("GET", path, query)

    def delete(self, path: str, **query: object) -> Told:
        return self.call("DELETE", path, query)

    def say(
        self,
        body: str | bytes,
        room: str = "/rooms/lobby",
        kind: Mapping[str, str] = TEXT,
        **headers: str,
    ) -> Told:
        """Publish one message; headers are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body.encode() if isinstance(body, str) else body
        return self.call("POST", "messages", {"room": room}, data, {**kind, **named})

    def post(self, path: str, body: object, **headers: str) -> Told:
        """Send something as JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, "", json.dumps(body).encode(), {**JSON, **named})
