"""Changes of keys in the middle of a TLS 1.3 connection, made by hand: no TLS library sends as many as one likes.

The client's library logs its secret (SSLKEYLOGFILE), and from that all later keys
follow (RFC 8446, 7.1 to 7.3). AES-128-GCM only.
"""

from __future__ import annotations

import hmac
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.certificates import trusting

APPLICATION_DATA, HANDSHAKE, KEY_UPDATE = 23, 22, 24
ANSWER_NOT_WANTED, ANSWER_WANTED = 0, 1


def logging_client(log: Path) -> ssl.SSLContext:
    """Return a client's side of TLS that writes its secrets to a file."""
    client = trusting()
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    client.keylog_filename = str(log)
    return client


class KeyChanges:
    """Goes on for a client that has sent nothing but its handshake.

    Args:
        log: Of ``logging_client``.
        hash_name: Of the cipher that was agreed on: ``sha256`` or ``sha384``.
    """

    def __init__(self, log: Path, hash_name: str) -> None:
        [line] = [line for line in log.read_text().splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
        self._secret = bytes.fromhex(line.split()[2])
        self._hash = hash_name
        self._sent = 0

    def change(self, answer: int = ANSWER_NOT_WANTED) -> bytes:
        """Return a record that changes our keys."""
        record = self._seal(bytes([KEY_UPDATE, 0, 0, 1, answer]), HANDSHAKE)
        self._secret = self._expand(b"traffic upd", len(self._secret))
        self._sent = 0
        return record

    def data(self, data: bytes) -> bytes:
        """Return a record of data, under the keys of this moment."""
        return self._seal(data, APPLICATION_DATA)

    def _seal(self, inner: bytes, kind: int) -> bytes:
        key = self._expand(b"key", 32 if self._hash == "sha384" else 16)
        nonce = int.from_bytes(self._expand(b"iv", 12), "big") ^ self._sent
        self._sent += 1
        head = bytes([APPLICATION_DATA, 3, 3]) + (len(inner) + 1 + 16).to_bytes(2, "big")
        return head + AESGCM(key).encrypt(nonce.to_bytes(12, "big"), inner + bytes([kind]), head)

    def _expand(self, label: bytes, size: int) -> bytes:
        """HKDF-Expand-Label, for sizes of one block."""
        name = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
        return hmac.digest(self._secret, info + b"\1", self._hash)[:size]
