"""What is measured, of whom, and what it may come to.

A figure runs its entries one after the other, round after round, and compares them
*within* a round: these machines are noisy, and noise that lasts longer than a round
falls out of a ratio. What is quoted is the median of the rounds' ratios.

The bounds are promises of the project. One that does not hold is a fault, here or in
what was promised; it is never a reason to change a bound without saying so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.apiload import KEY

Configuration = Mapping[str, Mapping[str, object]]
"""Sections of ``roomcast.toml``; those whose names begin with ``room`` are room templates."""

_ROOM = {"name": "bench", "path": "/rooms/{room}", "members_max": 0}

# What the peers do too: echo to the sender, for the closed loop waits for its own message, and check
# nothing. Their kernels' buffers are as they come, so ours are.
BARE: Configuration = {
    "origins": {"allow": ["*"]},
    "limits": {
        "connections_max": 0,
        "connections_per_address": 0,
        "handshakes_max": 0,
        "rooms_max": 0,
        "message_max_bytes": 0,
        "fragments_max": 0,
        "messages_per_s": 0,
        "bytes_per_s": 0,
        "ping_interval_s": 0,
        "pong_timeout_s": 0,
        "write_timeout_s": 0,
        "send_buffer_bytes": 0,
        "receive_buffer_bytes": 0,
    },
    "room": {**_ROOM, "echo": True, "gather_max_s": 0},
}
DEFLATED: Configuration = {**BARE, "deflate": {"enabled": True}}
# With a certificate that is made for the run.
OVER_TLS: Configuration = {**BARE, "tls": {}}
PACED: Configuration = {**BARE, "room": {**_ROOM, "echo": True, "gather_max_s": 0.025}}

# A relay as it is served, but for the rates: the generator is a flood on purpose.
SERVED: Configuration = {
    "origins": {"allow": ["https://app.example.com", "https://*.example.com", "http://localhost:*"]},
    "limits": {"messages_per_s": 0, "bytes_per_s": 0},
    "room": _ROOM,
}
SERVED_OVER_TLS: Configuration = {**SERVED, "tls": {}}
SERVED_DEFLATED: Configuration = {**SERVED, "deflate": {"enabled": True}}
SKIPPING: Configuration = {**SERVED, "room": {**_ROOM, "overflow": "skip"}}

PUBLISHED: Configuration = {**SERVED, "admin": {"api_key": KEY}}
# The rest of a plain broadcast's configuration stays as it is: what is counted is what is kept.
KEEPING: Configuration = {**BARE, "room": {**_ROOM, "echo": True, "gather_max_s": 0, "history_messages": 1000}}
# Each pass is counted by its room's name.
NAMING: Configuration = {**BARE, "admin": {"busiest_rooms": 10}}
# Ten thousand of one address, of whom one pings without a pause.
HERD: Configuration = {
    **SERVED,
    "limits": {"messages_per_s": 0, "bytes_per_s": 0, "handshakes_max": 0, "control_frames_per_s": 0},
    "room": {**_ROOM, "echo": True, "history_messages": 1000},
}

# All rooms of one template, and of 999 others, whose series are in each scrape.
MANY_TEMPLATES: Configuration = {
    **SERVED,
    **{f"room {number}": {"name": f"template-{number:03}", "path": f"/{number}/{{room}}"} for number in range(1, 1000)},
}

# Whoever idles is not pinged: nobody would answer.
RELOADED: Configuration = {
    **SERVED,
    "limits": {"messages_per_s": 0, "bytes_per_s": 0, "handshakes_max": 0, "ping_interval_s": 0},
}
RELOADED_OTHERWISE: Configuration = {
    **RELOADED,
    "origins": {"allow": ["https://app.example.com", "https://other.example.com", "http://localhost:*"]},
    "room": {**_ROOM, "lag_max_bytes": 2_097_152, "members_max": 6000},
}

LAG_MAX_KIB = 4096
SEND_BUFFER_KIB = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One server under one load."""

    label: str
    server: str
    load: str
    """Options of the generator."""
    configuration: Configuration
    """For Roomcast alone; the others have no file."""
    is_tls: bool = False
    """Whether the generator speaks TLS."""
    generator: str = ""
    """The module of this folder that makes the load instead of wsload, at the private door."""
    other: Configuration | None = None
    """What the generator has the relay take in turn with its configuration; its doors stay."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What the median of a value, or of its ratio to another entry's, may be."""

    value: str
    """A key of what kit.measure() returns."""
    of: str
    at_most: float
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the README's table, or a few that come out of the same runs."""

    name: str
    title: str
    entries: tuple[Entry, ...]
    bounds: tuple[Bound, ...]
    may_be_joined: bool = False
    """Whether other projects' relays can run it too (``--also``)."""


