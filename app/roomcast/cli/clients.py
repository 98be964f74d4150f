"""What the commands that are clients are told alike: which relay, which room, and what opens it."""

from pathlib import Path

from roomcast.cli.door import Door, secret_from
from roomcast.cli.output import end


def door_or_end(url: str) -> Door:
    """Return the door at this address, or end the command with the rule for one."""
    try:
        return Door.at(url)
    except ValueError as error:
        end(f"--url {error}")


def room_or_end(name: str) -> str:
    """Return the room's name, or end the command with the rule for one."""
    if not name.startswith("/"):
        end(f'ROOM is a path, so it begins with "/", and {name!r} does not')
    return name


def secret_or_end(option: str, file: Path | None, variable: str) -> str:
    """Return what the file of this option holds, else this variable, else ""; or end the command with what is wrong."""
    try:
        return secret_from(file, variable)
    except OSError as error:
        end(f"{option} {file} cannot be read: {error.strerror}")
    except ValueError as error:
        end(str(error))
