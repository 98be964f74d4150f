"""All cases, by group: the name of a group is that of its file."""

from __future__ import annotations

from typing import Final

from tests.hostile import (
    behaviours_crowds,
    behaviours_ends,
    frames_closes,
    frames_deflate,
    frames_headers,
    frames_hixie76,
    frames_limits,
    frames_texts,
    heads_hixie76,
    heads_hosts,
    heads_lengths,
    heads_lines,
    heads_proxies,
    heads_sizes,
    heads_strangers,
    heads_streams,
    heads_targets,
    heads_tls,
    heads_tokens,
    heads_upgrades,
)
from tests.hostile.cases import Case

GROUPS: Final[dict[str, list[Case]]] = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (
        heads_lengths,
        heads_lines,
        heads_targets,
        heads_hosts,
        heads_upgrades,
        heads_sizes,
        heads_strangers,
        heads_streams,
        heads_hixie76,
        frames_headers,
        frames_texts,
        frames_closes,
        frames_limits,
        frames_hixie76,
        frames_deflate,
        heads_proxies,
        heads_tls,
        heads_tokens,
        behaviours_ends,
        behaviours_crowds,
    )
}

ALL: Final = {f"{group}: {case.name}": case for group, cases in GROUPS.items() for case in cases}
"""The same in one, by a name that each has alone."""
