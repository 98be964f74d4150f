"""Starting the program: what is patched, when, and what importing costs."""

import socket
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_module_and_console_script_are_the_same_program() -> None:
    [script] = entry_points(group="console_scripts", name="roomcast")

    assert script.value == "roomcast.__main__:main"
    assert python("import runpy, sys; sys.argv[1:] = ['--version']; runpy.run_module('roomcast', run_name='__main__')")


def test_importing_the_program_patches_nothing_and_loads_nothing() -> None:
    loaded = python(
        "import socket, sys, roomcast.__main__\n"
        "print(socket.socket.__module__, *(name for name in ('typer', 'roomcast.cli') if name in sys.modules))"
    )

    assert loaded == "socket"


def test_standard_library_is_patched_before_the_command_line_is_imported() -> None:
    # typer imports threading; had it been first, threads would have kept the unpatched locks.
    order = python(
        "import sys, gevent.monkey as monkey, roomcast.__main__ as program\n"
        "monkey.patch_all = lambda: print('typer' in sys.modules)\n"
        "sys.argv[1:] = ['--version']\n"
        "program.main()"
    )

    assert order.splitlines()[0] == "False"


def test_program_that_was_started_without_standard_streams_goes_on(tmp_path: Path) -> None:
    # What it serves must not get the number of a standard stream: it would be printed to.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = f'exec "{sys.executable}" -m roomcast serve --set server.port={port} --set admin.port=0 <&- >&- 2>&-'
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, timeout=60, check=False)

    assert done.returncode == 2
