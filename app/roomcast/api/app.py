"""The private door's routes: metrics, health, and one line for a person who looks in.

A WSGI application that knows no socket; ``door.PrivateDoor`` serves it. Routes
run in greenlets and do not wait for anything, so a slow reader of one answer
keeps nobody else from theirs.
"""

from collections.abc import Callable
from typing import Any

from falcon import MEDIA_TEXT, App, HTTPError, HTTPInternalServerError, HTTPNotFound, Request, Response
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from roomcast.api.health import Health, Readiness
from roomcast.api.problems import CONTENT_TYPE, problem
from roomcast.logs import Journal, fault
from roomcast.metrics import RelayCollector, TransportCounters
from roomcast.relay.hub import Hub

INDEX = "Roomcast, private door: /metrics for Prometheus, /healthz and /readyz for probes.\n"

# The two forms of a scrape. The older is what anybody gets who names neither.
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def create_app(
    hub: Hub, counters: TransportCounters, is_ready: Callable[[], bool], journal: Journal
) -> App[Request, Response]:
    """Return the WSGI application of the private door.

    Args:
        hub: The rooms, for the metrics.
        counters: The public door's numbers, for the metrics.
        is_ready: Whether new members are wanted.
        journal: Where a fault of ours is written down.
    """
    app = App(media_type=MEDIA_TEXT)
    app.add_route("/", Index())
    app.add_route("/metrics", Metrics(RelayCollector(hub, counters, journal, is_ready)))
    app.add_route("/healthz", Health())
    app.add_route("/readyz", Readiness(is_ready, lambda: counters.is_draining))
    app.add_sink(_refuse_path)
    app.set_error_serializer(_serialize)
    app.add_error_handler(Exception, _Reporter(journal))
    return app


class Index:
    """``/``: where to go from here, for a person with a browser."""

    def on_get(self, _: Request, response: Response) -> None:
        """Name the paths that exist."""
        response.text = INDEX

    on_head = on_get


class Metrics:
    """``/metrics``: one scrape, in the form that the client prefers.

    prometheus-client can choose a form by itself, but fails on a version that
    is no number, and answers in whatever version the client has made up.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def on_get(self, request: Request, response: Response) -> None:
        """Read all counters now and write them out."""
        # Text comes first because the first of two equals wins, as for "*/*".
        # A client that accepts neither is better served with text than with 406.
        response.content_type = request.client_prefers((_TEXT, _OPENMETRICS)) or _TEXT
        encode, _ = choose_encoder(response.content_type)
        response.data = encode(self._collector)

    on_head = on_get


class _Reporter:
    """Turns an exception that no route foresaw into a log line and a 500 that tells nothing of it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, request: Request, _: Response, error: Exception, __: dict[str, Any]) -> None:
        # The route's template, not its path: what a client typed is not for logs.
        self._journal.error("private door failed", route=request.uri_template, **fault(error))
        raise HTTPInternalServerError(description="the relay failed to answer; its log says how")


def _refuse_path(*_: object, **__: object) -> None:
    raise HTTPNotFound(description="the private door has /metrics, /healthz and /readyz")


def _serialize(_: Request, response: Response, error: HTTPError) -> None:
    response.content_type = CONTENT_TYPE
    # The one error that Falcon raises here without a word of its own.
    response.data = problem(error.status_code, error.description or "Allow names the methods of this path")