def _fan_out(name: str, title: str, load: str, *, floor: float | None, bun: float, is_paced: bool = False) -> Figure:
    value = "cpu_us_per_delivery"
    configuration = PACED if is_paced else BARE
    entries = tuple(Entry(server, server, load, configuration) for server in ("roomcast", "floor", "bun"))
    limits = {"floor": floor, "bun": bun}
    bounds = tuple(Bound(value, "roomcast", limit, against) for against, limit in limits.items() if limit is not None)
    return Figure(name, title, entries, bounds, may_be_joined=True)


def _with_history(name: str, title: str, load: str) -> Figure:
    entries = Entry("plain", "roomcast", load, BARE), Entry("kept", "roomcast", load, KEEPING)
    return Figure(name, title, entries, (Bound("cpu_us_per_delivery", "kept", 1.05, against="plain"),))


def _with_busiest(name: str, title: str, load: str) -> Figure:
    entries = Entry("plain", "roomcast", load, BARE), Entry("named", "roomcast", load, NAMING)
    return Figure(name, title, entries, (Bound("cpu_us_per_delivery", "named", 1.05, against="plain"),))


def _fan_out_over_tls(name: str, title: str, load: str, *, bun: float) -> Figure:
    entries = tuple(Entry(server, server, load, OVER_TLS, is_tls=True) for server in ("roomcast", "bun-tls"))
    return Figure(name, title, entries, (Bound("cpu_us_per_delivery", "roomcast", bun, "bun-tls"),))


def _published(name: str, title: str, load: str, *, at_most_us: float) -> Figure:
    bounds = (Bound("cpu_us_per_message", "roomcast", at_most_us),)
    return Figure(name, title, (Entry("roomcast", "roomcast", load, PUBLISHED, generator="apiload"),), bounds)


def _alone(name: str, title: str, load: str, configuration: Configuration, *bounds: Bound) -> Figure:
    return Figure(name, title, (Entry("roomcast", "roomcast", load, configuration),), bounds)


# Long enough for a stalled member to fill its kernel buffers before anything is measured: 1 KiB
# times 100 a second against 4 KiB of receive buffer and 2 * 64 KiB of send buffer.
_STALLED_LOAD = "-m 1000 -P 1 -s 1024 -R 100 -W 3 -b 4096"

