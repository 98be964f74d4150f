"""Which panels a picture shows, and where: written into its file, so that one older than the dashboard is found.

Source: "Portable Network Graphics", 11.3.3.2, tEXt.
"""

from __future__ import annotations

import struct
from typing import Any, Final

KEYWORD: Final = "Panels"
_SIGNATURE_BYTES: Final = 8
_CHECKSUM_BYTES: Final = 4


def places(dashboard: dict[str, Any]) -> str:
    """Return a line for each panel: where it is in the grid, how large, and what it is called."""
    return "\n".join(
        " ".join(str(panel["gridPos"][side]) for side in "xywh") + f" {panel['title']}" for panel in dashboard["panels"]
    )


def text_in(png: bytes, keyword: str) -> str | None:
    """Return the text that a picture has under a keyword, or None."""
    rest = png[_SIGNATURE_BYTES:]
    while rest:
        size, kind = struct.unpack(">I4s", rest[:8])
        name, _, text = rest[8 : 8 + size].partition(b"\0")
        if kind == b"tEXt" and name == keyword.encode():
            return text.decode("latin-1")
        rest = rest[8 + size + _CHECKSUM_BYTES :]
    return None
