"""An uninstallation that is to remove what is ours."""

from __future__ import annotations

import pytest

from harness.front import SYSTEM, no_rules
from harness.kubernetes import CHART, apply, get, helm, kubectl
from harness.process import until

OF_AIGW = "aigateway.envoyproxy.io"


def is_there(kind: str, name: str, *where: str) -> bool:
    return bool(kubectl("get", kind, name, *where, "-o", "name", "--ignore-not-found").strip())


THEIRS = f"""
apiVersion: {OF_AIGW}/v1beta1
kind: GatewayConfig
metadata: {{name: theirs}}
spec: {{dataPlane: Native, autoscaling: {{maxReplicas: 2}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: theirs, annotations: {{{OF_AIGW}/gateway-config: theirs}}}}
spec: {{gatewayClassName: aigw, listeners: [{{name: http, protocol: HTTP, port: 80}}]}}
"""


@pytest.mark.timeout(300)
def test_cleanup(printed, namespace):
    """Of a Gateway that somebody else made, the data plane goes as well, and the Gateway stays."""
    apply(THEIRS, namespace)
    kubectl("-n", namespace, "wait", "--for=condition=Programmed", "gateway/theirs", "--timeout=60s")
    for where, name in ((SYSTEM, "aigw"), (namespace, "theirs")):
        assert get("deployment", None, where, "-l", f"{OF_AIGW}/gateway-name={name}")["items"]
    helm("upgrade", "aigw", CHART, "-n", SYSTEM, "--reuse-values", "--set", "cleanup=true", "--wait", "--timeout", "120s", timeout=150)
    with no_rules():
        helm("uninstall", "aigw", "-n", SYSTEM, "--wait", "--timeout", "120s", timeout=150)
        until(lambda: not kubectl("-n", SYSTEM, "get", "pods", "-o", "name").strip(), "the end of every pod", 90)
    assert is_there("gateway", "theirs", "-n", namespace)
    assert not is_there("gatewayclass", "aigw") and not is_there("gateway", "aigw", "-n", SYSTEM)
    made = "deployments,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,secrets,configmaps"
    assert kubectl("get", made, "-A", "-l", "app.kubernetes.io/managed-by=aigw", "-o", "name") == ""
    left = kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
    assert "aigw" not in left
    # A kind of which there are objects stays, and so does what others may use.
    assert is_there("aigatewayroute", "demo") and not is_there("crd", f"quotapolicies.{OF_AIGW}")
    assert is_there("crd", "gateways.gateway.networking.k8s.io")
    kubectl("delete", "-f", "manifests/demo/", "--timeout=60s")
