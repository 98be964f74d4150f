"""The objects that kubectl and Helm make of deploy/kubernetes, and what a Service of them puts into a container."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

KUBERNETES: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
CHART: Final = KUBERNETES / "chart"
# What only Helm adds, and nothing else is compared without.
HELMS_OWN: Final = {"app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/config"}
# kustomize's: ten characters of a hash behind the name of a ConfigMap.
HASH: Final = re.compile(r"^(roomcast)-[a-z0-9]{10}$")
# The numbers of a Service that has no address of its own are told to nobody.
ADDRESS: Final = "10.96.0.10"

Objects = dict[tuple[str, str], dict[str, Any]]
"""Objects by their kind and name."""


def kustomize(folder: str) -> Objects:
    """Return what ``kubectl apply -k`` would send."""
    return _by_name(_run("kubectl", "kustomize", str(KUBERNETES / folder)))


def helm(*options: str) -> Objects:
    """Return what ``helm install roomcast`` would send."""
    return _by_name(_run("helm", "template", "roomcast", str(CHART), "--namespace", "roomcast", *options))


def helm_fails(*options: str, release: str = "roomcast") -> str:
    """Return why Helm refuses these values."""
    line = [*_program("helm"), "template", release, str(CHART), *options]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def lint(*options: str) -> str:
    """Return what ``helm lint --strict`` says of the chart, which it finds good."""
    return _run("helm", "lint", "--strict", str(CHART), *options)


def _program(name: str) -> list[str]:
    # tests/install/tools.sh puts these two beside this Python; another kubectl on the PATH may be of any age.
    return [str(Path(sys.prefix, "bin", name))]


def _run(name: str, *arguments: str) -> str:
    done = subprocess.run([*_program(name), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _by_name(text: str) -> Objects:
    found = [thing for thing in yaml.safe_load_all(text) if thing]
    objects = {(thing["kind"], HASH.sub(r"\1", thing["metadata"]["name"])): thing for thing in found}
    assert len(objects) == len(found)
    return objects


def alike(value: Any) -> Any:
    """Return an object as both tools have it: without Helm's labels, kustomize's hash, and comments."""
    match value:
        case dict():
            kept = {key: alike(part) for key, part in value.items() if key not in HELMS_OWN}
            return {key: part for key, part in kept.items() if key != "annotations" or part}
        case list():
            return [alike(part) for part in value]
        case str():
            lines = [line for line in value.splitlines() if line.strip() and not line.startswith("#")]
            return HASH.sub(r"\1", "\n".join(lines))
    return value


def pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment", "roomcast"]["spec"]["template"]["spec"]
    return spec


def relay(objects: Objects) -> dict[str, Any]:
    [container] = pod(objects)["containers"]
    assert isinstance(container, dict)
    return container


def service_links(services: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the variables by which a kubelet describes Services to containers that start after them.

    Those without an address are described, too: whoever gives one an address must not stop the relay.

    Source: kubernetes, pkg/kubelet/envvars/envvars.go.
    """
    for service in services:
        name = _variable(service["metadata"]["name"])
        ports = service["spec"]["ports"]
        yield f"{name}_SERVICE_HOST", ADDRESS
        yield f"{name}_SERVICE_PORT", str(ports[0]["port"])
        yield f"{name}_PORT", f"tcp://{ADDRESS}:{ports[0]['port']}"
        for port in ports:
            number, protocol = port["port"], port.get("protocol", "TCP")
            if "name" in port:
                yield f"{name}_SERVICE_PORT_{_variable(port['name'])}", str(number)
            link = f"{name}_PORT_{number}_{protocol}"
            yield link, f"{protocol.lower()}://{ADDRESS}:{number}"
            yield f"{link}_PROTO", protocol.lower()
            yield f"{link}_PORT", str(number)
            yield f"{link}_ADDR", ADDRESS


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
