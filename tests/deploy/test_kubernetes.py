"""What deploy/kubernetes renders to, by kubectl and by Helm: the same, valid, and about this program."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import promql_parser
import pytest
import yaml

from deploy.kubernetes.build import HERE, copies
from roomcast import __version__
from roomcast.policies.schedule import ENDING_S
from roomcast.settings.keys import NAMES
from roomcast.settings.load import load
from tests.deploy.names import series_of
from tests.deploy.rendered import (
    CHART,
    KUBERNETES,
    Objects,
    alike,
    helm,
    helm_fails,
    kustomize,
    lint,
    pod,
    relay,
    service_links,
)
from tests.processes import relay_process
from tests.running import Serve
from tests.wire import connect, get

CRDS = Path(__file__).parent / "crds"
VALUES = [None, *sorted((CHART / "ci").glob("*.yaml"))]
# The one that most clusters have run for a while, and the newest that the schemas know.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def options(values: Path | None) -> list[str]:
    return [] if values is None else ["--values", str(values)]


def everything_rendered() -> dict[str, Objects]:
    made = {folder: kustomize(folder) for folder in ("base", "overlays/production")}
    return made | {f"chart {values.stem if values else ''}": helm(*options(values)) for values in VALUES}


@pytest.fixture(scope="module")
def rendered() -> dict[str, Objects]:
    """All that is rendered here, by what it is rendered from."""
    return everything_rendered()


def examples() -> list[dict[str, Any]]:
    paths = [*sorted((KUBERNETES / "examples").glob("*.yaml")), KUBERNETES / "namespace.yaml"]
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]


def check_schema(thing: dict[str, Any], version: str) -> None:
    own = CRDS / f"{thing['kind'].lower()}.json"
    if own.exists():
        jsonschema.validate(thing, json.loads(own.read_text(encoding="utf-8")))
    else:
        kubernetes_validate.validate(thing, version, strict=True)


@pytest.mark.parametrize(
    ("folder", "values"), [("base", None), ("overlays/production", CHART / "ci" / "production.yaml")]
)
def test_chart_renders_to_the_same_as_kustomize(folder: str, values: Path | None) -> None:
    ours, helms = kustomize(folder), helm(*options(values))

    assert ours.keys() == helms.keys()
    for name, thing in ours.items():
        assert alike(helms[name]) == alike(thing)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_as_kubernetes_wants_it(rendered: dict[str, Objects], version: str) -> None:
    for objects in rendered.values():
        for thing in objects.values():
            check_schema(thing, version)
    for thing in examples():
        check_schema(thing, version)


def test_schema_finds_a_misspelt_field() -> None:
    objects = kustomize("overlays/production")
    objects["Deployment", "roomcast"]["spec"]["replica"] = 2
    objects["ServiceMonitor", "roomcast"]["spec"]["endpoints"][0]["intervall"] = "15s"

    with pytest.raises(jsonschema.ValidationError, match="replica"):
        check_schema(objects["Deployment", "roomcast"], VERSIONS[-1])
    with pytest.raises(jsonschema.ValidationError, match="intervall"):
        check_schema(objects["ServiceMonitor", "roomcast"], VERSIONS[-1])


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem if path else "default")
def test_helm_finds_nothing_in_the_chart(values: Path | None) -> None:
    assert "0 chart(s) failed" in lint(*options(values))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("replicas=2", "up to 2 pods would be 2 spaces of rooms"),
        ("autoscaling.enabled=true,autoscaling.maxReplicas=3", "up to 3 pods would be 3 spaces of rooms"),
        ("autoscaling.enabled=true,autoscaling.minReplicas=3", "minReplicas is 3, and maxReplicas only 1"),
        ("ingress.enabled=true,ingress.host=", "ingress.host is empty"),
        ("config=[server", "config is not TOML: "),
        ("config=server=3", "config has server = 3, not a table [server]"),
        ("replicas=0", "minimum: got 0, want 1"),
        ("replica=1", "'replica' not allowed"),
        ("ingress.host=http://chat.example.com", "does not match pattern"),
    ],
)
def test_value_that_would_surprise_is_refused(value: str, complaint: str) -> None:
    assert complaint in helm_fails("--set", value)


def test_release_whose_job_no_alert_would_find_is_refused() -> None:
    assert "the job would be chat-private" in helm_fails("--set", "monitoring.serviceMonitor=true", release="chat")


def test_registry_s_password_is_named_to_the_pod(rendered: dict[str, Objects]) -> None:
    assert pod(rendered["chart everything"])["imagePullSecrets"] == [{"name": "registry"}]
    assert "imagePullSecrets" not in pod(rendered["chart "])


@pytest.mark.parametrize(("drain_s", "grace_s"), [("0", 12), ("8.5", 21), ("120", 132)])
def test_chart_s_grace_follows_the_drain_of_the_file(drain_s: str, grace_s: int) -> None:
    objects = helm("--set-string", f"config=server.drain_s={drain_s}")

    assert pod(objects)["terminationGracePeriodSeconds"] == grace_s


def test_copies_are_what_they_are_copies_of() -> None:
    made = copies()
    assert {path: path.read_text(encoding="utf-8") for path in made} == made
    assert set((CHART / "files" / "rules").iterdir()) <= set(made)


def test_grace_is_for_the_hook_the_drain_and_the_last_words(rendered: dict[str, Objects]) -> None:
    for objects in rendered.values():
        config = tomllib.loads(objects["ConfigMap", "roomcast"]["data"]["roomcast.toml"])
        hook_s = relay(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed_s = hook_s + config["server"]["drain_s"] + ENDING_S

        assert needed_s + 5 <= pod(objects)["terminationGracePeriodSeconds"] <= needed_s + 10


def test_configuration_is_one_that_the_relay_takes(
    rendered: dict[str, Objects], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for objects in rendered.values():
        file = tmp_path / "roomcast.toml"
        file.write_text(objects["ConfigMap", "roomcast"]["data"]["roomcast.toml"], encoding="utf-8")
        with monkeypatch.context() as environment:
            for variable in relay(objects).get("env", []):
                assert variable["name"] in NAMES
                if not variable["name"].startswith("ROOMCAST_TLS__"):
                    environment.setenv(variable["name"], variable["value"])
            assert load(file)


def test_relay_answers_the_probes_at_the_ports_that_are_named(rendered: dict[str, Objects], serve: Serve) -> None:
    running = serve()
    for objects in rendered.values():
        container = relay(objects)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] == "private"
            assert running.ask_admin(container[probe]["httpGet"]["path"]).status == 200
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"public": load(None).settings.server.port, "private": load(None).settings.admin.port}
        for (kind, _), service in objects.items():
            if kind == "Service":
                assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)


def test_pod_is_as_restricted_as_the_strictest_standard_asks(rendered: dict[str, Objects]) -> None:
    dockerfile = (KUBERNETES.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    for objects in rendered.values():
        of_pod, of_relay = pod(objects)["securityContext"], relay(objects)["securityContext"]

        assert of_pod["runAsNonRoot"] is True
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert f"USER {of_pod['runAsUser']}:{of_pod['runAsGroup']}" in dockerfile
        assert of_relay == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod(objects)["automountServiceAccountToken"] is False
        assert {kind for volume in pod(objects)["volumes"] for kind in volume} == {"name", "configMap", "secret"}


def test_everything_is_about_the_pods_of_this_deployment(rendered: dict[str, Objects]) -> None:
    for objects in rendered.values():
        labels = objects["Deployment", "roomcast"]["spec"]["template"]["metadata"]["labels"]
        selectors = [objects["PodDisruptionBudget", "roomcast"]["spec"]["selector"]["matchLabels"]]
        selectors += [thing["spec"]["selector"] for (kind, _), thing in objects.items() if kind == "Service"]
        selectors += [
            thing["spec"]["podSelector"]["matchLabels"]
            for (kind, _), thing in objects.items()
            if kind == "NetworkPolicy"
        ]
        selectors += [part["labelSelector"]["matchLabels"] for part in pod(objects)["topologySpreadConstraints"]]
        for selector in selectors:
            assert selector
            assert selector.items() <= labels.items()


def test_prometheus_finds_the_private_door_by_a_job_that_the_rules_know() -> None:
    objects = kustomize("overlays/production")
    monitor = objects["ServiceMonitor", "roomcast"]["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    [service] = [
        thing
        for (kind, _), thing in objects.items()
        if kind == "Service" and wanted <= thing["metadata"]["labels"].items()
    ]

    assert "roomcast" in service["metadata"]["name"]
    assert [port["name"] for port in service["spec"]["ports"]] == [part["port"] for part in monitor["endpoints"]]


def test_autoscaler_asks_for_what_the_adapter_makes_of_our_metrics(serve: Serve) -> None:
    [rule] = yaml.safe_load((HERE / "monitoring" / "adapter-values.yaml").read_text(encoding="utf-8"))["rules"][
        "custom"
    ]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="a",pod="b"')
    named: list[Any] = []
    for expression in (query, rule["seriesQuery"]):
        promql_parser.walk(promql_parser.parse(expression), named.append)
    names = {part.name for part in named if isinstance(part, promql_parser.VectorSelector)}

    assert names <= series_of(serve().ask_admin("/metrics").body.decode()).keys()
    [metric] = kustomize("overlays/production")["HorizontalPodAutoscaler", "roomcast"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]


def test_autoscaler_scales_nothing_and_fights_with_nobody_until_it_is_told_to() -> None:
    objects = kustomize("overlays/production")
    assert objects["HorizontalPodAutoscaler", "roomcast"]["spec"]["maxReplicas"] == 1
    assert "replicas" not in objects["Deployment", "roomcast"]["spec"]


def test_versions_are_the_program_s() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == __version__
    assert relay(kustomize("base"))["image"] == f"roomcast:{__version__}"
    assert relay(kustomize("overlays/production"))["image"].endswith(f"/roomcast:{__version__}")


def test_services_of_this_name_do_not_disturb_the_relay(
    rendered: dict[str, Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [thing for objects in rendered.values() for (kind, _), thing in objects.items() if kind == "Service"]
    # One more, as people name their ports.
    metrics = {"metadata": {"name": "roomcast"}, "spec": {"ports": [{"name": "http-metrics", "port": 9100}]}}
    links = dict(service_links([*services, metrics]))
    assert {
        "ROOMCAST_PORT",
        "ROOMCAST_SERVICE_HOST",
        "ROOMCAST_PRIVATE_PORT_8081_TCP_ADDR",
        "ROOMCAST_PRIVATE_SERVICE_PORT_PRIVATE",
        "ROOMCAST_SERVICE_PORT_HTTP_METRICS",
    } <= links.keys()

    for name, value in links.items():
        monkeypatch.setenv(name, value)
    with relay_process() as process, connect(process.address) as wire:
        wire.send(get("/-/ready"))
        assert wire.read_answer().status == 200
