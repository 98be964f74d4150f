"""Certificates for tests, made when they are needed: of an authority that nobody else trusts."""

from __future__ import annotations

import ssl
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.wire import HOST


class Files(NamedTuple):
    """Where a certificate and its key are."""

    certificate: Path
    key: Path

    @property
    def toml(self) -> str:
        """The section of the settings that names them."""
        return f'[tls]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n'

    @property
    def assignments(self) -> tuple[str, str]:
        """The options of ``--set`` that name them."""
        return f"tls.certificate={self.certificate}", f"tls.key={self.key}"


@cache
def authority() -> trustme.CA:
    """Return the authority of this test run."""
    return trustme.CA()


def issue(directory: Path, *, begins: datetime | None = None, ends: datetime | None = None) -> Files:
    """Write another certificate and its key into ``directory``, over those that may be there.

    Args:
        directory: Where to.
        begins: When it does; trustme's own choice is the year 2000.
        ends: When it does; trustme's own choice is the year 3000.
    """
    issued = authority().issue_cert(HOST, "127.0.0.1", "localhost", not_before=begins, not_after=ends)
    files = Files(directory / "chain.pem", directory / "key.pem")
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files.key.write_bytes(issued.private_key_pem.bytes())
    return files


def trusting() -> ssl.SSLContext:
    """Return a client's side of TLS, that trusts the authority and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    return context
