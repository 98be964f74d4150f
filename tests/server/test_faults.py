"""What nobody caught is in the journal, with its place and without its words, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent import get_hub

from tests.running import Serve


def fail() -> None:
    raise ValueError("s3cr3t")


def spawn_one_that_fails() -> None:
    gevent.spawn(fail)


def call_one_that_fails() -> None:
    get_hub().loop.run_callback(fail)


@pytest.mark.parametrize("begin", [spawn_one_that_fails, call_one_that_fails])
def test_fault_in_the_loop_is_recorded_without_its_words(
    serve: Serve, capfd: pytest.CaptureFixture[str], begin: Callable[[], None]
) -> None:
    relay = serve()

    relay.call(begin)

    record = relay.diary.wait_for("internal fault", level="error", error="ValueError")
    assert record["where"].startswith("test_faults.py:")
    assert "s3cr3t" not in str(relay.diary.read())
    assert capfd.readouterr() == ("", "")


def test_fault_that_is_known_by_its_kind_alone_is_recorded_as_such(serve: Serve) -> None:
    relay = serve()

    relay.call(lambda: get_hub().handle_error("a greenlet", KeyError, None, None))

    assert relay.diary.wait_for("internal fault", error="KeyError")


def test_greenlet_that_is_told_to_end_is_no_fault(serve: Serve) -> None:
    relay = serve()

    relay.call(lambda: gevent.spawn(fail).kill())

    assert relay.records("internal fault") == []
