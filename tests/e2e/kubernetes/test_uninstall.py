"""What is left when it goes. These are the last tests of a session: they end the operator."""

from __future__ import annotations

import pytest

from harness.front import SYSTEM, Front, long
from harness.kubernetes import CHART, get, helm, kubectl
from harness.load import Load
from harness.process import until

pytestmark = [pytest.mark.timeout(300), long]
OURS = "app.kubernetes.io/managed-by=aigw"


def ours(*where: str) -> list[str]:
    """Everything with the operator's label."""
    kinds = kubectl("api-resources", "--verbs=list,delete", "--namespaced", "-o", "name").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "bindings"))]
    return kubectl("get", ",".join(kinds), *where, "-l", OURS, "-o", "name", "--ignore-not-found").split()


def test_deleting_every_object_leaves_nothing(printed, namespace, providers):
    front = Front("Envoy", namespace, providers)
    assert ours("-n", namespace)
    for kind in ("aigatewayroute", "aiservicebackend", "gateway", "gatewayconfig"):
        kubectl("-n", namespace, "delete", kind, "--all", "--timeout=30s")
    until(lambda: not ours("-n", namespace) and not front.pods(), "the end of what was made for the Gateway", 90)
    left = get("secret", None, namespace)["items"]
    assert {secret["metadata"]["name"] for secret in left} == {"openai", "anthropic"}


def test_uninstall_leaves_what_serves(front):
    with Load(front.url, "gpt", streams=20) as load:
        helm("uninstall", "aigw", "-n", SYSTEM, "--wait", "--timeout", "60s")
    load.check()
    assert front.pods()
    assert kubectl("get", "crd", "aigatewayroutes.aigateway.envoyproxy.io", "-o", "name")
    assert [one["metadata"]["name"] for one in get("gatewayclass")["items"]] == ["aigw"]
    assert helm("list", "-A", "-q").split() == []
    helm("install", "aigw", CHART, "-n", SYSTEM, "--wait", "--timeout", "120s", timeout=150)
    front.wait("aigatewayroute/models")
