"""The container engine by its command line: what a person would type, and what comes back.

Nothing here knows how the relay is run. Containers get their ports from the engine, are addressed by
identity, and are removed with whatever they left, also when the test fails.
"""

import json
import os
import shlex
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

ROOT: Final = Path(__file__).parent.parent.parent
ENGINE_TIMEOUT_S: Final = 110.0
Value = TypeVar("Value")


class EngineError(AssertionError):
    """A command of the engine failed; says which, and what it said."""


def docker(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run ``docker`` with these arguments and return what it printed.

    Raises:
        EngineError: If its exit status is not 0.
    """
    command = ["docker", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=ENGINE_TIMEOUT_S, check=False, env=environment
    )
    if done.returncode != 0:
        raise EngineError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Container:
    """One container, running or not."""

    id: str

    def address(self, port: int) -> str:
        """Return the ``host:port`` on this machine under which the container's port is published."""
        return docker("port", self.id, f"{port}/tcp").splitlines()[0]

    def run(self, *command: str) -> str:
        return docker("exec", self.id, *command)

    def inspect(self, field: str) -> object:
        """Return one field of what the engine knows, as ``State.ExitCode`` names it."""
        return json.loads(docker("inspect", "--format", f"{{{{json .{field}}}}}", self.id))

    def logs(self) -> str:
        done = subprocess.run(["docker", "logs", self.id], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def wait_until_healthy(self) -> None:
        """Wait for the engine's own word, which its health checks decide.

        Raises:
            EngineError: If the container ends first, or the engine calls it unhealthy.
        """
        filters = ("--filter", f"container={self.id}", "--filter", "event=health_status", "--filter", "event=die")
        command = ["docker", "events", "--since", str(self.inspect("Created")), *filters, "--format", "{{.Status}}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:
            assert events.stdout is not None
            status = events.stdout.readline().strip()
            events.terminate()
        if status != "health_status: healthy":
            raise EngineError(f"{status}: {self.inspect('State')}\n{self.logs()}")


@contextmanager
def running(image: str, *options: str, command: Sequence[str] = ()) -> Iterator[Container]:
    """Run the image in the background and yield its container; remove it, and its volumes, at the end."""
    container = Container(docker("run", "--detach", *options, image, *command))
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container.id)


@contextmanager
def built() -> Iterator[str]:
    """Build the image from this checkout, yield its name, and forget that name at the end."""
    # DOCKER_BUILD_OPTIONS is for what only the machine knows: another PYTHON_IMAGE, a package index.
    tag = f"roomcast-test:{uuid.uuid4().hex}"
    docker("build", "--quiet", "--tag", tag, *shlex.split(os.environ.get("DOCKER_BUILD_OPTIONS", "")), str(ROOT))
    try:
        yield tag
    finally:
        docker("rmi", tag)


def eventually(find: Callable[[], Value | None], *, within_s: float) -> Value:
    """Return the first answer of ``find`` that is not None, asking five times a second.

    For what no engine announces: it is the one wait of these tests that has to look again.

    Raises:
        AssertionError: If there is none within this time.
    """
    deadline_s = time.monotonic() + within_s
    pause = threading.Event()
    while (value := find()) is None:
        assert time.monotonic() < deadline_s, f"no answer within {within_s} s"
        pause.wait(0.2)
    return value
