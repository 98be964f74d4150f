"""The options by which a command is told its configuration, and how it is read."""

from pathlib import Path
from typing import Annotated

import typer

from roomcast.cli.output import end
from roomcast.settings import Loaded, SettingsError, load

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file. Without: $ROOMCAST_CONFIG, else ./config/roomcast.toml, "
        "else /etc/roomcast/roomcast.toml, else the defaults.",
    ),
]
DevOption = Annotated[
    bool, typer.Option("--dev", help="For trying out: any page on localhost may connect, chat page on, loopback only.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Set one key; wins over every other source. Repeatable."),
]


def load_or_end(config: Path | None, is_dev: bool, assignments: list[str] | None) -> Loaded:
    """Return what these options configure, or end the command with what is wrong about it."""
    try:
        return load(config, is_dev=is_dev, overrides=assignments or [])
    except SettingsError as error:
        end(str(error))
