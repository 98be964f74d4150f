"""``docker compose --profile tls up``: the same rooms over TLS, by nginx in front of the same relay."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.certificates import issue, trusting
from tests.container.composition import Composition
from tests.container.engine import Container, EngineError, eventually


@pytest.fixture(scope="module")
def services(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Container]]:
    files = issue(tmp_path_factory.mktemp("tls"))
    names = (str(files.certificate), str(files.key))
    with Composition("tls", RELAY_IMAGE=image, TLS_CERTIFICATE=names[0], TLS_KEY=names[1]) as composition:
        composition.up()
        composition.service("relay").wait_until_healthy()
        yield {name: composition.service(name) for name in ("relay", "proxy")}


def test_message_crosses_from_one_door_to_the_other(services: dict[str, Container]) -> None:
    secure = f"wss://{services['proxy'].address(443).replace('0.0.0.0', '127.0.0.1')}/rooms/lobby"

    def join() -> ClientConnection | None:
        try:
            return connect(secure, ssl=trusting())
        except OSError:  # nginx has not got as far
            return None

    with (
        eventually(join, within_s=20) as sender,
        connect(f"ws://{services['relay'].address(8080)}/rooms/lobby") as receiver,
    ):
        sender.send("hello over TLS")

        assert receiver.recv(timeout=10) == "hello over TLS"


def test_certificate_that_is_not_there_is_an_error(image: str, tmp_path: Path) -> None:
    missing = tmp_path / "fullchain.pem"

    with Composition("tls", RELAY_IMAGE=image, TLS_CERTIFICATE=str(missing), TLS_KEY=str(missing)) as composition:
        with pytest.raises(EngineError, match=r"fullchain\.pem"):
            composition.up()

        assert not missing.exists()
