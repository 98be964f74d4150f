"""A whole relay in a process of its own, as an operator starts it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STOP_TIMEOUT_S = 20.0


@contextmanager
def running_relay(*assignments: str) -> Iterator[str]:
    """Serve with the chat page on; yield the page's address.

    Args:
        assignments: ``section.key=value``, as ``--set`` takes them.
    """
    ours = ("server.port=0", "admin.port=0", "server.demo=true", "server.drain_s=0", "log.format=json")
    options = [part for assignment in (*ours, *assignments) for part in ("--set", assignment)]
    command = [sys.executable, "-m", "roomcast", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _chat_page(process)
        finally:
            process.terminate()
            # Reads what is left, too: a full pipe would keep the relay from ending.
            process.communicate(timeout=_STOP_TIMEOUT_S)


def _chat_page(process: subprocess.Popen[str]) -> str:
    """Read log lines until the one that says where the chat page is."""
    assert process.stdout is not None
    for line in process.stdout:
        record = json.loads(line)
        if record["event"] == "serving":
            url: str = record["chat"]
            return url
    raise AssertionError(f"the relay ended with status {process.wait()}")
