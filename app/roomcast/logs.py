"""The journal: one structured line for each thing that happened, written without stopping the loop.

Most of what is worth a line happens in a hub callback, where nothing may block, lock
or switch greenlets. The ``logging`` package takes a lock and writes in place, so it
is not used: ``record`` appends to a bounded queue, one greenlet takes from it, and
the write itself is made by a thread of the hub's pool. A terminal that is scrolled
back, or a container engine whose log driver hangs, then costs lines and not the
relay. Lines that were lost are counted, and the next one that gets through says so.

What a line may hold is the caller's duty: never a payload, a query string, a cookie,
a token. Whatever a peer chose (a path, an Origin) is made harmless here: control
characters are escaped, so nobody forges a line or moves an operator's cursor, and
length is capped.
"""

import ipaddress
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import gevent
from gevent.event import Event
from structlog.processors import JSONRenderer

Record = dict[str, Any]
Level = Literal["info", "warning", "error"]
Form = Literal["auto", "console", "json"]
Processor = Callable[[Any, str, MutableMapping[str, Any]], Any]

LEVELS: tuple[Level, ...] = ("info", "warning", "error")

# Ten thousand members that lose their network at once leave a line each. At about half
# a KiB a record the queue is 5 MiB when it is full; without an end, a hung log driver
# would take all memory.
QUEUE_MAX_RECORDS = 10_000

# How long a line may wait for others before they are written together. Handing a batch
# to the thread costs as much CPU as half a handshake; at 3,000 joins a second that is
# once in 150 lines, and nobody who reads along notices 50 ms.
GATHER_S = 0.05

# As long as anything that helps. A room name may have 255 bytes and an Origin any number.
VALUE_MAX_CHARACTERS = 200
# A traceback's end says what went wrong, so of a longer one the end is kept.
TRACEBACK_MAX_CHARACTERS = 8000
TRACEBACKS = ("traceback", "stack")


class Journal:
    """Takes records from anywhere in the loop and hands them to ``write``, in order, elsewhere.

    Args:
        write: Called with each record, in a thread of its own. May block; may raise
            OSError or ValueError, which costs this record alone.
        level: Records below it are not kept.
        size: Records that may wait; beyond, new ones are dropped and counted.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        write: Callable[[Record], object],
        *,
        level: Level = "info",
        size: int = QUEUE_MAX_RECORDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.dropped = 0
        self._dropped_told = 0
        self._write = write
        self._threshold = LEVELS.index(level)
        self._size = size
        self._clock = clock
        self._waiting: deque[Record] = deque()
        self._wake = Event()
        self._stopping = Event()

    def change(self, level: Level) -> None:
        """Keep no record below this level from now on."""
        self._threshold = LEVELS.index(level)

    def keeps(self, level: Level) -> bool:
        """Tell whether records of this level are kept."""
        return LEVELS.index(level) >= self._threshold

    def info(self, event: str, **fields: object) -> None:
        """Record what happens when all is well."""
        self.record(event, "info", **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Record what somebody should look at in time."""
        self.record(event, "warning", **fields)

    def error(self, event: str, **fields: object) -> None:
        """Record what should not have happened."""
        self.record(event, "error", **fields)

    def record(self, event: str, level: Level = "info", **fields: object) -> None:
        """Queue a record, or drop it when the queue is full. Never blocks, locks, switches or raises."""
        if not self.keeps(level):
            return
        if len(self._waiting) >= self._size:
            self.dropped += 1
            return
        self._waiting.append(self._stamped(event, level, fields))
        # Setting an event schedules its waiter; it does not run it.
        self._wake.set()

    def _stamped(self, event: str, level: Level, fields: Mapping[str, object]) -> Record:
        return {"timestamp": self._clock(), "level": level, "event": event, **fields}

    def run(self) -> None:
        """Write what is recorded until ``stop``, and then what is left. The body of a greenlet."""
        pool = gevent.get_hub().threadpool
        while not self._stopping.is_set() or self._waiting:
            self._wake.wait()
            self._wake.clear()
            self._stopping.wait(GATHER_S)
            if batch := self._take():
                pool.apply(self._write_all, (batch,))

    def stop(self) -> None:
        """Let ``run`` return as soon as nothing waits. Whoever joins it must bound the wait: a write may hang."""
        self._stopping.set()
        self._wake.set()

    def _take(self) -> list[Record]:
        batch = list(self._waiting)
        self._waiting.clear()
        if self.dropped > self._dropped_told:
            count, self._dropped_told = self.dropped - self._dropped_told, self.dropped
            batch.append(self._stamped("lines lost", "warning", {"count": count}))
        return batch

    def _write_all(self, batch: list[Record]) -> None:
        for record in batch:
            try:
                self._write(record)
            except (OSError, ValueError):
                # The reader of our output is gone, or the stream is closed. There is no place left to say it.
                self.dropped += 1


