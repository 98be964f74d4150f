"""The first minute of a newcomer: ``make run`` in a fresh checkout, from nothing to a page, and Ctrl-C."""

import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.install.checkout import copy_checkout, fresh_environment

# An installation from nothing fetches some 25 packages; the other tests' limit is not meant for that.
INSTALLATION_TIMEOUT_S = 400


@pytest.mark.timeout(INSTALLATION_TIMEOUT_S)
def test_make_run_installs_serves_and_ends_cleanly_in_a_path_with_spaces(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "a fresh checkout")
    command = ["make", "run", "PORT=0", "ADMIN_PORT=0"]

    with subprocess.Popen(
        command,
        cwd=checkout,
        env=fresh_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            while not (address := re.search(r"http://127\.0\.0\.1:\d+/", said)):
                line = process.stdout.readline()
                assert line, f"make run ended: {said}"
                said += line
            with urllib.request.urlopen(address.group(), timeout=10) as answer:
                page = answer.read()
        finally:
            # To all of the group, as a terminal does with Ctrl-C: make and the relay both get it.
            os.killpg(process.pid, signal.SIGINT)
        said += process.stdout.read()

    assert b"new WebSocket(" in page
    assert "Error" not in said
    assert "Traceback" not in said
