"""The certificate of the public door: read at start, and again when its files change or somebody asks.

Certificates live 90 days and less, and whoever renews one (certbot, cert-manager)
replaces the files and may forget us. So they are looked at once a minute, and
read on SIGHUP. A new pair serves the handshakes that come from then on; members
have made theirs, and nothing happens to them. A pair that nobody can be served
with is logged, and the old one goes on: two files are rarely replaced at once.

TLS 1.2 and 1.3, with the ciphers that OpenSSL and Python hold good. No
compression (CRIME), no renegotiation, no certificates of clients. A client that
names only other protocols than ``http/1.1`` (ALPN) is served all the same, where
RFC 7301, 3.2, asks for an alert: the standard library cannot send it. What it
says next is no HTTP/1.1, and answered with 400.

Nothing of a key is ever quoted: what is wrong is said of its file.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from gevent.hub import get_hub

from roomcast.logs import Journal, fault
from roomcast.metrics import TransportCounters
from roomcast.settings.named_files import read_named

# How long a renewed certificate waits where nobody sends SIGHUP.
_LOOK_EVERY_S = 60.0

_ALPN = ["http/1.1"]
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile("-----BEGIN ([A-Z]+ )?PRIVATE KEY-----")

# Tags of ASN.1: a certificate's version, which may be missing, and the older of
# the two ways to write a time.
_VERSION_TAG, _UTC_TIME_TAG = 0xA0, 0x17
# Which field, among those behind the version.
_VALIDITY = 3


class CertificateError(ValueError):
    """A certificate and key with which nobody can be served. The message says which file it is, and why."""


Fingerprint = tuple[tuple[int, ...] | None, ...]
"""What tells files from any that replace them."""


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """What was read, ready to be served with."""

    context: ssl.SSLContext
    begins_s: float
    """From when on the first certificate of the chain is valid, in seconds since the epoch."""
    expires_s: float
    """When it ends."""
    files: Fingerprint
    """The files as they were before they were read: what is replaced meanwhile is then found changed."""


def read_certificate(certificate: str, key: str) -> ReadCertificate:
    """Read a certificate and its key.

    Args:
        certificate: The path of a PEM file: the server's certificate, then its issuers'.
        key: Likewise, of the private key. It may be the same file.

    Raises:
        CertificateError: If they cannot be read, or do not fit.
    """
    files = _fingerprint(certificate, key)
    first = _CERTIFICATE.search(_text_of("certificate", certificate))
    if first is None:
        raise CertificateError(f"[tls] certificate: {certificate} holds no certificate in PEM")
    if _KEY.search(_text_of("key", key)) is None:
        raise CertificateError(f"[tls] key: {key} holds no private key in PEM")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_ALPN)

    def refuse() -> str:
        raise CertificateError(f"[tls] key: {key} is encrypted, and nobody is here to type a password: decrypt it")

    try:
        # Without a function for it, OpenSSL would ask for a password on the terminal.
        context.load_cert_chain(certificate, key, password=refuse)
    except OSError as error:
        raise CertificateError(_what_is_wrong(certificate, key, error)) from None
    begins_s, expires_s = _validity_s(ssl.PEM_cert_to_DER_cert(first[0]))
    return ReadCertificate(context, begins_s, expires_s, files)


def _text_of(setting: str, path: str) -> str:
    try:
        return read_named(path).decode("latin-1")
    except OSError as error:
        raise CertificateError(f"[tls] {setting}: {path} cannot be read: {error.strerror}") from None


def _what_is_wrong(certificate: str, key: str, error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    if reason == "KEY_VALUES_MISMATCH":
        return f"[tls] key: {key} is not the key of the first certificate in {certificate}"
    # OpenSSL's word for it, such as EE_KEY_TOO_SMALL; without one, a block is damaged.
    return f"[tls] certificate and key: {certificate} and {key} cannot be used: {reason or 'a block is damaged'}"


def _validity_s(der: bytes) -> tuple[float, float]:
    """Return when a certificate begins and ends (RFC 5280, 4.1), which the standard library tells of peers' only."""
    [(_, certificate)] = _elements(der)
    (_, to_be_signed), *_ = _elements(certificate)
    fields = [value for tag, value in _elements(to_be_signed) if tag != _VERSION_TAG]
    begins, ends = _elements(fields[_VALIDITY])
    return _time_s(*begins), _time_s(*ends)


def _time_s(tag: int, value: bytes) -> float:
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME_TAG else "%Y%m%d%H%M%SZ"
    return datetime.strptime(value.decode("ascii"), form).replace(tzinfo=UTC).timestamp()


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the value of each element (X.690, 8.1). OpenSSL has read it before, so it is well-formed."""
    while der:
        start, size = 2, der[1]
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(der[2:start], "big")
        yield der[0], der[start : start + size]
        der = der[start + size :]


class Certificate:
    """The certificate in force.

    Args:
        certificate: As ``read_certificate``.
        key: Likewise.
        read: What they held.
        journal: Told of every other certificate, and of every failure.
        counters: Told when the certificate ends, and how often it was read again.
        clock: Seconds since the epoch.
        look_every_s: How often the files are looked at.
    """

    def __init__(
        self,
        certificate: str,
        key: str,
        read: ReadCertificate,
        *,
        journal: Journal,
        counters: TransportCounters,
        clock: Callable[[], float],
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._paths = (certificate, key)
        self._journal = journal
        self._counters = counters
        self._clock = clock
        self._use(read)
        self._timer = get_hub().loop.timer(look_every_s, look_every_s)

    def start(self) -> None:
        """Begin to look after the files."""
        self._timer.start(self._look_guarded)

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._timer.close()

    def look(self) -> None:
        """Read the files again if they are not those that were read last."""
        if _fingerprint(*self._paths) != self._seen:
            self.reload()

    def reload(self) -> None:
        """Read the files again, and go on with what they held before where they are not fit to serve with."""
        # Also where they are not fit: they are refused once.
        self._seen = _fingerprint(*self._paths)
        try:
            self._use(read_certificate(*self._paths))
        except CertificateError as error:
            self._counters.tls_reloads["failed"] += 1
            self._journal.error("certificate refused", message=str(error), hint="the one before it is still in use")
        else:
            self._counters.tls_reloads["done"] += 1
            self._journal.info("certificate loaded", expires=_day(self._counters.tls_expires_s))

    def change(self, certificate: str, key: str, read: ReadCertificate) -> None:
        """Serve with what was read from these files, be it a while ago, and look after them from now on."""
        self._paths = (certificate, key)
        self._use(read)
        self._counters.tls_reloads["done"] += 1
        self._journal.info("certificate loaded", expires=_day(read.expires_s))

    def _use(self, read: ReadCertificate) -> None:
        self.context, self._seen = read.context, read.files
        self._counters.tls_begins_s, self._counters.tls_expires_s = read.begins_s, read.expires_s
        if read.expires_s <= self._clock():
            self._journal.warning("certificate expired", expires=_day(read.expires_s), hint="no browser connects")

    def _look_guarded(self) -> None:
        # gevent stops a timer whose callback raises.
        try:
            self.look()
        except Exception as error:
            self._journal.error("internal fault", **fault(error))


def _fingerprint(*paths: str) -> Fingerprint:
    return tuple(map(_file_at, paths))


def _file_at(path: str) -> tuple[int, ...] | None:
    """Return what tells the file at a path from any that replaces it; None where there is none.

    Links are followed: what certbot and Kubernetes replace are links.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
