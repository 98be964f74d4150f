"""``docker compose up``: the relay with its chat page, and Prometheus, which sees it."""

import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Final

import pytest

from tests.container.conftest import ROOT
from tests.container.engine import Container, docker, eventually

# 0: a port that the engine chooses. The project's name keeps it apart from one that is really in use.
PROJECT: Final = f"roomcast-test-{uuid.uuid4().hex[:8]}"
KEY: Final = secrets.token_hex(32)
ENVIRONMENT: Final = {**os.environ, "PORT": "0", "ADMIN_PORT": "0", "PROMETHEUS_PORT": "0", "ADMIN_KEY": KEY}


def compose(*arguments: str) -> str:
    file = str(ROOT / "docker-compose.yml")
    return docker("compose", "--file", file, "--project-name", PROJECT, *arguments, environment=ENVIRONMENT)


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, Container]]:
    try:
        compose("up", "--detach", "--build", "--quiet-pull")
        yield {name: Container(compose("ps", "--quiet", name)) for name in ("relay", "prometheus")}
    finally:
        compose("down", "--volumes", "--timeout", "10")


def get(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        body: bytes = answer.read()
    return body


def test_chat_page_is_served(services: dict[str, Container]) -> None:
    relay = services["relay"]
    relay.wait_until_healthy()

    assert b"new WebSocket(" in get(f"http://{relay.address(8080)}/")


def test_dashboard_is_served_and_its_numbers_come_for_the_key(services: dict[str, Container]) -> None:
    relay = services["relay"]
    relay.wait_until_healthy()
    door = f"http://{relay.address(8081)}"

    page = get(f"{door}/", Accept="text/html")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(f"{door}/api/v1/events")
    numbers = urllib.request.Request(f"{door}/api/v1/events", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(numbers, timeout=10) as events:
        lines = [events.readline() for _ in range(4)]

    assert b"<title>" in page
    assert lines[:3] == [b"retry: 2000\n", b"\n", b"event: stats\n"]
    assert json.loads(lines[3].removeprefix(b"data: "))["is_ready"] is True


def test_prometheus_sees_the_relay(services: dict[str, Container]) -> None:
    query = urllib.parse.quote('up{job="roomcast"}')
    address = services["prometheus"].address(9090)

    def is_up() -> bool | None:
        try:
            found = json.loads(get(f"http://{address}/api/v1/query?query={query}"))["data"]["result"]
        except OSError:
            return None
        return True if [series["value"][1] for series in found] == ["1"] else None

    assert eventually(is_up, within_s=60)


def test_prometheus_loaded_the_alerts(services: dict[str, Container]) -> None:
    address = services["prometheus"].address(9090)

    def rule_names() -> set[str] | None:
        try:
            groups = json.loads(get(f"http://{address}/api/v1/rules"))["data"]["groups"]
        except OSError:
            return None
        return {rule["name"] for group in groups for rule in group["rules"]} or None

    assert len(eventually(rule_names, within_s=60)) >= 3


@pytest.mark.parametrize("name", ["relay", "prometheus"])
def test_service_is_locked_up(services: dict[str, Container], name: str) -> None:
    service = services[name]

    assert service.inspect("HostConfig.ReadonlyRootfs") is True
    assert service.inspect("HostConfig.CapDrop") == ["ALL"]
    assert service.inspect("HostConfig.SecurityOpt") == ["no-new-privileges:true"]


def test_private_door_and_prometheus_are_published_to_this_machine_only(services: dict[str, Container]) -> None:
    assert services["relay"].address(8081).startswith("127.0.0.1:")
    assert services["prometheus"].address(9090).startswith("127.0.0.1:")
    assert not services["relay"].address(8080).startswith("127.0.0.1:")
