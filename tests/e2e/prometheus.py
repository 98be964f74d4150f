"""Prometheus, asked over its HTTP API: what it has seen, and which alerts would fire.

An alert of the published rules is *pending* from the first evaluation that finds its
expression true, and *firing* when it has been so for as long as the rule's `for` says:
up to ten minutes, which no test can wait for. Pending is therefore what counts here: "would
fire if it stayed so". That a rule fires after its time, and not before, promtool
has shown in deploy/prometheus/tests. Names and expressions are the server's own.
"""

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

# What tells two alerts of one rule apart.
TELLING_LABELS: Final = ("outcome", "reason", "template")


class Alert(NamedTuple):
    """One alert that is pending or firing, by its rule and what it is about."""

    rule: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.rule} ({self.about})" if self.about else self.rule


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One server, at this ``host:port``."""

    address: str

    def ask(self, path: str, **query: str) -> Any:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> float | None:
        """Return what an expression comes to now, summed up; None if there is no series."""
        found = self.ask("query", query=expression)["result"]
        return sum(float(series["value"][1]) for series in found) if found else None

    def rules(self) -> set[str]:
        """Return the names of the alerts that it evaluates."""
        groups = self.ask("rules", type="alert")["groups"]
        return {rule["name"] for group in groups for rule in group["rules"]}

    def last_evaluation(self) -> str:
        """Return when all rules had been evaluated: another answer is another evaluation of each."""
        return min(str(group["lastEvaluation"]) for group in self.ask("rules", type="alert")["groups"])

    def alerts(self) -> set[Alert]:
        """Return those that are pending or firing now."""
        active = self.ask("alerts")["alerts"]
        labels = [alert["labels"] for alert in active]
        return {
            Alert(one["alertname"], " ".join(one[name] for name in TELLING_LABELS if name in one)) for one in labels
        }

    def is_there(self) -> bool | None:
        """Return True once it answers with rules; None until then."""
        try:
            return bool(self.rules()) or None
        except OSError:
            return None
