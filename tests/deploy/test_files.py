"""What the deployment files say to the program is what it understands: settings, roles, commands, paths, times."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import generated
import pytest
import yaml

from postback.api.calls import CALLS
from postback.house import DRAIN_SECONDS, ROLES
from postback.settings import FROM_FILES, Settings

ROOT = Path(__file__).parents[2]
FILES = (
    "Dockerfile",
    "compose.yaml",
    "deploy/compose.postgres.yaml",
    "deploy/kubernetes.yaml",
    "deploy/postback.service",
)
TEXTS = {name: (ROOT / name).read_text() for name in FILES}
COMPOSED = {name: yaml.safe_load(TEXTS[name]) for name in FILES if "compose" in name}
RESOURCES = list(yaml.safe_load_all(TEXTS["deploy/kubernetes.yaml"]))

SETTINGS = {str(field.validation_alias) for field in Settings.model_fields.values()}
KNOWN = SETTINGS | {f"{name}_FILE" for name in FROM_FILES}


def ours(service: dict[str, Any]) -> bool:
    return service.get("image") == "postback"


def services(name: str) -> dict[str, dict[str, Any]]:
    found = COMPOSED[name]["services"]
    return {key: service for key, service in found.items() if ours(service)}


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each deployment and job of the manifest, by name."""
    for one in RESOURCES:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """What each process is started with, and where that is written."""
    yield "Dockerfile", re.findall(r'"([^"]+)"', TEXTS["Dockerfile"].rpartition("\nCMD ")[2])
    yield (
        "deploy/postback.service",
        re.findall(r"^ExecStart=\S+ (.+)$", TEXTS["deploy/postback.service"], re.M)[0].split(),
    )
    for name in COMPOSED:
        for key, service in services(name).items():
            yield f"{name}, {key}", service.get("command", ["serve"])
    for name, pod in pods():
        yield f"deploy/kubernetes.yaml, {name}", pod["containers"][0]["args"]


@pytest.mark.parametrize("name", FILES)
def test_every_setting_is_one(name: str) -> None:
    found = set(re.findall(r"\b(?:POSTBACK|DASHSCOPE|ACEDATA)_[A-Z_]+\b", TEXTS[name]))
    assert found
    assert found <= KNOWN


@pytest.mark.parametrize("name", COMPOSED)
def test_every_service_gets_settings_only(name: str) -> None:
    for key, service in services(name).items():
        assert set(service["environment"]) <= KNOWN, key


def test_every_process_is_started_with_a_command_and_a_role_that_exist() -> None:
    known = dict(generated.commands())
    roles = [command[2] for _, command in commands() if command[1:2] == ["--role"]]
    for place, (verb, *options) in commands():
        assert verb in known, place
        assert not options or (options[0] == "--role" and options[1] in ROLES), place
    assert sorted(roles) == sorted([*ROLES] * 2), "each role has its place in both files with several"


def test_health_is_asked_for_where_it_is_told() -> None:
    paths = {call.path for call in CALLS if call.open and not call.roles}
    (checked,) = re.findall(r"HEALTHCHECK .+", TEXTS["Dockerfile"].replace("\\\n", ""))
    assert "/healthz'" in checked
    for name, pod in pods():
        for container in pod["containers"]:
            probes = {
                kind: container[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe") if kind in container
            }
            if name != "postback-migrate":
                assert {kind: probe["path"] for kind, probe in probes.items()} == {
                    "livenessProbe": "/healthz",
                    "readinessProbe": "/readyz",
                }
            assert {probe["path"] for probe in probes.values()} <= paths
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
            assert all(ports[probe["port"]] == 8414 for probe in probes.values())


def test_a_stop_leaves_time_for_what_is_under_way() -> None:
    waits = [
        int(service["stop_grace_period"].removesuffix("s")) for name in COMPOSED for service in services(name).values()
    ]
    waits += [pod["terminationGracePeriodSeconds"] for name, pod in pods() if name != "postback-migrate"]
    waits += [int(seconds) for seconds in re.findall(r"^TimeoutStopSec=(\d+)$", TEXTS["deploy/postback.service"], re.M)]
    assert len(waits) > 8
    assert min(waits) > DRAIN_SECONDS + 5


def test_several_processes_leave_the_migration_to_one() -> None:
    for key, service in services("deploy/compose.postgres.yaml").items():
        assert service["environment"]["POSTBACK_AUTO_MIGRATE"] == "0", key
    (shared,) = (one["data"] for one in RESOURCES if one["kind"] == "ConfigMap")
    assert shared["POSTBACK_AUTO_MIGRATE"] == "0"
    migrating = [place for place, command in commands() if command == ["migrate"]]
    assert len(migrating) == 2


def test_a_port_is_one_that_the_program_listens_on() -> None:
    (port,) = re.findall(r"^EXPOSE (\d+)$", TEXTS["Dockerfile"], re.M)
    assert f"POSTBACK_PORT={port}" in TEXTS["Dockerfile"]
    for name in COMPOSED:
        for service in services(name).values():
            assert all(one.endswith(f":{port}") for one in service.get("ports", ()))
    for one in RESOURCES:
        if one["kind"] == "Service":
            assert [entry["targetPort"] for entry in one["spec"]["ports"]] == ["http"]
            assert one["spec"]["selector"]["role"] in ROLES
