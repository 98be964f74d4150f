"""One question to a relay's private door, and its answer: for commands that ask once."""

import json
from collections.abc import Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from roomcast.cli.clients import door_or_end, secret_or_end
from roomcast.cli.door import UNREACHABLE, Door, in_words
from roomcast.cli.escaping import printable
from roomcast.cli.output import MISUSE, end
from roomcast.settings.keys import API_KEY_VARIABLE

# A thousand templates take a second, and ten thousand members two.
_ANSWER_MAX_S: Final = 60.0
_ANSWER_MAX_BYTES: Final = 16 << 20
_OK: Final = 200
UNPROCESSABLE: Final = 422
"""The answer to a configuration that is wrong."""

UrlOption = Annotated[str, typer.Option("--url", metavar="URL", help="Where the relay's private door is.")]
KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help=f"Holds a key of the API. Without: ${API_KEY_VARIABLE}."),
]
PRIVATE_DOOR: Final = "http://127.0.0.1:8081"


def ask_or_end(url: str, key_file: Path | None, path: str, body: bytes, media_type: str, refused: int) -> Any:
    """Return what a relay answers to a POST, or end the command with what it says against it.

    Args:
        url: Its private door.
        key_file: Holds the key.
        path: What is asked.
        body: What is sent with it.
        media_type: The body's.
        refused: The exit status where the relay finds the configuration wrong.
    """
    door = door_or_end(url)
    return _ask_or_end(door, "POST", door.target(path), body, {"Content-Type": media_type}, key_file, refused)


def look_or_end(url: str, key_file: Path | None, path: str, query: Mapping[str, str]) -> Any:
    """Return what a relay answers to a GET with this query, or end the command likewise."""
    door = door_or_end(url)
    return _ask_or_end(door, "GET", f"{door.target(path)}?{urlencode(query)}", None, {}, key_file, MISUSE)


def _ask_or_end(
    door: Door,
    method: str,
    target: str,
    body: bytes | None,
    headers: dict[str, str],
    key_file: Path | None,
    refused: int,
) -> Any:
    key = secret_or_end("--key-file", key_file, API_KEY_VARIABLE)
    connection = door.connect(_ANSWER_MAX_S)
    try:
        connection.request(method, target, body, headers | ({"Authorization": f"Bearer {key}"} if key else {}))
        answer = connection.getresponse()
        data = answer.read(_ANSWER_MAX_BYTES)
    except UNREACHABLE as error:
        end(f"{door.address}: {in_words(error)}")
    finally:
        connection.close()
    return _said_or_end(door, answer, data, refused)


def _said_or_end(door: Door, answer: HTTPResponse, data: bytes, refused: int) -> Any:
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        end(f"{door.address}: {answer.status} {printable(answer.reason)}: that is no answer of a relay's private door")
    if answer.status != _OK:
        detail = "\n".join(printable(line) for line in str(said.get("detail", answer.reason)).splitlines())
        end(f"{answer.status} {detail}", refused if answer.status == UNPROCESSABLE else MISUSE)
    return said


def changes_of(said: Any) -> list[str]:
    """Return the lines that tell what changes."""
    lines = []
    for change in said["changes"]:
        old, new = change["old"], change["new"]
        both = f"{old} -> {new}" if old is not None and new is not None else old or new
        lines.append(printable(f"{change['key']}: {both}"))
    return lines
