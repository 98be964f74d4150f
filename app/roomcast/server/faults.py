"""Where an exception goes that nobody caught: to the journal, without what it says.

gevent prints it to stderr, text and all, and a text may quote what a client
sent. Callbacks of the loop and greenlets both end here.
"""

from types import TracebackType
from typing import Any, cast

from gevent import get_hub

from roomcast.logs import Journal, fault


def report_faults(journal: Journal) -> None:
    """From now on, write the kind and the place of what this thread's loop catches to the journal."""

    def report(
        _context: object,
        kind: type[BaseException],
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        journal.error("internal fault", **(fault(error) if error is not None else {"error": kind.__name__}))

    # The hub's own handle_error calls it: what ends a process still does.
    cast(Any, get_hub()).print_exception = report
