"""Image, compose file and Kubernetes manifests: what they name exists, nothing has more rights than it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
MANIFESTS = [manifest for file in FILES for manifest in yaml.safe_load_all(file.read_text())]
WORKLOADS = [manifest for manifest in MANIFESTS if manifest["kind"] in ("StatefulSet", "Deployment")]
KUSTOMIZATION = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
BY_HAND = {"mombus-routes", "mombus-secrets", "mombus-certificates", "nats-certificates"}
"""What deploy/README.md says must be made before."""


def pinned(file: Path) -> set[str]:
    return set(re.findall(r"^([\w.\[\]-]+==[\w.]+)", file.read_text(), re.MULTILINE))


def test_the_image_is_made_of_what_exists_and_runs_as_nobody() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001"]


def test_the_image_installs_the_versions_that_are_tested() -> None:
    image, tested = pinned(DEPLOY / "requirements.lock"), pinned(ROOT / "requirements.lock")
    assert len(image) > 30
    assert image <= tested, f"run `make lock`: {sorted(image - tested)}"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_composed_service_names_what_is_declared_and_is_closed(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    named = {volume["source"] for volume in service["volumes"] if volume["type"] == "volume"}
    assert named <= set(COMPOSE["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name != "postgres":  # its image starts as root to make its folder its own
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_a_composed_connector_whose_system_calls_it_has_a_port() -> None:
    systems = yaml.safe_load((ROOT / "routes.yaml").read_text())["systems"]
    called = {name for name, system in systems.items() if "listen" in system}
    words = [word for one in COMPOSE["services"].values() if "ports" in one for word in one["command"]]
    parts = [word.removeprefix("connectors:").split(",") for word in words if word.startswith("connectors:")]
    assert called
    assert called <= {name for part in parts for name in part}


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return list(manifest["spec"]["template"]["spec"]["containers"])


@pytest.mark.parametrize("manifest", WORKLOADS, ids=lambda manifest: manifest["metadata"]["name"])
def test_a_workload_is_watched_limited_and_closed(manifest: dict[str, Any]) -> None:
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    mounts = {volume["name"] for volume in [*pod["volumes"], *_claims(manifest)]}
    for container in containers(manifest):
        assert {"readinessProbe", "livenessProbe", "resources"} <= set(container)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        ports = {port["name"] for port in container["ports"]}
        assert {container[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} <= ports
        assert {mount["name"] for mount in container["volumeMounts"]} == mounts


def _claims(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [claim["metadata"] for claim in manifest["spec"]["volumeClaimTemplates"]]


def test_selectors_meet_their_pods_and_names_exist() -> None:
    labels = [manifest["spec"]["template"]["metadata"]["labels"] for manifest in WORKLOADS]
    for manifest in MANIFESTS:
        selector = manifest["spec"].get("selector") or manifest["spec"].get("podSelector")
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= mine.items() for mine in labels), manifest["metadata"]["name"]
    made = {generated["name"] for generated in KUSTOMIZATION["configMapGenerator"]} | BY_HAND
    text = "".join(file.read_text() for file in FILES)
    named = re.findall(r"(?:configMap|configMapRef|configMapKeyRef|secretKeyRef): \{name: ([\w-]+)", text)
    named += re.findall(r"secretName: ([\w-]+)", text)
    assert set(named) == made
    assert all((DEPLOY / file).exists() for file in KUSTOMIZATION["resources"])


def test_brokers_get_every_variable_of_their_configuration() -> None:
    wanted = set(re.findall(r"\$(NATS_\w+)", (DEPLOY / "nats" / "node.conf").read_text()))
    (broker,) = [one for manifest in WORKLOADS for one in containers(manifest) if one["name"] == "nats"]
    assert {said["name"] for said in broker["env"]} == wanted
    wanted = set(re.findall(r"\$(NATS_\w+)", (DEPLOY / "nats" / "single.conf").read_text()))
    assert set(COMPOSE["services"]["nats"]["environment"]) | {"NATS_TOKEN"} == wanted


def test_kustomize_builds_it() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl isn't here")
    built = subprocess.run([kubectl, "kustomize", str(DEPLOY)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert {one["metadata"]["namespace"] for one in yaml.safe_load_all(built.stdout)} == {"mombus"}
