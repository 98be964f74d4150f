"""docker-compose.yml as a person would use it, under a name of its own, with ports that the engine chooses.

Whatever it started is removed at the end, also when a test fails.
"""

import os
import uuid
from pathlib import Path
from typing import Final, Self

from tests.container.engine import ROOT, Container, docker

# 0: a port that the engine chooses.
PORTS: Final = dict.fromkeys(("PORT", "ADMIN_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT", "TLS_PORT"), "0")


class Composition:
    """The services of the composition, and the profiles and variables that they are started with."""

    def __init__(self, *profiles: str, overrides: tuple[Path, ...] = (), **variables: str) -> None:
        self.project = f"roomcast-test-{uuid.uuid4().hex[:8]}"
        self._environment = {**os.environ, **PORTS, **variables}
        files = (ROOT / "docker-compose.yml", *overrides)
        self._options = [part for file in files for part in ("--file", str(file))]
        self._options += ["--project-directory", str(ROOT), "--project-name", self.project]
        self._options += [part for profile in profiles for part in ("--profile", profile)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self("down", "--volumes", "--timeout", "10")

    def __call__(self, *arguments: str) -> str:
        """Run ``docker compose`` with these arguments and return what it printed.

        Raises:
            EngineError: If its exit status is not 0.
        """
        return docker("compose", *self._options, *arguments, environment=self._environment)

    def up(self) -> None:
        """Start all services; build what has to be built."""
        self("up", "--detach", "--quiet-pull")

    def service(self, name: str) -> Container:
        return Container(self("ps", "--all", "--quiet", name))
