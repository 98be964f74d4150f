"""The picture in deploy/README.md shows the dashboard as it is."""

import json

from deploy.grafana.build import DASHBOARD, FOLDER
from tests.picture.panels import KEYWORD, places, text_in


def test_picture_shows_the_panels_that_the_dashboard_has() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    picture = (FOLDER / "dashboard.png").read_bytes()

    assert text_in(picture, KEYWORD) == places(dashboard), "run: python -m tests.picture"


def test_text_is_found_behind_what_else_a_picture_holds() -> None:
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\x02IHDRab....\0\0\0\x08tEXtOther\0no....\0\0\0\x0atEXtPanels\0yes...."

    assert text_in(picture, "Panels") == "yes"
    assert text_in(picture, "Nothing") is None
