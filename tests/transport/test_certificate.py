"""Certificates: what is read, what is refused and in which words, and what happens when the files change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import gevent
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from roomcast.transport.certificate import Certificate, CertificateError, read_certificate
from tests.certificates import Files, issue
from tests.diary import Diary
from tests.idle import idle_counters

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SOON, LATER = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 9, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return issue(tmp_path, ends=SOON)


class Watched:
    """A certificate, and what was said about it."""

    def __init__(self, files: Files, clock: Callable[[], float] = NOW.timestamp) -> None:
        self.diary = Diary()
        self.counters = idle_counters()
        self.certificate = Certificate(
            str(files.certificate),
            str(files.key),
            read_certificate(str(files.certificate), str(files.key)),
            journal=self.diary.journal,
            counters=self.counters,
            clock=clock,
            look_every_s=0.01,
        )

    def events(self) -> list[str]:
        return [record["event"] for record in self.diary.finish()]


@pytest.fixture
def watched(files: Files) -> Iterator[Watched]:
    watched = Watched(files)
    yield watched
    watched.certificate.stop()


# --- reading


@pytest.mark.parametrize("ends", [SOON, LATER, datetime(2049, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)])
def test_begin_and_end_of_the_certificate_are_known(tmp_path: Path, ends: datetime) -> None:
    files = issue(tmp_path, begins=NOW, ends=ends)

    read = read_certificate(str(files.certificate), str(files.key))

    assert (read.begins_s, read.expires_s) == (NOW.timestamp(), ends.timestamp())


def test_certificate_and_key_may_be_one_file(files: Files) -> None:
    both = files.certificate.parent / "both.pem"
    both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())

    assert read_certificate(str(both), str(both)).expires_s == SOON.timestamp()


def what_is_wrong(files: Files) -> str:
    with pytest.raises(CertificateError) as caught:
        read_certificate(str(files.certificate), str(files.key))
    return str(caught.value)


@pytest.mark.parametrize("setting", ["certificate", "key"])
def test_file_that_is_missing_is_named_with_its_setting(files: Files, setting: str) -> None:
    path = getattr(files, setting)
    path.unlink()

    assert what_is_wrong(files) == f"[tls] {setting}: {path} cannot be read: No such file or directory"


@pytest.mark.parametrize("setting", ["certificate", "key"])
def test_directory_is_no_file(files: Files, setting: str, tmp_path: Path) -> None:
    wrong = files._replace(**{setting: tmp_path})

    assert what_is_wrong(wrong) == f"[tls] {setting}: {tmp_path} cannot be read: Is a directory"


@pytest.mark.parametrize(("setting", "what"), [("certificate", "certificate"), ("key", "private key")])
@pytest.mark.parametrize("held", [b"", b"\x30\x82\x01\x00\xff", b"-----BEGIN PUBLIC KEY-----\n"])
def test_file_without_pem_is_named(files: Files, setting: str, what: str, held: bytes) -> None:
    path = getattr(files, setting)
    path.write_bytes(held)

    assert what_is_wrong(files) == f"[tls] {setting}: {path} holds no {what} in PEM"


def test_key_of_another_certificate_is_refused(files: Files, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    wrong = files._replace(key=issue(other).key)

    assert what_is_wrong(wrong) == f"[tls] key: {wrong.key} is not the key of the first certificate in {files[0]}"


def test_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(files: Files) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    files.key.write_bytes(sealed)

    assert "is encrypted, and nobody is here to type a password" in what_is_wrong(files)


def test_damaged_block_is_refused_and_not_quoted(files: Files) -> None:
    lines = files.key.read_text().splitlines()
    lines[1] = lines[1][:20]
    files.key.write_text("\n".join(lines))

    wrong = what_is_wrong(files)

    assert str(files.key) in wrong
    assert not any(line in wrong for line in lines[1:-1])


# --- reading again


def test_files_that_stay_as_they_are_are_not_read_again(watched: Watched) -> None:
    context = watched.certificate.context

    watched.certificate.look()

    assert watched.certificate.context is context
    assert (watched.counters.tls_reloads, watched.events()) == ({"done": 0, "failed": 0}, [])


def test_renewed_certificate_is_found(watched: Watched, files: Files) -> None:
    context = watched.certificate.context
    issue(files.certificate.parent, ends=LATER)

    watched.certificate.look()

    assert watched.certificate.context is not context
    assert watched.counters.tls_expires_s == LATER.timestamp()
    assert watched.counters.tls_reloads == {"done": 1, "failed": 0}
    assert watched.events() == ["certificate loaded"]


def test_link_that_leads_elsewhere_is_a_renewal(files: Files, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    issue(tmp_path / "new", ends=LATER)
    live = tmp_path / "live"
    live.symlink_to(tmp_path)
    watched = Watched(Files(live / "chain.pem", live / "key.pem"))
    live.unlink()
    live.symlink_to(tmp_path / "new")

    watched.certificate.look()
    watched.certificate.stop()

    assert watched.counters.tls_expires_s == LATER.timestamp()


def test_half_of_a_renewal_is_refused_once_and_the_whole_is_served(watched: Watched, files: Files) -> None:
    context = watched.certificate.context
    old_key = files.key.read_bytes()
    issue(files.certificate.parent, ends=LATER)
    new_key = files.key.read_bytes()
    files.key.write_bytes(old_key)

    watched.certificate.look()
    watched.certificate.look()
    assert watched.certificate.context is context
    assert watched.counters.tls_expires_s == SOON.timestamp()
    assert watched.counters.tls_reloads == {"done": 0, "failed": 1}

    files.key.write_bytes(new_key)
    watched.certificate.look()
    assert watched.counters.tls_expires_s == LATER.timestamp()
    assert watched.events() == ["certificate refused", "certificate loaded"]


def test_files_that_are_gone_leave_what_they_held(watched: Watched, files: Files) -> None:
    context = watched.certificate.context
    files.key.unlink()

    watched.certificate.look()

    assert watched.certificate.context is context
    [refused] = watched.diary.finish()
    assert refused["level"] == "error"
    assert "No such file" in refused["message"]


def test_whoever_asks_has_them_read_though_nothing_changed(watched: Watched) -> None:
    watched.certificate.reload()

    assert watched.counters.tls_reloads == {"done": 1, "failed": 0}


def test_renewal_between_the_reading_and_its_use_is_found(watched: Watched, files: Files) -> None:
    read = read_certificate(str(files.certificate), str(files.key))
    issue(files.certificate.parent, ends=LATER)

    watched.certificate.change(str(files.certificate), str(files.key), read)
    assert watched.counters.tls_expires_s == SOON.timestamp()
    watched.certificate.look()

    assert watched.counters.tls_expires_s == LATER.timestamp()


def test_certificate_that_has_ended_is_served_with_a_warning(tmp_path: Path) -> None:
    files = issue(tmp_path, ends=datetime(2026, 5, 31, tzinfo=UTC))
    watched = Watched(files)
    watched.certificate.stop()

    [warning] = watched.diary.finish()

    assert (warning["event"], warning["level"]) == ("certificate expired", "warning")
    assert warning["expires"] == "2026-05-31"


def test_files_are_looked_at_again_and_again(watched: Watched, files: Files) -> None:
    watched.certificate.start()

    for number in (1, 2):
        issue(files.certificate.parent, ends=LATER)
        while watched.counters.tls_reloads["done"] < number:
            gevent.idle()


class BrokenClock:
    """Tells the time, except when it is asked for the second time."""

    asked = 0

    def __call__(self) -> float:
        self.asked += 1
        if self.asked == 2:
            raise ZeroDivisionError
        return 0.0


def test_fault_of_ours_is_logged_and_does_not_end_the_looking(files: Files) -> None:
    clock = BrokenClock()
    watched = Watched(files, clock)
    watched.certificate.start()

    for number in (2, 3):
        issue(files.certificate.parent)
        while clock.asked < number:
            gevent.idle()
    watched.certificate.stop()

    assert watched.events() == ["internal fault", "certificate loaded"]
