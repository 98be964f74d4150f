"""Ctrl-C ends what runs until then, wherever it comes, and nothing else."""

import signal

import gevent
import pytest

from roomcast.cli.interrupt import interrupts_here

pytestmark = pytest.mark.usefixtures("interruptible")


def test_interrupt_in_the_block_ends_it() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_here():
        signal.raise_signal(signal.SIGINT)


def test_interrupt_that_another_greenlet_meets_ends_the_block_and_not_the_greenlet() -> None:
    def meet() -> str:
        signal.raise_signal(signal.SIGINT)
        return "alive"

    other = gevent.spawn(meet)
    with pytest.raises(KeyboardInterrupt), interrupts_here():
        gevent.get_hub().switch()

    assert other.get() == "alive"


def test_handler_of_before_is_back_afterwards() -> None:
    with interrupts_here():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_process_that_ignores_it_goes_on() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reached = []

    with interrupts_here():
        signal.raise_signal(signal.SIGINT)
        reached.append("end")

    assert reached == ["end"]
