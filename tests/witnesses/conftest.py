"""What the tests of all witnesses share: how one is started, and whom it trusts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certificates import authority
from tests.running import Relay
from tests.transport.rooms import LOBBY
from tests.witnesses.witness import HIXIE76, RFC6455, Join, Witness, started, url


@pytest.fixture
def join() -> Iterator[Join]:
    """Start a client, which connects at once; all are ended with the test, before the relay is."""
    with ExitStack() as clients:

        def start(name: str, relay: Relay, path: str = LOBBY, *subprotocols: str) -> Witness:
            return clients.enter_context(started((HIXIE76 | RFC6455)[name], url(relay, path), *subprotocols))

        yield start


@pytest.fixture
def authority_file(tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def trusted(authority_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs that are started trust the tests' authority: those on OpenSSL, and Node's."""
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(authority_file))
