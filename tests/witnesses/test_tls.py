"""TLS as other people's clients speak it: those of today, curl, and OpenSSL's own with what is not allowed any more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.running import TLS, Relay, Serve
from tests.transport.rooms import LARGE, numbered, rooms
from tests.wire import HANG_S, HOST
from tests.witnesses.witness import RFC6455, started, url

pytestmark = pytest.mark.parametrize("serve", [TLS], indirect=True)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", RFC6455)
def test_client_of_today_says_hears_and_ends(serve: Serve, name: str) -> None:
    relay = serve(rooms())
    ada, old = relay.join(), relay.join_hixie76()
    with started(RFC6455[name], url(relay)) as witness:
        witness.do(f"text {'x' * LARGE}")
        assert ada.hear() == old.hear() == "x" * LARGE
        for number in range(50):
            ada.say(numbered(number))
        for number in range(50):
            assert witness.hear() == f"text {numbered(number)}"
        witness.do("close 3001 enough")
        assert witness.hear().startswith("closed 3001")


def run(*command: str | Path, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG_S,
        check=False,
        errors="replace",
    )


@pytest.mark.parametrize("options", [(), ("--tls-max", "1.2"), ("--tlsv1.3",)], ids=["any", "1.2", "1.3"])
def test_curl_is_told_what_a_browser_is_not(serve: Serve, authority_file: Path, options: tuple[str, ...]) -> None:
    relay = serve()
    address = url(relay).replace("wss:", "https:")

    answer = run("curl", "--silent", "--include", "--cacert", authority_file, *options, address)

    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.startswith("HTTP/1.1 426 ")
    assert "this is a room: open it as a WebSocket" in answer.stdout


def s_client(relay: Relay, authority_file: Path, *options: str, said: str = "") -> subprocess.CompletedProcess[str]:
    assert isinstance(relay.address, tuple)
    address = f"{relay.address[0]}:{relay.address[1]}"
    trust = ("-servername", HOST, "-CAfile", authority_file, "-verify_return_error")
    return run("openssl", "s_client", "-connect", address, *trust, *options, said=said)


def test_openssl_may_not_negotiate_again(serve: Serve, authority_file: Path) -> None:
    relay = serve()

    # A line that begins with R asks for it.
    told = s_client(relay, authority_file, "-tls1_2", said="R\n")

    assert "RENEGOTIATING" in told.stdout
    assert "no renegotiation" in told.stdout
    relay.until(lambda: relay.server.counters.handshakes["none", "gone"] == 1)


def test_openssl_is_refused_below_tls_1_2(serve: Serve, authority_file: Path) -> None:
    relay = serve()

    told = s_client(relay, authority_file, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")

    assert "alert protocol version" in told.stdout
    assert relay.diary.wait_for("refused", outcome="tls")["message"] == "no TLS: unsupported protocol"


def test_openssl_finds_neither_compression_nor_early_data(serve: Serve, authority_file: Path) -> None:
    told = s_client(serve(), authority_file, "-alpn", "h2,http/1.1")

    for expected in ("Compression: NONE", "ALPN protocol: http/1.1", "Verify return code: 0 (ok)"):
        assert expected in told.stdout
