"""Orphans end without a trace where the relay is process 1, and are none of its business elsewhere.

The kernel gives orphans also to a process that asks for them (PR_SET_CHILD_SUBREAPER), as this test's does: in a
process of its own, for whoever reaps all children takes them away from those who wait for one.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

SCRIPT: Final = """
import ctypes, os, sys
import gevent
from roomcast.server.orphans import reap_orphans

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
reap_orphans(pid=int(sys.argv[1]))

reading, writing = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(writing)
        os.read(reading, 1)  # until nobody holds the other end: our parent is gone, and the test goes on
    os._exit(0)
os.close(writing)

ended = os.WEXITED | os.WNOWAIT
if sys.argv[1] != "1":
    os.waitid(os.P_ALL, 0, ended)
    gevent.idle()
    os.waitid(os.P_ALL, 0, ended)
    print("left alone")
else:
    with gevent.Timeout(10):
        try:
            while True:
                os.waitid(os.P_ALL, 0, ended | os.WNOHANG)
                gevent.idle()
        except ChildProcessError:
            print("reaped")
"""


@pytest.mark.parametrize(("pid", "fate"), [("1", "reaped"), ("4711", "left alone")])
def test_orphan_is_reaped_by_process_1_only(pid: str, fate: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, pid], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == (fate, "")