FIGURES = (
    _fan_out("one-to-1000", "1 sender → 1,000 members", "-m 1000 -P 1", floor=1.25, bun=1.10),
    _fan_out("16-all", "16 members, all sending", "-m 16 -P 16", floor=1.35, bun=1.35),
    _fan_out("100-all", "100 members, all sending", "-m 100 -P 100", floor=None, bun=0.7),
    _fan_out("50-pairs", "50 rooms of 2, all sending", "-r 50 -m 2 -P 2", floor=1.6, bun=1.6),
    _fan_out(
        "open-loop",
        "100 messages/s into a room of 1,000, paced",
        "-m 1000 -P 1 -R 100",
        floor=None,
        bun=0.45,
        is_paced=True,
    ),
    Figure(
        "deflate-1000",
        "1 sender of 1 KiB → 1,000 members, compressed once for all",
        (
            Entry("plain", "roomcast", "-m 1000 -P 1 -s 1024", BARE),
            Entry("deflate", "roomcast", "-m 1000 -P 1 -s 1024 -Z", DEFLATED),
        ),
        (Bound("cpu_us_per_delivery", "deflate", 1.2, against="plain"),),
    ),
    _fan_out_over_tls("tls-one-to-1000", "TLS: 1 sender → 1,000 members", "-m 1000 -P 1", bun=1.5),
    _fan_out_over_tls("tls-16-all", "TLS: 16 members, all sending", "-m 16 -P 16", bun=1.5),
    Figure(
        "tls-idle-memory",
        "memory per idle TLS connection, 1,000 in one room",
        tuple(Entry(name, name, "-m 1000 -P 0 -W 0", OVER_TLS, is_tls=True) for name in ("roomcast", "bun-tls")),
        (Bound("kib_per_connection", "roomcast", 16.0),),
    ),
    Figure(
        "idle-memory",
        "memory per idle connection, 10,000 in one room",
        (
            Entry("roomcast", "roomcast", "-m 10000 -P 0 -W 0", SERVED),
            Entry("deflate agreed", "roomcast", "-m 10000 -P 0 -W 0 -Z", SERVED_DEFLATED),
        ),
        tuple(Bound("kib_per_connection", label, 2.0) for label in ("roomcast", "deflate agreed")),
    ),
    # 2,500 and 50,000 a second on one core.
    _published("api-publish", "publishing over HTTP, one message a request", "-c 16", at_most_us=400),
    _published("api-batch", "publishing over HTTP, 1,000 messages a request", "-c 2 -b 1000", at_most_us=20),
    Figure(
        "scrape-1000",
        "one scrape of 1,000 templates' series, and a probe meanwhile",
        tuple(
            Entry(label, "roomcast", load, MANY_TEMPLATES, generator="scrapeload")
            for label, load in (("plain", ""), ("gzip", "-z"))
        ),
        tuple(
            Bound(value, label, at_most_us)
            for label in ("plain", "gzip")
            for value, at_most_us in (("scrape_p99_us", 50_000), ("scrape_ping_p99_us", 10_000))
        ),
    ),
    Figure(
        "reload-5000",
        "5,000 members, reloaded again and again: a probe meanwhile",
        tuple(
            Entry(label, "roomcast", load, RELOADED, generator="reloadload", other=RELOADED_OTHERWISE)
            for label, load in (("one room", "-m 5000"), ("2,500 rooms", "-m 5000 -r 2500"))
        ),
        tuple(Bound("reload_ping_max_us", label, 50_000) for label in ("one room", "2,500 rooms")),
    ),
    _with_history("history-one-to-1000", "1 sender → 1,000 members, 1,000 messages kept", "-m 1000 -P 1"),
    _with_history("history-16-all", "16 members, all sending, 1,000 messages kept", "-m 16 -P 16"),
    _with_busiest("busiest-16-all", "16 members, all sending, the busiest rooms named", "-m 16 -P 16"),
    _with_busiest("busiest-2000-pairs", "2,000 rooms of 2, all sending, the busiest named", "-r 2000 -m 2 -P 2"),
    _alone(
        "resume-10000",
        "10,000 come back at once for 100 messages each: a ping meanwhile",
        "-m 10000 -P 0 -H 100 -W 0 -d 0.2",
        HERD,
        Bound("herd_ping_max_us", "roomcast", 20_000),
    ),
    _alone(
        "handshake",
        "server CPU per accepted handshake, all policies on",
        "-m 5000 -P 0 -W 0",
        SERVED,
        Bound("handshake_cpu_us", "roomcast", 200),
    ),
    # 1,100 newcomers a second on one core, as deploy/README.md has it.
    Figure(
        "tls-handshake",
        "server CPU per accepted handshake over TLS, all policies on",
        (Entry("roomcast", "roomcast", "-m 2000 -P 0 -W 0", SERVED_OVER_TLS, is_tls=True),),
        (Bound("handshake_cpu_us", "roomcast", 1000),),
    ),
    Figure(
        "one-stalled",
        "one stalled member of 1,000: the others' p99",
        (
            Entry("none stalled", "roomcast", _STALLED_LOAD, SERVED),
            Entry("one stalled", "roomcast", _STALLED_LOAD + " -z 1", SERVED),
        ),
        (Bound("p99_us", "one stalled", 1.1, against="none stalled"),),
    ),
    Figure(
        "all-stalled",
        "1,000 stalled members: RSS and kernel buffers together",
        tuple(
            Entry(label, "roomcast", "-m 1001 -P 1 -s 16384 -R 200 -b 4096 -z 1000 -d 6", configuration)
            for label, configuration in (("close", SERVED), ("skip", SKIPPING))
        ),
        tuple(
            Bound("memory_grown_kib", label, LAG_MAX_KIB + 1000 * 2 * SEND_BUFFER_KIB) for label in ("close", "skip")
        ),
    ),
    # The generator reads for 1,000 members with one core, so it falls behind. Where that closes members,
    # the room would empty and the load with it.
    _alone(
        "flood",
        "100 publishers of 16 KiB messages into 1,000, as fast as they can",
        "-m 1000 -P 100 -s 16384 -F -d 8",
        SKIPPING,
        Bound("rss_drift_kib", "roomcast", 4096),
        Bound("loop_late_50ms", "roomcast", 0),
    ),
)
