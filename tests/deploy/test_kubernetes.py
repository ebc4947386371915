"""The manifests for Kubernetes: by its own schemas, and by what each container of theirs must be."""

from __future__ import annotations

import copy
import os
import pathlib
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from support.commands import manifests, pod
from support.images import DOCKERFILE, stages
from support.stack import ROOT

from mllog.delivery.writer import CLOSE_SECONDS
from mllog.shipping.command import STOP_SECONDS
from mllog.shipping.destinations.http import CONNECT_SECONDS

DOCUMENTS = [(file, document) for file, document in manifests()]
PODS = {file: found for file, document in DOCUMENTS if (found := pod(document))}
CONTAINERS = {
    f"{file}-{container['name']}": (file, container)
    for file, found in PODS.items()
    for container in [*found.get("initContainers", []), *found["containers"]]
}
VERSIONS = ("1.29", kubernetes_validate.latest_version())
"""The first that has sidecars, and the newest whose schemas are there."""
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
ANSWER_SECONDS = 30


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("file", "document"), DOCUMENTS, ids=[f"{file}-{one['kind']}" for file, one in DOCUMENTS])
def test_it_is_of_the_schema(file: str, document: dict[str, Any], version: str) -> None:
    """Strictly: with no key that the schema doesn't know."""
    kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_key_is_found() -> None:
    """Strictness is what finds it."""
    (document,) = (copy.deepcopy(one) for _, one in DOCUMENTS if one["kind"] == "CronJob")
    document["spec"]["concurencyPolicy"] = document["spec"].pop("concurrencyPolicy")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def container_problems(container: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """What isn't as it must be of every container."""
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "it can gain privileges"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "it has capabilities"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "it can write to its image"
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}) or not {"cpu", "memory"} <= set(resources.get("requests", {})):
        yield "its memory isn't bounded, or nothing is set aside for it"
    name, _, tag = container["image"].rpartition(":")
    if not re.match(r"\d", tag) or (name.endswith("/mllog") and tag != VERSION):
        yield f"it is of the image {container['image']}"
    for variable in container.get("env", []):
        if re.search("PASSWORD|KEY|TOKEN", variable["name"]):
            yield "a secret stands in the manifest"
    mounts = {mount["name"]: mount for mount in container.get("volumeMounts", [])}
    if "trust" in mounts and mounts["trust"].get("readOnly") is not True:
        yield "it can write to what it trusts"
    if name.endswith("/mllog") and "trust" not in mounts:
        yield "it trusts nobody"
    if any("hostPath" in one or "sizeLimit" not in one.get("emptyDir", {"sizeLimit": ""}) for one in whole["volumes"]):
        yield "it has a folder of the host's, or one without a bound"


def pod_problems(whole: dict[str, Any]) -> Iterator[str]:
    """What isn't as it must be of every pod."""
    security = whole.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "it may be root, or call whatever the kernel has"
    (user,) = stages(DOCKERFILE.read_text())[-1].all("USER")
    if f"{security.get('runAsUser')}:{security.get('runAsGroup')}" != user or security.get("fsGroup") != security.get(
        "runAsGroup"
    ):
        yield "its user isn't the image's"
    if whole.get("automountServiceAccountToken") is not False:
        yield "it has a token of the cluster's"
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if whole.get(name):
            yield name


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container(name: str) -> None:
    """Confined, bounded, pinned, and without a secret in the manifest."""
    file, container = CONTAINERS[name]
    assert list(container_problems(container, PODS[file])) == []


@pytest.mark.parametrize("file", PODS)
def test_every_pod(file: str) -> None:
    """Of the image's ordinary user, without anything of the node's or the cluster's."""
    assert list(pod_problems(PODS[file])) == []


def model() -> dict[str, Any]:
    return copy.deepcopy(PODS["model-server.yaml"])


def ship(whole: dict[str, Any]) -> dict[str, Any]:
    return whole["initContainers"][0]


BROKEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda whole: ship(whole)["securityContext"].pop("allowPrivilegeEscalation"),
    lambda whole: ship(whole)["securityContext"].update(capabilities={"drop": ["NET_RAW"]}),
    lambda whole: ship(whole)["securityContext"].update(readOnlyRootFilesystem=False),
    lambda whole: ship(whole)["resources"].pop("limits"),
    lambda whole: ship(whole).update(image="registry.example/mllog:latest"),
    lambda whole: ship(whole).update(image="registry.example/mllog:0.0.9"),
    lambda whole: ship(whole).update(env=[{"name": "MLLOG_PASSWORD", "value": "x"}]),
    lambda whole: ship(whole)["volumeMounts"][1].pop("readOnly"),
    lambda whole: ship(whole)["volumeMounts"].pop(1),
    lambda whole: whole["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    lambda whole: whole["volumes"][1].update(emptyDir={}),
    lambda whole: whole.update(securityContext={}),
    lambda whole: whole["securityContext"].update(runAsUser=0),
    lambda whole: whole["securityContext"].pop("fsGroup"),
    lambda whole: whole.pop("automountServiceAccountToken"),
    lambda whole: whole.update(hostNetwork=True),
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_broken_copy_is_found(number: int) -> None:
    """Each thing that is asked of them is seen to be missing."""
    whole = model()
    BROKEN[number](whole)
    assert [*pod_problems(whole), *container_problems(ship(whole), whole)] != []


@pytest.mark.parametrize("file", ["model-server.yaml", "model-server-durable.yaml"])
def test_the_sidecar_outlives_the_model_and_empties_the_spool(file: str) -> None:
    """It is a sidecar, both see the same spool, and all ends fit into the time that the pod has."""
    whole = PODS[file]
    (sidecar,), (server,) = whole["initContainers"], whole["containers"]
    assert sidecar["restartPolicy"] == "Always"
    assert [*sidecar["command"], sidecar["args"][3]] == ["mllog", "ship", "--delete"]
    assert sidecar["args"][4:-1] == ["--drain", "--give-up"]
    assert not {"readinessProbe", "livenessProbe", "startupProbe"} & set(sidecar)
    (spool,) = (mount for mount in sidecar["volumeMounts"] if mount["name"] == "spool")
    assert spool in server["volumeMounts"]
    assert sidecar["args"][0] == server["env"][0]["value"] == f"{spool['mountPath']}/events"
    give_up = float(sidecar["args"][-1])
    before_it = float(server["lifecycle"]["preStop"]["exec"]["command"][1]) + CLOSE_SECONDS
    assert (
        before_it + STOP_SECONDS + CONNECT_SECONDS + give_up + ANSWER_SECONDS < whole["terminationGracePeriodSeconds"]
    )
    assert {"readinessProbe", "livenessProbe"} <= set(server)


def test_the_durable_spool_is_a_claim() -> None:
    """It outlives the pod; the other one goes with it, bounded."""
    (document,) = (one for file, one in DOCUMENTS if one["kind"] == "StatefulSet")
    assert [claim["metadata"]["name"] for claim in document["spec"]["volumeClaimTemplates"]] == ["spool"]
    assert "spool" not in {volume["name"] for volume in PODS["model-server-durable.yaml"]["volumes"]}
    (spool,) = (volume for volume in PODS["model-server.yaml"]["volumes"] if volume["name"] == "spool")
    assert spool["emptyDir"]["sizeLimit"]


def test_one_run_at_a_time() -> None:
    """A run that takes longer than an hour isn't joined by another one, and one that hangs ends before the next."""
    (document,) = (one for _, one in DOCUMENTS if one["kind"] == "CronJob")
    spec = document["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 3600
    assert spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [2]


def run(tmp_path: pathlib.Path, command: list[str], says: str, code: int) -> int:
    """The exit code of a command, where `watchers` says so and ends so."""
    (tmp_path / "watchers").write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    (tmp_path / "watchers").chmod(0o755)
    return subprocess.run(command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False, timeout=30).returncode


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (2, 2), (3, 3)])
def test_findings_are_no_failure_of_a_job(tmp_path: pathlib.Path, code: int, ends: int) -> None:
    """Everything else keeps its code, by which a wrong usage isn't tried again."""
    _, container = CONTAINERS["watchers-cronjob.yaml-watchers"]
    assert run(tmp_path, [*container["command"], *container["args"]], "1 findings", code) == ends


@pytest.mark.parametrize(
    ("says", "code", "ends"),
    [
        ("fine: all", 0, 0),
        ("silent: no run", 1, 1),
        ("lagging: an hour", 1, 0),
        ("unknown: silent models", 3, 0),
        ("", 3, 0),
    ],
)
def test_silence_alone_is_what_a_restart_may_mend(tmp_path: pathlib.Path, says: str, code: int, ends: int) -> None:
    """The probe fails there, and neither where the store can't be reached nor where a model fails."""
    _, container = CONTAINERS["watchers-deployment.yaml-watchers"]
    assert run(tmp_path, container["livenessProbe"]["exec"]["command"], says, code) == ends


def test_prometheus_finds_the_metrics() -> None:
    """The port of the command is that of the annotations, of the container and of the probes."""
    (document,) = (one for file, one in DOCUMENTS if file == "watchers-deployment.yaml")
    annotations = document["spec"]["template"]["metadata"]["annotations"]
    _, container = CONTAINERS["watchers-deployment.yaml-watchers"]
    place = container["args"][container["args"].index("--metrics") + 1]
    (port,) = container["ports"]
    assert place == f"0.0.0.0:{port['containerPort']}"
    assert annotations == {
        "prometheus.io/scrape": "true", "prometheus.io/port": str(port["containerPort"]), "prometheus.io/path": "/metrics",
    }  # fmt: skip
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/metrics", "port": port["name"]}


def test_what_they_refer_to() -> None:
    """One ConfigMap, of this folder; the secrets and the authority that the page has commands for."""
    (settings,) = (one for _, one in DOCUMENTS if one["kind"] == "ConfigMap")
    maps, secrets = set(), set()
    for file, container in CONTAINERS.values():
        for source in container.get("envFrom", []):
            maps |= {source["configMapRef"]["name"]} if "configMapRef" in source else set()
            secrets |= {source["secretRef"]["name"]} if "secretRef" in source else set()
        maps |= {volume["configMap"]["name"] for volume in PODS[file]["volumes"] if "configMap" in volume}
    assert maps == {settings["metadata"]["name"], "mllog-trust"}
    page = (ROOT / "docs" / "how-to" / "running.md").read_text(encoding="utf-8")
    for name in secrets:
        assert f"kubectl create secret generic {name} --from-env-file=" in page
    assert "kubectl create configmap mllog-trust --from-file=ca.crt" in page
    (mounted,) = {m["mountPath"] for _, one in CONTAINERS.values() for m in one["volumeMounts"] if m["name"] == "trust"}
    assert settings["data"]["MLLOG_CA_CERTS"] == f"{mounted}/ca.crt"
    assert yaml.safe_dump(settings).count("PASSWORD") == 0
