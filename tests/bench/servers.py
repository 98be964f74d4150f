"""The relays that are measured: how each is got, started on the first core, and ended.

Roomcast and the floor are here. The others come from their registries, into a cache
outside the checkout and with their versions fixed, so that two people's figures differ
by their machines only. Nothing here is needed to build, test or run Roomcast.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figures import Configuration
from tests.certificates import issue

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roomcast-bench"

SERVER_CORE = "0"
_START_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 15.0

_BUN = "@oven/bun-linux-x64@1.4.5" if os.uname().machine == "x86_64" else "@oven/bun-linux-aarch64@1.4.5"
_WS = "ws@8.23.0"

Command = list[str]


class UnavailableError(Exception):
    """A server cannot run on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections."""

    pid: int
    port: int
    admin_port: int | None
    """Where Roomcast tells its metrics."""
    file: Path | None = None
    """Roomcast's configuration file; the other one stands beside it as ``other.toml``, where there is one."""


def build(name: str, *, is_tls: bool = False) -> Path:
    """Compile ``name``.c beside this file, with TLS if it is to have any, and return the program."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise UnavailableError("cc, a C compiler, is not on the PATH")
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / (f"{name}-tls" if is_tls else name)
    # Libraries stand behind what needs them.
    options, libraries = (["-DTLS"], ["-lssl", "-lcrypto"]) if is_tls else ([], [])
    source = HERE / f"{name}.c"
    command: list[str | Path] = [compiler, "-O2", "-Wall", "-Wextra", *options, "-o", program, source, *libraries]
    if subprocess.run(command, check=False).returncode:
        raise UnavailableError(f"{source.name} does not compile" + (" (Debian: libssl-dev)" if is_tls else ""))
    return program


def _from_npm(package: str) -> Path:
    """Return the directory of an npm package that carries everything it needs."""
    name = package.rpartition("@")[0]
    directory = CACHE / "npm" / package.replace("/", "_")
    if not (directory / "node_modules" / name).exists():
        npm = shutil.which("npm")
        if npm is None:
            raise UnavailableError(f"npm, which brings {name}, is not on the PATH")
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--no-save", "--prefix", directory, package], check=True)
    return directory / "node_modules" / name


def _from_pypi(*packages: str) -> Path:
    """Return a Python of its own for a relay that is written in it."""
    directory = CACHE / "pypi" / "_".join(packages)
    python = directory / "bin" / "python"
    stamp = directory / "installed"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.touch()
    return python


def _floor(port: int) -> Command:
    return [str(build("floor")), str(port)]


def _bun(port: int) -> Command:
    return [str(_from_npm(_BUN) / "bin" / "bun"), str(HERE / "peers" / "bun_relay.js"), str(port)]


def _bun_tls(port: int) -> Command:
    return [*_bun(port), *map(str, issue(CACHE))]


def _ws(port: int) -> Command:
    node = shutil.which("node")
    if node is None:
        raise UnavailableError("node is not on the PATH")
    return [node, str(HERE / "peers" / "ws_relay.js"), str(port), str(_from_npm(_WS))]


def _python_peer(name: str, *packages: str) -> Callable[[int], Command]:
    return lambda port: [str(_from_pypi(*packages)), str(HERE / "peers" / f"{name}_relay.py"), str(port)]


def _nchan(port: int) -> Command:
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if nginx is None:
        raise UnavailableError("nginx with its module nchan is not installed (Debian: libnginx-mod-nchan)")
    directory = CACHE / "nchan"
    directory.mkdir(parents=True, exist_ok=True)
    text = (HERE / "peers" / "nchan.conf").read_text(encoding="utf-8").replace("PORT", str(port))
    (directory / "nchan.conf").write_text(text, encoding="utf-8")
    return [nginx, "-p", str(directory), "-c", "nchan.conf", "-g", "daemon off; master_process off;"]


PEERS: dict[str, Callable[[int], Command]] = {
    "floor": _floor,
    "bun": _bun,
    "bun-tls": _bun_tls,
    "ws": _ws,
    "websockets": _python_peer("websockets", "websockets==17.4", "uvloop==0.23.0"),
    "picows": _python_peer("picows", "picows==2.3.1", "uvloop==0.23.0"),
    "socketify": _python_peer("socketify", "socketify==0.0.31"),
    "gevent-websocket": _python_peer("gevent_websocket", "gevent-websocket==0.10.1", "gevent==26.9.0"),
    "nchan": _nchan,
}


def toml(configuration: Configuration) -> str:
    """Write sections of scalars and lists as TOML, for which JSON's spelling of those will do."""
    lines = []
    for section, values in configuration.items():
        lines.append("[[rooms]]" if section.startswith("room") else f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_door(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise UnavailableError(f"{process.args!r} ended with status {process.returncode}")
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise UnavailableError(f"{process.args!r} does not listen on port {port} after {_START_TIMEOUT_S:g} s")


@contextmanager
def _process(command: Command, port: int) -> Iterator[subprocess.Popen[bytes]]:
    log = CACHE / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *command], stdout=output, stderr=output)
    try:
        _await_door(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(server: str, configuration: Configuration, other: Configuration | None = None) -> Iterator[Running]:
    """Run ``server`` on the first core until the block ends.

    Raises:
        UnavailableError: If it, or what it is built or installed with, is not here.
    """
    port = _free_port()
    if server != "roomcast":
        with _process(PEERS[server](port), port) as process:
            yield Running(process.pid, port, None)
        return
    if "tls" in configuration:
        files = issue(CACHE)
        configuration = {**configuration, "tls": {"certificate": str(files.certificate), "key": str(files.key)}}
    admin_port = _free_port()
    # A goodbye spread over seconds is not what is measured here.
    doors: Configuration = {
        "server": {"port": port, "drain_s": 0},
        "admin": {"port": admin_port, **configuration.get("admin", {})},
    }
    with TemporaryDirectory() as directory:
        path = Path(directory, "roomcast.toml")
        path.write_text(toml({**configuration, **doors}), encoding="utf-8")
        if other is not None:
            path.with_name("other.toml").write_text(toml({**other, **doors}), encoding="utf-8")
        with _process([sys.executable, "-m", "roomcast", "serve", "--config", str(path)], port) as process:
            yield Running(process.pid, port, admin_port, path)
