"""The private door's routes: metrics, health, the API, and for a person who looks in the dashboard.

A WSGI application that knows no socket; ``door.PrivateDoor`` serves it. Routes
run in greenlets, and wait for nothing but a body and, in the middle of long work,
for others' turns; so a slow reader of one answer keeps nobody else from theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

from falcon import MEDIA_JSON, MEDIA_TEXT, App, HTTPError, HTTPInternalServerError, HTTPNotFound, Request, Response
from gevent import sleep

from roomcast.api.configuration import Configuration, Plan, Reload
from roomcast.api.dashboard import Client, Events, Index
from roomcast.api.directory import Directory, Terms
from roomcast.api.feed import Feed
from roomcast.api.guard import Guard
from roomcast.api.health import Health, Readiness
from roomcast.api.idempotency import Idempotency
from roomcast.api.keys import Scope
from roomcast.api.members import MembersOfRoom, OneMember
from roomcast.api.messages import BatchOfMessages, MessagesOfRoom
from roomcast.api.openapi import document_text
from roomcast.api.operations import OTHER, no_requests
from roomcast.api.presence import PresenceEvents
from roomcast.api.problems import CONTENT_TYPE, problem
from roomcast.api.publish import Publishing
from roomcast.api.rates import HolderRates
from roomcast.api.revocations import Revocations, Revoker
from roomcast.api.rooms import ListOfRooms, OneRoom
from roomcast.api.scrape import Metrics
from roomcast.api.stats import Stats
from roomcast.api.turns import take_turn
from roomcast.api.why import Why
from roomcast.logs import Journal, fault
from roomcast.metrics import RelayCollector, TransportCounters
from roomcast.metrics.record import Record
from roomcast.pages import CLIENT_PATH
from roomcast.relay.hub import Hub

INDEX = "Roomcast, private door: /metrics for Prometheus, /healthz and /readyz for probes, /openapi.json for the API.\n"
API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Access:
    """What the API is let do, and by whom."""

    guard: Guard
    terms_of: Callable[[str], Terms | None]
    """What holds for a room of this name; None where no template has it."""
    revoker: Revoker
    """Who sends a subject's members away."""
    configuration: Configuration
    """Who reads the configuration again."""
    address_for_logs: Callable[[str], str]
    """What the record of endings has in the place of an address."""


def create_app(
    hub: Hub, counters: TransportCounters, is_ready: Callable[[], bool], journal: Journal, access: Access
) -> App[Request, Response]:
    """Return the WSGI application of the private door.

    Args:
        hub: The rooms.
        counters: The public door's numbers, for the metrics.
        is_ready: Whether new members are wanted.
        journal: Where a fault of ours is written down.
        access: What the API may do.
    """
    requests = no_requests()
    stats = Stats(hub, counters, is_ready, clock=monotonic, now=time, pause=take_turn)
    app = App(media_type=MEDIA_TEXT, middleware=[_Counter(requests)])
    _add_pages(app, stats, access.guard)
    app.add_route("/metrics", Metrics(RelayCollector(hub, counters, journal, is_ready, requests)))
    app.add_route("/healthz", Health())
    app.add_route("/readyz", Readiness(is_ready, lambda: counters.is_draining))
    app.add_route("/openapi.json", Document())
    _add_api(app, hub, counters.record, is_ready, access)
    app.add_sink(_refuse_path)
    app.set_error_serializer(_serialize)
    app.add_error_handler(Exception, _Reporter(journal))
    return app


def _add_pages(app: App[Request, Response], stats: Stats, guard: Guard) -> None:
    app.add_route("/", Index(INDEX, guard.check_host))
    app.add_route(CLIENT_PATH, Client())
    feed = Feed(stats.read, clock=monotonic, sleep=sleep)
    app.add_route(f"{API}/events", Events(feed, lambda request: guard.require(request, Scope.READ)))


def _add_api(
    app: App[Request, Response], hub: Hub, record: Record, is_ready: Callable[[], bool], access: Access
) -> None:
    guard, directory = access.guard, Directory(access.terms_of)
    publishing = Publishing(hub, directory, HolderRates(), is_ready)
    idempotency = Idempotency()
    app.add_route(f"{API}/rooms", ListOfRooms(guard, hub))
    app.add_route(f"{API}/room", OneRoom(guard, hub, directory))
    app.add_route(f"{API}/messages", MessagesOfRoom(guard, publishing, idempotency, hub, directory))
    app.add_route(f"{API}/batch", BatchOfMessages(guard, publishing, idempotency))
    app.add_route(f"{API}/members", MembersOfRoom(guard, hub, directory))
    app.add_route(f"{API}/members/{{member_id}}", OneMember(guard, hub))
    app.add_route(f"{API}/presence", PresenceEvents(hub.announcer, lambda request: guard.require(request, Scope.READ)))
    app.add_route(f"{API}/reload", Reload(guard, access.configuration))
    app.add_route(f"{API}/plan", Plan(guard, access.configuration))
    app.add_route(f"{API}/revocations", Revocations(guard, access.revoker))
    app.add_route(f"{API}/why", Why(guard, hub, record, access.address_for_logs))


class Document:
    """``/openapi.json``: what the API is, for anybody: it is in the repository as well."""

    def __init__(self) -> None:
        self._text = document_text()

    def on_get(self, _: Request, response: Response) -> None:
        """Show the document."""
        response.content_type = MEDIA_JSON
        response.text = self._text

    on_head = on_get


class _Counter:
    """Counts what became of each request of the API, by the labels that ``operations`` foresees."""

    def __init__(self, requests: dict[tuple[str, str, str], int]) -> None:
        self._requests = requests

    def process_response(self, request: Request, response: Response, _: object, __: bool) -> None:
        """Count one answer; those of pages, probes and scrapes are not."""
        status = str(response.status_code)
        key = request.method, request.uri_template or "", status
        if key not in self._requests and request.path.startswith(f"{API}/"):
            key = OTHER, OTHER, status
        if key in self._requests:
            self._requests[key] += 1


class _Reporter:
    """Turns an exception that no route foresaw into a log line and a 500 that tells nothing of it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, request: Request, _: Response, error: Exception, __: dict[str, Any]) -> None:
        # The route's template, not its path: what a client typed is not for logs.
        self._journal.error("private door failed", route=request.uri_template, **fault(error))
        raise HTTPInternalServerError(description="the relay failed to answer; its log says how")


def _refuse_path(*_: object, **__: object) -> None:
    raise HTTPNotFound(description="the private door has /, /metrics, /healthz, /readyz, and what /openapi.json names")


def _serialize(_: Request, response: Response, error: HTTPError) -> None:
    response.content_type = CONTENT_TYPE
    # The one error that Falcon raises here without a word of its own.
    response.data = problem(error.status_code, error.description or "Allow names the methods of this path")
