"""The relay as a process: its signals, its limit of open files, what it says first, and its exit status."""

import signal
import sys
from ipaddress import ip_address

import gevent

from roomcast.logs import Journal, open_journal
from roomcast.server.files import raise_file_limit
from roomcast.server.policies import build_policies
from roomcast.server.relay import Server
from roomcast.settings import Loaded, Settings

# How long a write to a log that hangs may hold up the end of the process.
_LAST_WORDS_S = 1.0


def serve(loaded: Loaded, *, is_dev: bool) -> int:
    """Run a relay until it is told to stop; return the exit status of the process.

    Raises:
        DoorError: If a door's address is not to be had.
        ValueError: As ``build_policies``.
    """
    settings = loaded.settings
    raise_file_limit()
    journal = open_journal(sys.stdout, level=settings.log.level, form=settings.log.format, is_dev=is_dev)
    server = Server(settings, journal)
    server.open()
    writer = gevent.spawn(journal.run)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.ask_to_stop)
    _announce(server, journal, settings)
    server.run()
    journal.stop()
    writer.join(_LAST_WORDS_S)
    return 0


def _announce(server: Server, journal: Journal, settings: Settings) -> None:
    public, private = _url(server.public_address), _url(server.private_address)
    journal.info(
        "serving",
        chat=f"{public}/" if settings.server.demo else "",
        rooms=[f"{public.replace('http', 'ws', 1)}{room.path}" for room in settings.rooms],
        metrics=f"{private}/metrics",
    )
    if any(template.origins.is_open for template in build_policies(settings).templates):
        journal.warning("any origin", hint='"*" lets every page in the world into your rooms, as its visitor')


def _url(address: tuple[str, int] | str) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address
    if ip_address(host).is_unspecified:
        # "All addresses" is none that a browser can open.
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
