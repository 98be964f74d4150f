"""A restart from which three thousand members come back is no trouble, and nobody is called.

promtool plays it: all that a relay exports, as an operator's Prometheus sees it, with every alert there is.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.prometheus import TARGET
from tests.deploy.rules import ALERTS, FILES
from tests.running import Serve

# Scrapes, 15 seconds apart: twenty minutes, of which the last two see a drain; two that nobody answers; and an hour.
BEFORE, MISSED, AFTER = 80, 2, 240
SETTINGS: Final = "[limits]\nlag_total_max_bytes = 0\nhistory_total_max_bytes = 0\n"
# What is not the same all the time, in promtool's words: at its end, at its beginning. Of those who come back at once
# some find no place for their handshake, an office is beyond its share, and all have gaps: histories are forgotten.
HAPPENS: Final = {
    "up": ("1x79", "1x239"),
    "roomcast_ready": ("1x77 0x1", "1x239"),
    "roomcast_draining": ("0x77 1x1", "0x239"),
    "roomcast_drain_end_timestamp_seconds": ("0x77 1208x1", "0x239"),
    "process_start_time_seconds": ("1x79", "1230x239"),
    "roomcast_config_last_reload_timestamp_seconds": ("1x79", "1230x239"),
    'roomcast_disconnects_total{dialect="rfc6455",reason="restart"}': ("0x77 1500 3000", "0x239"),
    'roomcast_disconnects_total{dialect="rfc6455",reason="gap"}': ("0x79", "0 1500 3000x237"),
    'roomcast_handshakes_total{dialect="rfc6455",outcome="accepted"}': ("3000x79", "0 1500 3000x237"),
    'roomcast_handshakes_total{dialect="rfc6455",outcome="draining"}': ("0x77 50 200", "0x239"),
    'roomcast_handshakes_total{dialect="none",outcome="address_limit"}': ("0x79", "0 100 300x237"),
    'roomcast_handshakes_total{dialect="none",outcome="full"}': ("0x79", "0 100 300x237"),
    'roomcast_limit_hits_total{action="refused",limit="handshakes_max"}': ("0x79", "0 100 300x237"),
    'roomcast_limit_hits_total{action="refused",limit="handshakes_per_address"}': ("0x79", "0 100 300x237"),
}


def written(name: str, labels: dict[str, str]) -> str:
    """Return a series as promtool reads it."""
    pairs = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
    return f"{name}{{{pairs}}}" if pairs else name


def played(scrape: str) -> list[dict[str, str]]:
    """Return all series of a relay, restarted; what does not happen stays as it is."""
    samples = [sample for family in text_string_to_metric_families(scrape) for sample in family.samples]
    series = {written(of.name, of.labels): (of.name, of.labels, of.value) for of in samples}
    # A name that is misspelt here would not be played.
    assert HAPPENS.keys() - series.keys() == {"up"}
    told = []
    for name, labels, value in (*series.values(), ("up", {}, 1.0)):
        end, begin = HAPPENS.get(written(name, labels), (f"{value}x{BEFORE - 1}", f"{value}x{AFTER - 1}"))
        between = f"0x{MISSED - 1}" if name == "up" else " ".join(["stale"] * MISSED)
        told.append({"series": written(name, labels | TARGET), "values": f"{end} {between} {begin}"})
    return told


def test_restart_of_three_thousand_calls_nobody(serve: Serve, tmp_path: Path) -> None:
    series = played(serve(SETTINGS).ask_admin("/metrics").body.decode())
    moments = [f"{half // 2}m{half % 2 * 30}s" for half in range(2 * 19, 2 * 45)]
    silence = [
        {"alertname": alert.name, "eval_time": moment, "exp_alerts": []} for alert in ALERTS for moment in moments
    ]
    play = {
        "rule_files": [str(file) for file in FILES],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series, "alert_rule_test": silence}],
    }
    script = tmp_path / "restart.yml"
    script.write_text(yaml.safe_dump(play), encoding="utf-8")

    command = subprocess.run(["promtool", "test", "rules", str(script)], capture_output=True, text=True, check=False)

    assert "SUCCESS" in command.stdout, command.stderr
