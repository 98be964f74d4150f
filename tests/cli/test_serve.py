"""roomcast serve: what it prints when it starts, and how it ends."""

import re
import signal
import socket

from tests.processes import command
from tests.wire import HANG_S


def test_serve_prints_its_addresses_and_exits_with_0_when_it_is_told_to_stop() -> None:
    with command("serve", "--dev", "--set", "server.port=0", "--set", "admin.port=0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANG_S)

    assert process.returncode == 0
    assert re.fullmatch(r"\d\d:\d\d:\d\d serving\n", lines[0])
    assert re.fullmatch(r" +chat +http://127\.0\.0\.1:\d+/\n", lines[1])
    assert re.fullmatch(r" +rooms +ws://127\.0\.0\.1:\d+/rooms/\{room\}\n", lines[2])
    assert re.fullmatch(r" +metrics +http://127\.0\.0\.1:\d+/metrics\n", lines[3])


def test_serve_that_finds_its_port_taken_exits_with_2_and_names_the_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with command("serve", "--set", f"server.port={port}", "--set", "admin.port=0") as process:
            output, errors = process.communicate(timeout=HANG_S)

    assert process.returncode == 2
    assert output == ""
    assert f"127.0.0.1 port {port}" in errors
    assert "server.port=" in errors
    assert "Traceback" not in errors
