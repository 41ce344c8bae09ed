"""What the chart's Jobs bring into a cluster before an installation, and what they take away after an uninstallation."""

from __future__ import annotations

import pytest

from harness.kubernetes import CHART, get, helm, kubectl, run

ROUTES = "aigatewayroutes.aigateway.envoyproxy.io"
GATEWAYS = "gateways.gateway.networking.k8s.io"


def is_there(kind: str, name: str) -> bool:
    return bool(kubectl("get", kind, name, "-o", "name", "--ignore-not-found").strip())


@pytest.mark.timeout(240)
def test_definitions_come_before_and_go_after_when_that_is_asked_for(namespace):
    helm("install", "hooks", CHART, "-n", namespace, "--set", "cleanup=true", "--set", "gatewayClass.name=hooks", "--timeout", "90s")
    assert is_there("crd", ROUTES) and is_there("crd", GATEWAYS)
    assert get("gatewayclass", "hooks")["spec"]["controllerName"] == "aigateway.envoyproxy.io/aigw"
    left = run("kubectl", "-n", namespace, "get", "jobs,configmaps,serviceaccounts", "-o", "name").stdout
    assert "hooks-aigw-crds" not in left

    helm("uninstall", "hooks", "-n", namespace, "--wait", "--timeout", "90s")
    assert not is_there("gatewayclass", "hooks") and not is_there("crd", ROUTES)
    assert is_there("crd", GATEWAYS), "others may use Gateway API's"
    left = kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
    assert "hooks-aigw" not in left
