"""``docker compose up``: the relay with its chat page, and Prometheus, which sees it."""

import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Final

import pytest

from tests.container.composition import Composition
from tests.container.engine import Container, eventually

KEY: Final = secrets.token_hex(32)
OPEN_FILES: Final = 2_000


@pytest.fixture(scope="module")
def services(image: str) -> Iterator[dict[str, Container]]:
    with Composition(RELAY_IMAGE=image, ADMIN_KEY=KEY, OPEN_FILES=str(OPEN_FILES)) as composition:
        composition.up()
        yield {name: composition.service(name) for name in ("relay", "prometheus")}


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


def test_open_files_are_as_many_as_the_variable_says(services: dict[str, Container]) -> None:
    relay = services["relay"]
    relay.wait_until_healthy()
    metrics = get(f"http://{relay.address(8081)}/metrics").decode()

    assert f"process_max_fds {OPEN_FILES}.0" in metrics
    # All but those that are kept for what is no connection.
    assert f"roomcast_connections_limit {OPEN_FILES - 256}.0" in metrics


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
