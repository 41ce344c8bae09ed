"""The Helm chart as it is rendered, and as an API server takes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from harness.kubernetes import CHART, apply, helm, kubectl, run

VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
RULES = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
NEVER = {"*", "escalate", "bind", "impersonate"}


def rendered(*arguments: object, release: str = "aigw", namespace: str = "default") -> list[dict]:
    text = helm("template", release, CHART, "--namespace", namespace, *arguments)
    return [one for one in yaml.safe_load_all(text) if one]


def of_kind(objects: list[dict], kind: str) -> list[dict]:
    return [one for one in objects if one["kind"] == kind]


@pytest.fixture(params=VALUES, ids=lambda path: path.stem)
def values(request) -> Path:
    return request.param


def test_lint(values):
    helm("lint", "--strict", CHART, "--values", values)


def test_every_value_is_tried():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    tried = yaml.safe_load((VALUES[0].parent / "everything.yaml").read_text())

    def same(left: object, right: object, path: str) -> list[str]:
        if isinstance(left, dict) and left:
            return [found for key in left for found in same(left[key], (right or {}).get(key), f"{path}.{key}")]
        return [path] if right is None or left == right else []

    # These are in other files: with them much else is left out.
    elsewhere = {".watchNamespaces", ".crds.apply", ".gatewayClass.create", ".serviceAccount.create", ".rbac.create"}
    assert set(same(defaults, tried, "")) == elsewhere


def test_the_server_takes_every_object(values):
    """The API server checks each object whose kind it has; no field is unknown to it."""
    kinds = set(kubectl("api-resources", "-o", "name").split())
    objects = [one for one in rendered("--values", values) if "monitoring.coreos.com" not in one["apiVersion"]]
    known = [one for one in objects if "gateway" not in one["apiVersion"] or "gateways.gateway.networking.k8s.io" in kinds]
    assert known
    apply(known, None, "--dry-run=server", "--validate=strict")


def test_the_gateway_is_the_jobs_while_it_applies_the_definitions():
    """The objects that the Job applies are the ones that the chart has itself when there is no Job."""
    gateway = ["--set", "gateway.create=true"]
    with_job = rendered(*gateway)
    without = rendered(*gateway, "--set", "crds.apply=false")
    kinds = ("GatewayClass", "GatewayConfig", "Gateway")
    handed_over = list(yaml.safe_load_all(of_kind(with_job, "ConfigMap")[0]["data"]["gateway.yaml"]))
    assert [one["kind"] for one in handed_over] == list(kinds)
    assert handed_over == [of_kind(without, kind)[0] for kind in kinds]
    assert not any(of_kind(with_job, kind) for kind in kinds)
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in handed_over)


def test_rights_are_the_ones_of_the_file():
    roles = {one["metadata"]["name"]: one["rules"] for one in of_kind(rendered("--set", "cleanup=true"), "ClusterRole")}
    assert roles == {
        "default-aigw": RULES["cluster"] + RULES["namespaces"],
        "default-aigw-crds": RULES["definitions"],
        "default-aigw-cleanup": RULES["cleanup"],
    }
    assert [one["rules"] for one in of_kind(rendered(), "Role")] == [RULES["own"]]
    assert of_kind(rendered("--set", "rbac.create=false"), "Role") == []


def test_rights_in_some_namespaces():
    objects = rendered("--set", "watchNamespaces={one,two}", namespace="system")
    roles = {(one["metadata"]["namespace"], json.dumps(one["rules"], sort_keys=True)) for one in of_kind(objects, "Role")}
    assert roles == {
        ("one", json.dumps(RULES["namespaces"], sort_keys=True)),
        ("two", json.dumps(RULES["namespaces"], sort_keys=True)),
        ("system", json.dumps(RULES["own"], sort_keys=True)),
    }
    bound = {one["metadata"]["namespace"]: one["subjects"] for one in of_kind(objects, "RoleBinding")}
    account = [{"kind": "ServiceAccount", "name": "aigw", "namespace": "system"}]
    assert bound == {"one": account, "two": account, "system": account}
    operator = next(one for one in of_kind(objects, "ClusterRole") if not one["metadata"]["name"].endswith("-crds"))
    assert operator["rules"] == RULES["cluster"]


def test_rights_are_not_too_many():
    for part, rules in RULES.items():
        for rule in rules:
            given = set(rule["verbs"]) | set(rule["resources"]) | set(rule["apiGroups"])
            assert not given & NEVER, f"{part}: {rule}"
            if {"secrets", "pods"} & set(rule["resources"]):
                assert not {"update", "deletecollection"} & set(rule["verbs"]), f"{part}: {rule}"
    may_exec = [rule for rules in RULES.values() for rule in rules if any("/" in one for one in rule["resources"])]
    assert all(one.endswith("/status") for rule in may_exec for one in rule["resources"] if "/" in one)


def test_containers_have_no_privileges(values):
    for one in rendered("--values", values):
        if one["kind"] not in ("Deployment", "Job"):
            continue
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("replicas=-1", "replicas"),
        ("watchNamespaces={a,a}", "watchNamespaces"),
        ("claimEnvoyGateway=sometimes", "claimEnvoyGateway"),
        ("gateway.dataPlane=Nginx", "dataPlane"),
        ("gateway.port=70000", "port"),
        ("metrics.port=80", "port"),
        ("log.format=xml", "format"),
        ("crds.install=false", "install"),
        ("controller.replicaCount=2", "controller"),
    ],
)
def test_wrong_values_are_refused(setting, complaint):
    refused = run("helm", "template", "aigw", CHART, "--set", setting, check=False)
    assert refused.returncode != 0
    assert "values don't meet the specifications of the schema" in refused.stderr
    assert complaint in refused.stderr


def test_other_versions_of_kubernetes():
    helm("template", "aigw", CHART, "--kube-version", "1.31.0")
    refused = run("helm", "template", "aigw", CHART, "--kube-version", "1.30.9", check=False)
    assert "kubeVersion" in refused.stderr


def test_long_names_stay_within_their_limits():
    namespace, release = "n" * 63, "r" * 53
    for one in rendered("--set", "watchNamespaces={default}", release=release, namespace=namespace):
        assert len(one["metadata"]["name"]) <= 63, one["metadata"]
        for value in one["metadata"].get("labels", {}).values():
            assert len(value) <= 63, one["metadata"]
