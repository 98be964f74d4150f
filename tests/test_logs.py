"""The journal: nothing waits for it, nothing forges it, and what it lost it says."""

import io
import json
import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import gevent
import pytest
from gevent.hub import get_hub

from roomcast.logs import Journal, Record, address_for_logs, console_line, fault, json_line, open_journal, render

NOON = 1_700_000_000.25
JOINED: dict[str, Any] = {"room": "/rooms/lobby", "dialect": "rfc6455", "address": "127.0.0.1:51234", "members": 2}


def record(event: str = "joined", level: str = "info", **fields: object) -> Record:
    return {"timestamp": NOON, "level": level, "event": event, **fields}


def on_console(event: str, level: str = "info", **fields: object) -> str:
    line = render(record(event, level, **fields), console_line(is_coloured=False))
    return re.sub(r"^\d\d:\d\d:\d\d", "12:01:03", line)


def written(journal: Journal) -> None:
    """Let ``run`` write all there is."""
    journal.stop()
    greenlet = gevent.spawn(journal.run)
    greenlet.join(timeout=10)
    assert greenlet.successful()


@contextmanager
def terminal() -> Iterator[tuple[TextIO, int]]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield stream, master
    os.close(master)


def test_records_are_written_in_order_with_time_and_level() -> None:
    records: list[Record] = []
    journal = Journal(records.append, clock=lambda: NOON)

    journal.info("joined", room="/a")
    journal.warning("slow")
    journal.error("broken")
    written(journal)

    assert records == [
        {"timestamp": NOON, "level": "info", "event": "joined", "room": "/a"},
        {"timestamp": NOON, "level": "warning", "event": "slow"},
        {"timestamp": NOON, "level": "error", "event": "broken"},
    ]


@pytest.mark.parametrize(("level", "events"), [("info", ["a", "b", "c"]), ("warning", ["b", "c"]), ("error", ["c"])])
def test_records_below_the_level_are_not_kept(level: Any, events: list[str]) -> None:
    records: list[Record] = []
    journal = Journal(records.append, level=level)

    journal.info("a")
    journal.warning("b")
    journal.error("c")
    written(journal)

    assert [line["event"] for line in records] == events
    assert journal.dropped == 0


def test_record_can_be_made_in_a_hub_callback() -> None:
    # There, whatever switches greenlets raises BlockingSwitchOutError.
    records: list[Record] = []
    journal = Journal(records.append)
    greenlet = gevent.spawn(journal.run)
    gevent.idle()

    get_hub().loop.run_callback(journal.info, "joined")
    get_hub().loop.run_callback(journal.stop)
    greenlet.join(timeout=10)

    assert [line["event"] for line in records] == ["joined"]


def test_writer_waits_without_turning_for_the_next_record() -> None:
    records: list[Record] = []
    journal = Journal(records.append)
    greenlet = gevent.spawn(journal.run)
    for event in ("first", "second"):
        gevent.idle()
        journal.info(event)
    journal.stop()
    greenlet.join(timeout=10)

    assert [line["event"] for line in records] == ["first", "second"]


def test_writer_that_has_nothing_left_stops_at_once() -> None:
    journal = Journal(print)
    greenlet = gevent.spawn(journal.run)
    gevent.idle()

    journal.stop()
    greenlet.join(timeout=10)

    assert greenlet.successful()


def test_loop_turns_while_a_write_hangs() -> None:
    reading, writing = os.pipe()
    journal = Journal(lambda _: os.read(reading, 1))
    journal.info("hangs")
    greenlet = gevent.spawn(journal.run)

    gevent.idle()  # A write in this thread would never return from here.
    assert not greenlet.ready()

    os.write(writing, b"x")
    journal.stop()
    greenlet.join(timeout=10)
    assert greenlet.successful()
    os.close(reading)
    os.close(writing)


def test_full_queue_drops_the_newest_and_says_how_many() -> None:
    records: list[Record] = []
    journal = Journal(records.append, size=2, clock=lambda: NOON)

    for number in range(5):
        journal.info("joined", number=number)
    written(journal)

    assert [line.get("number") for line in records[:2]] == [0, 1]
    assert records[2:] == [{"timestamp": NOON, "level": "warning", "event": "lines lost", "count": 3}]
    assert journal.dropped == 3


def test_losses_are_told_once() -> None:
    records: list[Record] = []
    journal = Journal(records.append, size=1)
    journal.info("a")
    journal.info("b")
    written(journal)
    journal.info("c")
    written(journal)

    assert [line["event"] for line in records] == ["a", "lines lost", "c"]


@pytest.mark.parametrize("fault", [BrokenPipeError(), ValueError("I/O operation on closed file")])
def test_record_that_cannot_be_written_is_counted_and_the_next_one_tried(fault: Exception) -> None:
    records: list[Record] = []

    def write(line: Record) -> None:
        if line["event"] == "lost":
            raise fault
        records.append(line)

    journal = Journal(write)
    journal.info("lost")
    journal.info("kept")
    written(journal)

    assert [line["event"] for line in records] == ["kept"]
    assert journal.dropped == 1


def test_json_is_one_object_a_line_with_the_time_in_utc() -> None:
    line = render(record(**JOINED), json_line())

    assert json.loads(line) == {"timestamp": "2023-11-14T22:13:20.250Z", "level": "info", "event": "joined", **JOINED}
    assert "\n" not in line


def test_console_line_reads_like_a_sentence() -> None:
    assert on_console("joined", **JOINED) == "12:01:03 joined   /rooms/lobby  rfc6455  from 127.0.0.1:51234  2 here"


def test_console_line_has_known_fields_first_and_sentences_last() -> None:
    line = on_console("refused", hint="allow it", error="x", status=403, path="/rooms/a", origin="https://a.example")

    assert line == "12:01:03 refused  /rooms/a  403  origin https://a.example  error=x  allow it"


