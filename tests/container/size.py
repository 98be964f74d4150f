"""What an image weighs, and which part of it is whose: ``python -m tests.container.size IMAGE``.

An engine knows the size of each layer and the line of the Dockerfile that made
it. The base's layers are those that none of our lines made. The standard
library is all it needs, so that it runs where only the image is made.
"""

import subprocess
import sys
from typing import Final, NamedTuple

MIB: Final = 1 << 20
# What our lines copy, by the first words of each; whatever else has a size is the base's.
OURS: Final = {
    "COPY /opt/roomcast ": "dependencies",
    "COPY /ours/opt/roomcast ": "our code",
    "COPY config/roomcast.toml ": "configuration",
}


class Layer(NamedTuple):
    """One line of an image's history."""

    size_bytes: int
    made_by: str


def history_of(image: str) -> list[Layer]:
    """Return the layers of an image, the newest first.

    Raises:
        CalledProcessError: If the engine does not know the image.
    """
    form = "{{.Size}} {{.CreatedBy}}"
    command = ["docker", "history", "--human=false", "--no-trunc", "--format", form, image]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    halves = (line.partition(" ") for line in lines)
    return [Layer(int(size), made_by) for size, _, made_by in halves if size.isdecimal()]


def part_of(layer: Layer) -> str:
    """Return whose a layer is: one of ours, or the base's."""
    return next((part for line, part in OURS.items() if layer.made_by.startswith(line)), "base")


def parts_of(layers: list[Layer]) -> dict[str, int]:
    """Return the bytes of each part, the base first."""
    parts = dict.fromkeys(("base", *OURS.values()), 0)
    for layer in layers:
        parts[part_of(layer)] += layer.size_bytes
    return parts


def report(parts: dict[str, int]) -> str:
    """Return the table that is printed."""
    rows = [*parts.items(), ("all", sum(parts.values()))]
    return "\n".join(f"{size_bytes / MIB:7.1f} MiB  {part}" for part, size_bytes in rows)


def main(image: str) -> str:
    """Return the table, or end the program with what is to be done to have one."""
    try:
        return report(parts_of(history_of(image)))
    except FileNotFoundError:
        sys.exit("no docker on the PATH, and only an engine knows what an image weighs")
    except subprocess.CalledProcessError:
        # The engine has said on stderr what is wrong.
        sys.exit(f"`make image` builds the image {image}, and IMAGE= names another")


if __name__ == "__main__":
    print(main(sys.argv[1]))
