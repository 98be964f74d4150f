"""``/metrics``: one scrape, in the form and the coding that the client prefers.

prometheus-client can choose a form by itself, but fails on a version that is no number,
and answers in whatever version the client has made up.
"""

import re

from falcon import Request, Response
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from roomcast.api.turns import Slices
from roomcast.metrics.exposition import exposition, gzipped

# The two forms of a scrape. The older is what anybody gets who names neither.
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# "A qvalue of 0 means 'not acceptable'" (RFC 9110, 12.4.2).
_NEVER = re.compile(r"q=0(\.0*)?", re.IGNORECASE)


class Metrics:
    """Writes all metrics, in pieces between which others have their turn.

    Args:
        collector: Reads them.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def on_get(self, request: Request, response: Response) -> None:
        """Read all counters and write them out."""
        # Text comes first because the first of two equals wins, as for "*/*".
        # A client that accepts neither is better served with text than with 406.
        response.content_type = request.client_prefers((_TEXT, _OPENMETRICS)) or _TEXT
        encode, _ = choose_encoder(response.content_type)
        pieces = exposition(self._collector.collect(), encode, Slices().end)
        response.append_header("Vary", "Accept, Accept-Encoding")
        if takes_gzip(request.get_header("Accept-Encoding", default="")):
            response.set_header("Content-Encoding", "gzip")
            pieces = gzipped(pieces)
        response.data = b"".join(pieces)

    on_head = on_get


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding header names gzip. A ``*`` is no reason to compress."""
    for coding in accepted.split(","):
        name, _, weight = coding.partition(";")
        if name.strip().lower() == "gzip":
            return not _NEVER.fullmatch(weight.strip())
    return False
