"""``roomcast plan``: what a configuration file would do to those who are connected to a running relay."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from roomcast.cli.asking import PRIVATE_DOOR, KeyFileOption, UrlOption, ask_or_end, changes_of
from roomcast.cli.escaping import printable
from roomcast.cli.output import MISUSE, NO, YES, end

_EFFECTS: Final = {
    "refuse": "newcomers would be refused until it is less",
    "close": "those furthest behind would be closed",
    "skip": "those furthest behind would miss messages",
    "forget": "the oldest that rooms keep would be forgotten",
}


def plan(
    file: Annotated[Path, typer.Argument(metavar="NEW.toml", help="The configuration file to be judged.")],
    url: UrlOption = PRIVATE_DOOR,
    key_file: KeyFileOption = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print the relay's answer as it is.")] = False,
) -> None:
    """Say what a configuration would do to a relay's members. Exits 0: no harm, 1: somebody would be hurt, else 2."""
    said = ask_or_end(url, key_file, "/api/v1/plan", _text(file), "application/toml", MISUSE)
    if is_json:
        typer.echo(json.dumps(said))
    else:
        for line in _lines(said):
            typer.echo(printable(line))
    raise typer.Exit(NO if said["restart"] or said["refused"] or said["below_use"] else YES)


def _text(file: Path) -> bytes:
    try:
        text = file.read_bytes()
        tomllib.loads(text.decode())
    except OSError as error:
        end(f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        end(f"{file}: is no UTF-8, which TOML must be")
    except tomllib.TOMLDecodeError as error:
        end(f"{file}: is no TOML: {error}")
    return text


def _lines(said: Any) -> Iterator[str]:
    yield from changes_of(said) or ["nothing would change"]
    members = said["members"]
    if said["restart"]:
        yield (
            f"takes a restart: {', '.join(said['restart'])}; "
            f"it would close all {members} members, over {said['drain_s']:g} s"
        )
    for one in said["refused"]:
        named = ", ".join(f"{each['id']} ({each['origin'] or 'no origin'})" for each in one["examples"])
        who = f"{one['members']} of {members} members"
        yield f"{who} would not be let in again: {one['outcome']}: {one['rule']}: {named}"
    for one in said["below_use"]:
        yield f"{one['key']} = {one['limit']} is below what is in use: {one['in_use']}; {_EFFECTS[one['effect']]}"
