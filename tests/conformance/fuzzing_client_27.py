"""One run of the Autobahn testsuite's fuzzing client. A program for Python 2.7, which the suite needs.

It is the suite's own client, told three things that its command ``wstest`` cannot be:

* A room for each case: ``{case}`` in the URL becomes the case's number. In a relay whose
  rooms echo, what is left of one case would otherwise be heard by the next.
* Each verdict is written when its case ends, as a line of JSON, and not all of them at the
  very end, where a run that hangs has lost them.
* A connection that is refused, or a case that never ends, costs that case and not the run.

Standard output is for verdicts only; what the suite prints goes to standard error.

Usage: ``fuzzing_client_27.py JSON``, an object with

* ``url``: where to connect, with ``{case}``
* ``cases``: the numbers of the cases, in order
* ``messages``: how many each case of the groups 12 and 13 sends; null for the suite's own 1000
* ``case_timeout_s``: when a case has had enough time
"""

import json
import os
import sys

import autobahntestsuite

# The modules of the suite find each other as if its directory were on the path.
sys.path.insert(0, os.path.dirname(autobahntestsuite.__file__))

# First of all of Twisted: it decides for epoll, and a second decision is an error.
from autobahntestsuite import choosereactor
from autobahn.twisted.websocket import connectWS
from autobahntestsuite import fuzzing
from autobahntestsuite.case.case12_x_x import Case12_X_X, Case13_X_X
from twisted.internet import reactor

REPORTED = ("id", "behavior", "behaviorClose", "duration", "remoteCloseCode", "result", "resultClose",
            "wasNotCleanReason")


class StreamingClient(fuzzing.FuzzingClientFactory):
    """The suite's client, one case after another, each with its line as soon as it is over."""

    def __init__(self, run, verdicts):
        self.run = run
        self.verdicts = verdicts
        self.watchdog = None
        self.is_reported = False
        # The suite begins to connect in here.
        fuzzing.FuzzingClientFactory.__init__(self, {
            "cases": run["cases"],
            "outdir": "",
            "servers": [{"agent": "roomcast", "url": run["url"].replace("{case}", "none")}],
        })

    def nextCase(self):
        if self.watchdog is not None and self.watchdog.active():
            self.watchdog.cancel()
        if not fuzzing.FuzzingClientFactory.nextCase(self):
            return False
        url = self.run["url"].replace("{case}", self.currentCaseId.replace(".", "-"))
        self.setSessionParameters(url=str(url), useragent="AutobahnTestSuite")
        self.is_reported = False
        self.watchdog = reactor.callLater(self.run["case_timeout_s"], self.cut)
        return True

    def buildProtocol(self, address):
        self.current = fuzzing.FuzzingClientFactory.buildProtocol(self, address)
        return self.current

    def cut(self):
        self.report_failure("no end within %s s" % self.run["case_timeout_s"])
        self.current.transport.abortConnection()

    def logCase(self, result):
        fuzzing.FuzzingClientFactory.logCase(self, result)
        self.report(dict((key, result.get(key)) for key in REPORTED))

    def report_failure(self, why):
        self.report({"id": self.currentCaseId, "behavior": "FAILED", "behaviorClose": "FAILED", "result": why})

    def report(self, verdict):
        if self.is_reported:
            return
        self.is_reported = True
        texts = dict((key, value.decode("utf-8", "replace") if isinstance(value, str) else value)
                     for key, value in verdict.items())
        self.verdicts.write(json.dumps(texts) + "\n")

    def clientConnectionLost(self, connector, reason):
        self.report_failure("the connection ended before there was a verdict: %s" % reason.getErrorMessage())
        self.go_on()

    def clientConnectionFailed(self, connector, reason):
        self.report_failure("no connection: %s" % reason.getErrorMessage())
        self.go_on()

    def go_on(self):
        if self.nextCase():
            connectWS(self, contextFactory=self.contextFactory)
        else:
            reactor.stop()


def main():
    run = json.loads(sys.argv[1])
    verdicts = os.fdopen(os.dup(1), "w", 0)
    os.dup2(2, 1)
    if run["messages"] is not None:
        for case in Case12_X_X + Case13_X_X:
            case.COUNT = run["messages"]
    StreamingClient(run, verdicts)
    reactor.run()


if __name__ == "__main__":
    main()