def test_console_line_leaves_out_what_its_sentence_says() -> None:
    line = on_console(
        "refused",
        status=403,
        outcome="origin",
        origin="https://a.example",
        message="https://a.example may not",
        hint="h",
    )

    assert line == "12:01:03 refused  403  https://a.example may not; h"


def test_console_line_tells_how_long_a_member_stayed() -> None:
    assert on_console("left", reason="peer", lasted_s=3.5) == "12:01:03 left     peer  after 3.5 s"


def test_console_line_of_an_event_alone_ends_with_it() -> None:
    assert on_console("draining") == "12:01:03 draining"


def test_console_lists_the_addresses_that_are_served() -> None:
    line = on_console("serving", chat="http://127.0.0.1:8080/", rooms="ws://127.0.0.1:8080/rooms/{room}", metrics=None)

    assert line.splitlines() == [
        "12:01:03 serving",
        "         chat     http://127.0.0.1:8080/",
        "         rooms    ws://127.0.0.1:8080/rooms/{room}",
    ]


def test_console_lists_several_addresses_of_a_kind() -> None:
    line = on_console("serving", rooms=("ws://localhost/a", "ws://localhost/b"))

    assert line.splitlines()[1:] == ["         rooms    ws://localhost/a", "         rooms    ws://localhost/b"]


def test_console_sets_a_traceback_apart() -> None:
    line = on_console("broken", "error", error="KeyError", traceback="Traceback:\n  at \x1b[31m\n")

    assert line.splitlines() == ["12:01:03 broken   error=KeyError", "         Traceback:", r"           at \x1b[31m"]


@pytest.mark.parametrize(("level", "colour"), [("info", "\x1b[32m"), ("warning", "\x1b[33m"), ("error", "\x1b[31m")])
def test_colour_shows_the_level(level: str, colour: str) -> None:
    line = render(record("joined", level), console_line(is_coloured=True))

    assert f"{colour}joined  \x1b[0m" in line


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\nforged line", r"a\nforged line"),
        ("\x1b[2J\r\t\0\x7f\x9b", r"\x1b[2J\r\t\x00\x7f\x9b"),
        ("\u2028\u202e", r"\u2028\u202e"),
        ("\udc80", r"\udc80"),
        ("räume/部屋", "räume/部屋"),
    ],
)
def test_what_a_peer_chose_is_made_harmless(given: str, shown: str) -> None:
    assert on_console("refused", path=given) == f"12:01:03 refused  {shown}"
    assert json.loads(render(record(path=given), json_line()))["path"] == shown


def test_long_value_is_capped() -> None:
    assert on_console("refused", path="a" * 200).endswith(" " + "a" * 200)
    assert on_console("refused", path="a" * 201).endswith("a" * 200 + "…")


def test_long_traceback_keeps_its_end() -> None:
    line = json.loads(render(record(traceback="a" * 8000 + "the end"), json_line()))

    assert line["traceback"] == "a" * 7993 + "the end"


def test_other_values_are_written_as_text() -> None:
    line = json.loads(render(record(error=KeyError("x"), ok=True, n=1, s=0.5, both=("a", 1)), json_line()))

    assert (line["error"], line["ok"], line["n"], line["s"], line["both"]) == ("'x'", True, 1, 0.5, ["a", 1])


def test_field_that_says_nothing_is_left_out() -> None:
    line = json.loads(render(record(address="", origin=None, members=0), json_line()))

    assert set(line) == {"timestamp", "level", "event", "members"}


@pytest.mark.parametrize(
    ("form", "is_dev", "is_console"),
    [("auto", False, False), ("auto", True, True), ("console", False, True), ("json", True, False)],
)
def test_form_follows_the_setting_where_no_terminal_is(form: Any, is_dev: bool, is_console: bool) -> None:
    stream = io.StringIO()
    journal = open_journal(stream, form=form, is_dev=is_dev)

    journal.info("joined")
    written(journal)

    assert stream.getvalue().startswith("{") is not is_console
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_terminal_gets_lines_for_people_in_colour_if_wanted(
    no_color: str, is_coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    with terminal() as (stream, master):
        journal = open_journal(stream)
        journal.info("joined")
        written(journal)
        line = os.read(master, 1000)

    assert b"joined" in line
    assert not line.startswith(b"{")
    assert (b"\x1b[32m" in line) is is_coloured


def test_level_holds_for_an_opened_journal() -> None:
    stream = io.StringIO()
    journal = open_journal(stream, level="error")

    journal.warning("slow")
    written(journal)

    assert stream.getvalue() == ""


def test_letters_that_the_terminal_lacks_are_escaped() -> None:
    raw = io.BytesIO()
    journal = open_journal(io.TextIOWrapper(raw, encoding="ascii"), form="console")

    journal.info("joined", room="/räume")
    written(journal)

    assert raw.getvalue().endswith(b"/r\\xe4ume\n")


@pytest.mark.parametrize(
    ("address", "truncated"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.77:51234", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("[2001:db8:1:2::3]:51234", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("host.example", "unknown"),
    ],
)
def test_address_is_kept_cut_or_left_out(address: str, truncated: str) -> None:
    assert address_for_logs(address, "full") == address
    assert address_for_logs(address, "truncated") == truncated
    assert address_for_logs(address, "none") == ""


# --- faults


def test_place_of_an_error_names_files_and_functions_and_no_values() -> None:
    def fail() -> None:
        raise ValueError("s3cr3t")

    with pytest.raises(ValueError, match="s3cr3t") as raised:
        fail()

    place = fault(raised.value)["where"]
    assert place.startswith("test_logs.py:")
    assert " fail < test_logs.py:" in place
    assert "s3cr3t" not in place
