"""``roomcast reload``: have a running relay read its configuration again."""

import typer

from roomcast.cli.asking import PRIVATE_DOOR, KeyFileOption, UrlOption, ask_or_end, changes_of
from roomcast.cli.output import NO


def reload(url: UrlOption = PRIVATE_DOOR, key_file: KeyFileOption = None) -> None:
    """Have a relay read its configuration again, as SIGHUP does. Exits 0 if it was taken, 1 if refused, else 2."""
    said = ask_or_end(url, key_file, "/api/v1/reload", b"", "application/octet-stream", NO)
    for line in changes_of(said) or ["nothing has changed; the files that it names were read again"]:
        typer.echo(line)
