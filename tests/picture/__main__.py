"""Draw the dashboard as it is over a recorded run: ``python -m tests.picture [--recording FILE]``.

It takes five minutes, Prometheus (tests/install/tools.sh gets it) and matplotlib, which nothing else
here needs: ``pip install matplotlib``. The recording may be kept in a file, and drawn again from there.
"""

import argparse
import json
import tempfile
from pathlib import Path

from deploy.grafana.build import DASHBOARD, FOLDER
from tests.picture.draw import draw
from tests.picture.record import Recording, record


def recording(dashboard: dict[str, object], file: Path | None) -> Recording:
    """Return what is in the file, or else record it, and write it there."""
    if file is not None and file.exists():
        kept: Recording = json.loads(file.read_text(encoding="utf-8"))
        return kept
    with tempfile.TemporaryDirectory() as folder:
        recorded = record(dashboard, Path(folder))
    if file is not None:
        file.write_text(json.dumps(recorded), encoding="utf-8")
    return recorded


def main() -> None:
    """Write the picture beside the dashboard."""
    parser = argparse.ArgumentParser(prog="python -m tests.picture", description=__doc__)
    parser.add_argument("--recording", type=Path, metavar="FILE", help="keep the run there, or draw what is there")
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    draw(dashboard, recording(dashboard, parser.parse_args().recording), FOLDER / "dashboard.png")


if __name__ == "__main__":
    main()
