"""One question to a private door: who is not there, does not answer as a relay does, or knows another key."""

from __future__ import annotations

from pathlib import Path

from tests.cli.runner import run
from tests.cli.test_reload import ADMIN, url
from tests.running import Serve


def test_relay_that_is_not_there_or_knows_another_key_is_2(serve: Serve, tmp_path: Path) -> None:
    relay = serve(ADMIN)
    (tmp_path / "key").write_text("x" * 32)

    assert run("reload", "--url", url(relay), "--key-file", str(tmp_path / "key")).exit_code == 2
    assert run("reload", "--url", "http://127.0.0.1:1").exit_code == 2
    # What answers there is the public door.
    assert run("reload", "--url", "http://{}:{}".format(*relay.address)).exit_code == 2