def open_journal(
    stream: TextIO,
    *,
    level: Level = "info",
    form: Form = "auto",
    is_dev: bool = False,
) -> Journal:
    """Return a journal that writes lines to ``stream``.

    Args:
        stream: A text stream, usually standard output.
        level: The least important level that is written.
        form: As ``line_for``.
        is_dev: Likewise.
    """
    chain = line_for(stream, form, is_dev=is_dev)
    encoding = stream.encoding or "utf-8"

    def write(record: Record) -> None:
        line = render(record, chain) + "\n"
        # A room may be named in letters that the terminal's encoding lacks.
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()

    return Journal(write, level=level)


def line_for(stream: TextIO, form: Form, *, is_dev: bool) -> tuple[Processor, ...]:
    """Return the processors for a line on ``stream``.

    Args:
        stream: What the line is written to.
        form: ``console`` for people, ``json`` for machines; ``auto`` is console on a
            terminal or under --dev.
        is_dev: Whether this is --dev.
    """
    if form == "auto":
        form = "console" if is_dev or stream.isatty() else "json"
    # https://no-color.org: set and not empty means no.
    is_coloured = stream.isatty() and not os.environ.get("NO_COLOR")
    return json_line() if form == "json" else console_line(is_coloured=is_coloured)


def render(record: Record, chain: tuple[Processor, ...]) -> str:
    """Return the line that a chain of structlog processors makes of a record."""
    value: Any = dict(record)
    for process in chain:
        value = process(None, record["level"], value)
    return str(value)


def json_line() -> tuple[Processor, ...]:
    """Return the processors for one JSON object a line."""
    return (made_harmless, _in_iso_8601, JSONRenderer())


def console_line(*, is_coloured: bool) -> tuple[Processor, ...]:
    """Return the processors for a line that reads like a sentence."""
    return (made_harmless, _in_local_time, ConsoleRenderer(is_coloured=is_coloured))


