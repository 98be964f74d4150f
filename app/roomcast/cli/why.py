"""``roomcast why``: why somebody was refused or closed, for whoever is asked by a user who cannot tell."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from roomcast.cli.asking import PRIVATE_DOOR, KeyFileOption, UrlOption, look_or_end
from roomcast.cli.escaping import printable
from roomcast.cli.output import NO, YES
from roomcast.relay.reasons import Reason

WHAT_TO_DO: Final[Mapping[Reason, str]] = {
    Reason.PEER: "It said goodbye first; nothing is to be done here.",
    Reason.GONE: "The connection broke, or its program ended without a goodbye. Many at once: look at "
    "what stands between.",
    Reason.RESTART: "The relay was told to stop. The client was told when to come back.",
    Reason.PROTOCOL: "The client broke the framing rules: its library has to be mended.",
    Reason.UNSUPPORTED: "The message was of a kind that its dialect cannot carry.",
    Reason.NOT_UTF8: "What it sent as text was not UTF-8: it should send binary messages.",
    Reason.RATE: "It sent faster than that limit allows. Let it send less, or raise the limit, "
    "for all or for this template.",
    Reason.TOO_BIG: "Its message was beyond message_max_bytes or fragments_max. Let it send less, or raise the limit.",
    Reason.PONG_TIMEOUT: "It answered no ping: the network between is gone, or its program hangs. A proxy may be less "
    "patient than ping_interval_s.",
    Reason.WRITE_TIMEOUT: "It took nothing of what it was owed for write_timeout_s: it had stalled.",
    Reason.INTERNAL: "A fault of the relay: `internal fault` in its log, at that time, has the place. "
    "Please report it.",
    Reason.LAGGING: 'It was slower than its room. A slow network, or a busy page; `overflow = "skip"` lets such '
    "members miss messages, and a higher lag_max_bytes gives them longer.",
    Reason.OVERLOADED: "It was behind when there was no memory left for those who are. More memory, or a higher "
    "lag_total_max_bytes; or a lower lag_max_bytes, so that one room cannot take all.",
    Reason.KICKED: "An operator or a backend sent it away, by the API.",
    Reason.ROOM_CLOSED: "An operator or a backend closed the room, by the API.",
    Reason.GAP: "It wanted to go on where it had been, and what came after is not kept any more: history_messages, "
    "history_max_bytes, history_max_age_s; or the relay was restarted.",
    Reason.EXPIRED: "Its token ended. It should come back with a new one.",
    Reason.REVOKED: "The tokens of its subject were revoked, by the API.",
    Reason.FORBIDDEN: "It published, and its token has no `publish` among its actions.",
}
"""What an operator can do about each close, by its reason. Of refusals the relay says it itself."""

# Of those who are connected: behind one address may be thousands, and why is what was asked.
_CONNECTED_SHOWN: Final = 5
# In a line, before what of it is told in the answer.
_PLACES: Final = (("in", "room"), ("by", "dialect"), ("from", "address"), ("of", "origin"))


def why(
    whom: Annotated[
        str,
        typer.Argument(metavar="ID|ADDRESS|ORIGIN", help="As in k7c2m9qa.41, 203.0.113.9 or https://app.example.com."),
    ],
    url: UrlOption = PRIVATE_DOOR,
    key_file: KeyFileOption = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print the relay's answer as it is.")] = False,
) -> None:
    """Say why a connection was refused or closed, the newest first. Exits 0: there is an answer, 1: none, else 2."""
    said = look_or_end(url, key_file, "/api/v1/why", {"of": whom})
    if is_json:
        typer.echo(json.dumps(said))
    else:
        for line in _lines(said):
            typer.echo(printable(line))
    raise typer.Exit(YES if said["endings"] or said["connected"] else NO)


def _lines(said: Any) -> Iterator[str]:
    here = said["connected"][:_CONNECTED_SHOWN]
    for one in here:
        place = f"in {one['room']} for {_time(one['age_s'])}, {one['dialect']}"
        yield f"{one['id']} is connected: {place}{_behind(one)}"
    if more := said["connected_count"] - len(here):
        yield f"{more:,} more of that address {'is' if more == 1 else 'are'} connected"
    for ending in said["endings"]:
        yield from _refusal(ending) if ending["kind"] == "refused" else _close(ending)
    if not here and not said["endings"]:
        kept = f"for {_time(said['max_age_s'])} at most, and not over a restart"
        yield f"nothing is remembered of that; endings are, {kept}"


def _refusal(ending: Any) -> Iterator[str]:
    code = "was not answered" if ending["code"] is None else f"was answered {ending['code']}"
    yield f"{_moment(ending)} {ending['id']} {code}, {ending['reason']}{_where(ending)}"
    yield f"    {ending['message']}"
    if ending["hint"]:
        yield f"    {ending['hint']}"


def _close(ending: Any) -> Iterator[str]:
    code = "without a close frame" if ending["code"] is None else f"with {ending['code']}"
    yield f"{_moment(ending)} {ending['id']} was closed {code}, {ending['reason']}{_where(ending)}"
    yield f"    it had been there for {_time(ending['age_s'])}{_traffic(ending)}{_behind(ending)}"
    yield f"    {WHAT_TO_DO[Reason(ending['reason'])]}"


def _moment(ending: Any) -> str:
    # As the log has it, whose lines are to be found by it.
    at = datetime.fromtimestamp(ending["time_ms"] / 1000, UTC)
    return f"{at:%H:%M:%S} UTC, {_time(ending['ago_s'])} ago:"


def _traffic(ending: Any) -> str:
    if ending["sent_bytes"] is None:
        return ""
    return f", took {ending['sent_bytes']:,} bytes, sent {ending['received_bytes']:,}"


def _where(ending: Any) -> str:
    parts = [f"limit {ending['limit']}"] if ending["limit"] else []
    parts += [f"{word} {ending[name]}" for word, name in _PLACES if ending[name]]
    return "".join(f", {part}" for part in parts)


def _behind(one: Any) -> str:
    if one["behind_messages"] is None:
        return ""
    return f", {one['behind_messages']:,} messages behind ({one['behind_bytes']:,} bytes)"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
