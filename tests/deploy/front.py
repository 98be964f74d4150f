"""A relay behind a real proxy, which runs with the configuration that deploy/proxy publishes.

Nothing of that configuration is replaced but what names things of one machine: the
addresses to listen at, the relay's, and the places of files. The sockets are opened
here and handed over, so no port has to be guessed, and whoever connects before the
proxy has started waits in the kernel's queue.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.certificates import Files, issue, trusting
from tests.running import Relay
from tests.wire import (
    HANG_S,
    HOST,
    Answer,
    Hixie76Client,
    Rfc6455Client,
    Wire,
    shake_hands_hixie76,
    shake_hands_rfc6455,
)

CONFIGURATIONS = Path(__file__).parents[2] / "deploy" / "proxy"
RELAY = "127.0.0.1:8080"
"""The relay's address in all of them."""

CLIENT = "127.0.0.2"
"""Where clients come from: on Linux all of 127.0.0.0/8 is this machine, and the proxy comes from 127.0.0.1."""
EVIL = "198.51.100.6"
"""Who clients say they are."""
SPOOFED = (
    f"X-Forwarded-For: {EVIL}",
    f"X-Forwarded-For: {EVIL}, 127.0.0.1",
    f"Forwarded: for={EVIL};proto=https",
    f"X-Real-IP: {EVIL}",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
)


class Front:
    """What clients reach: a proxy's doors, and the relay behind it."""

    def __init__(self, relay: Relay, plain: socket.socket, secure: socket.socket) -> None:
        self.relay = relay
        self._doors = {False: plain.getsockname(), True: secure.getsockname()}
        self._clients = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clients.close()

    def connect(self, *, is_secure: bool = False) -> Wire:
        connected = socket.create_connection(self._doors[is_secure], timeout=HANG_S, source_address=(CLIENT, 0))
        if is_secure:
            connected = trusting().wrap_socket(connected, server_hostname=HOST)
        return self._clients.enter_context(Wire(connected))

    def join(self, path: str, *lines: str, is_secure: bool = False) -> Rfc6455Client:
        return shake_hands_rfc6455(self.connect(is_secure=is_secure), path, *lines)

    def join_hixie76(self, path: str, *lines: str, is_secure: bool = False) -> Hixie76Client:
        return shake_hands_hixie76(self.connect(is_secure=is_secure), path, *lines)

    def ask(self, request: bytes, *, is_secure: bool = False) -> Answer:
        """Send a request and return the answer; its connection need not end, as the relay's would."""
        with self.connect(is_secure=is_secure) as wire:
            wire.send(request)
            status, *lines = wire.read_until(b"\r\n\r\n").decode("latin-1").lower().split("\r\n")
            headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
            return Answer(int(status.split()[1]), headers, wire.read(int(headers["content-length"])))


def rendered(name: str, replacements: Mapping[str, str]) -> str:
    """Return a configuration as it is published, but for these; each of them must be in it."""
    text = (CONFIGURATIONS / name).read_text(encoding="utf-8")
    for ours, theirs in replacements.items():
        assert ours in text, f"{name} has no {ours!r}"
        text = text.replace(ours, theirs)
    return text


@contextmanager
def door() -> Iterator[socket.socket]:
    """Open a listening socket that a proxy can be given."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"{host}:{port}"


@contextmanager
def running(
    *command: str, doors: list[socket.socket], log: Path, stop: signal.Signals, **environment: str
) -> Iterator[None]:
    """Run a proxy; at the end it is told to stop by this signal when its clients have gone, and has to."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            pass_fds=[listening.fileno() for listening in doors],
            env=os.environ | environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield
        process.send_signal(stop)
        assert process.wait(HANG_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@contextmanager
def nginx(relay: Relay, directory: Path) -> Iterator[Front]:
    """Put nginx in front of a relay. Its access log is ``roomcast.log`` in the directory."""
    _certificate(directory)
    with ExitStack() as stack:
        plain, plain6, secure, secure6 = doors = [stack.enter_context(door()) for _ in range(4)]
        ours = rendered(
            "nginx.conf",
            {
                RELAY: _relay(relay, "unix:"),
                "listen 80 ": f"listen {address_of(plain)} ",
                "listen [::]:80 ": f"listen {address_of(plain6)} ",
                "listen 443 ": f"listen {address_of(secure)} ",
                "listen [::]:443 ": f"listen {address_of(secure6)} ",
                "/var/log/nginx/": f"{directory}/",
            },
        )
        (directory / "roomcast.conf").write_text(ours)
        # What every installation has around it.
        places = "".join(
            f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        main = f"{user} daemon off; pid {directory}/pid; events {{}} http {{ {places} include roomcast.conf; }}"
        (directory / "nginx.conf").write_text(main)
        command = ("nginx", "-e", "stderr", "-p", str(directory), "-c", str(directory / "nginx.conf"))
        log = directory / "nginx.log"
        inherited = "".join(f"{listening.fileno()};" for listening in doors)
        stack.enter_context(running(*command, doors=doors, log=log, stop=signal.SIGQUIT, NGINX=inherited))
        yield stack.enter_context(Front(relay, plain, secure))


@contextmanager
def haproxy(relay: Relay, directory: Path, name: str) -> Iterator[Front]:
    """Put HAProxy with this configuration in front of a relay. What it logs is ``haproxy.log`` in the directory."""
    files = _certificate(directory)
    both = directory / "both.pem"
    both.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    with ExitStack() as stack:
        plain, secure = doors = [stack.enter_context(door()) for _ in range(2)]
        ours = rendered(
            name,
            {
                RELAY: _relay(relay, "unix@"),
                "bind :80\n": f"bind fd@{plain.fileno()}\n",
                "bind :443 ": f"bind fd@{secure.fileno()} ",
                "/etc/haproxy/tls/chat.example.com.pem": str(both),
            },
        )
        (directory / "ours.cfg").write_text(ours)
        # What the distribution's file has in front of it.
        (directory / "global.cfg").write_text("global\n    log stdout format raw local0\n")
        command = ("haproxy", "-db", "-f", str(directory / "global.cfg"), "-f", str(directory / "ours.cfg"))
        log = directory / "haproxy.log"
        stack.enter_context(running(*command, doors=doors, log=log, stop=signal.SIGUSR1))
        yield stack.enter_context(Front(relay, plain, secure))


def _relay(relay: Relay, prefix: str) -> str:
    """Return the relay's address as a proxy's configuration has it; of a path, behind this prefix."""
    if isinstance(relay.address, str):
        return prefix + relay.address
    return "{}:{}".format(*relay.address)


def _certificate(directory: Path) -> Files:
    """Put a certificate where nginx's configuration has it."""
    tls = directory / "tls"
    tls.mkdir()
    files = issue(tls)
    files.certificate.rename(tls / "chat.example.com.pem")
    files.key.rename(tls / "chat.example.com.key")
    return Files(tls / "chat.example.com.pem", tls / "chat.example.com.key")