def made_harmless(_logger: Any, _level: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape and cap every text, and leave out what says nothing."""
    said = {key: value for key, value in record.items() if value is not None and value != ""}
    return {key: _harmless_lines(value) if key in TRACEBACKS else _harmless(value) for key, value in said.items()}


def _harmless(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_harmless(item) for item in value]
    text = str(value)
    if len(text) > VALUE_MAX_CHARACTERS:
        text = f"{text[:VALUE_MAX_CHARACTERS]}…"
    return _escaped(text)


def _harmless_lines(value: Any) -> str:
    text = str(value)[-TRACEBACK_MAX_CHARACTERS:]
    return "\n".join(_escaped(line) for line in text.splitlines())


def _escaped(text: str) -> str:
    # Not only the C0 controls: line separators and marks that reverse the
    # direction of writing make a line say something else, too.
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _in_iso_8601(_logger: Any, _level: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    seconds, milliseconds = divmod(int(record["timestamp"] * 1000), 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return {**record, "timestamp": f"{stamp}.{milliseconds:03}Z"}


def _in_local_time(_logger: Any, _level: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**record, "timestamp": time.strftime("%H:%M:%S", time.localtime(record["timestamp"]))}


class ConsoleRenderer:
    """Makes a line for people.

    12:01:03 joined   /rooms/lobby  rfc6455  from 127.0.0.1:51234  2 here  id=k7c2m9qa.7

    Known fields come first, in the order of ``PHRASES``; any other follows as ``key=value``,
    and sentences come last.
    """

    PHRASES: Mapping[str, str] = {
        "room": "{}",
        "path": "{}",
        "dialect": "{}",
        "status": "{}",
        "address": "from {}",
        "origin": "origin {}",
        "outcome": "{}",
        "reason": "{}",
        "lasted_s": "after {} s",
        "members": "{} here",
    }
    SENTENCES = ("message", "hint")
    # Where there is a sentence, it says this too.
    SAID_BY_MESSAGE = ("outcome", "origin")
    COLOURS: Mapping[str, str] = {"warning": "\x1b[33m", "error": "\x1b[31m", "info": "\x1b[32m"}
    FAINT, PLAIN = "\x1b[2m", "\x1b[0m"

    def __init__(self, *, is_coloured: bool) -> None:
        self._is_coloured = is_coloured

    def __call__(self, _logger: Any, level: str, record: MutableMapping[str, Any]) -> str:
        """Return the line; the last of a chain of processors."""
        fields = {key: value for key, value in record.items() if key not in {"timestamp", "level", "event"}}
        event = self._coloured(self.COLOURS[level], f"{record['event']:<8}")
        head = f"{self._coloured(self.FAINT, record['timestamp'])} {event} "
        if record["event"] == "serving":
            return head.rstrip() + _addresses(fields)
        blocks = "".join(_block(fields.pop(key)) for key in TRACEBACKS if key in fields)
        return (head + "  ".join(self._phrases(fields))).rstrip() + blocks

    def _phrases(self, fields: Mapping[str, Any]) -> list[str]:
        told = {*self.SENTENCES, *(self.SAID_BY_MESSAGE if "message" in fields else ())}
        known = [phrase.format(fields[key]) for key, phrase in self.PHRASES.items() if key in fields.keys() - told]
        other = [f"{key}={value}" for key, value in fields.items() if key not in self.PHRASES and key not in told]
        sentence = "; ".join(str(fields[key]) for key in self.SENTENCES if key in fields)
        return [*known, *other, sentence]

    def _coloured(self, colour: str, text: str) -> str:
        return f"{colour}{text}{self.PLAIN}" if self._is_coloured else text


def _addresses(fields: Mapping[str, Any]) -> str:
    # What was decided for whoever runs it is for the log of a machine: there, this line is one of many.
    named = [(name, value) for name, values in fields.items() for value in _each(values) if isinstance(value, str)]
    return "".join(f"\n         {name:<8} {value}" for name, value in named)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _block(text: str) -> str:
    return "".join(f"\n         {line}" for line in text.splitlines())


def fault(error: BaseException) -> dict[str, str]:
    """Return what the log says of an exception: its kind, and where it was raised.

    Not its text, which may quote what a client sent. Files, lines and functions do not.
    """
    frames = reversed(traceback.extract_tb(error.__traceback__))
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "where": " < ".join(places)}


def address_for_logs(address: str, mode: Literal["full", "truncated", "none"]) -> str:
    """Return as much of a client's address as the operator wants to keep.

    Args:
        address: An IP address, with or without a port; empty for a unix socket.
        mode: ``truncated`` keeps /24 of IPv4 and /48 of IPv6, the part that stands for
            a network and not for a household, and no port; ``none`` keeps nothing.
    """
    if mode == "full" or address == "":
        return address
    return _network(address) if mode == "truncated" else ""


def _network(address: str) -> str:
    host = address.rpartition("]")[0].removeprefix("[") if address.startswith("[") else address
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # Not to be cut, so not to be shown.
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
