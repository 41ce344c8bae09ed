"""What stays when the operator goes, and what goes with a Gateway. The last tests with each Gateway."""

from __future__ import annotations

import pytest

from harness.front import SYSTEM, no_rules, readme_commands
from harness.kubernetes import apply, get, helm, kubectl, run
from harness.load import Load
from harness.process import until

pytestmark = pytest.mark.timeout(300)
OURS = "app.kubernetes.io/managed-by=aigw"


def ours(namespace: str, label: str = OURS) -> list[str]:
    """Everything with the operator's label."""
    kinds = kubectl("api-resources", "--verbs=list,delete", "--namespaced", "-o", "name").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "bindings"))]
    return kubectl("get", ",".join(kinds), "-n", namespace, "-l", label, "-o", "name", "--ignore-not-found").split()


def test_uninstall_leaves_what_serves(front):
    pods = set(front.pods())
    with Load(front.url, "gpt", streams=20) as load:
        with no_rules():
            helm("uninstall", "aigw", "-n", SYSTEM, "--wait", "--timeout", "60s")
            until(lambda: "aigw" not in operator_pods(), "the end of the operator", 60)
            assert kubectl("get", "crd", "aigatewayroutes.aigateway.envoyproxy.io", "-o", "name")
            assert get("gatewayclass", "aigw") and get("gateway", "aigw", SYSTEM)
            assert helm("list", "-A", "-q").split() == []
        # Another installation takes over what it finds.
        run("bash", "-c", readme_commands()[0], timeout=150)
        front.route("models-later", "later")
        until(lambda: front.asked("later") == 200, "a change that the new operator makes", 60)
    load.check()
    assert set(front.pods()) == pods, "the data plane's pods were replaced"


def operator_pods() -> list[str]:
    """Names of the operator's containers."""
    found = get("pod", None, SYSTEM, "-l", "app.kubernetes.io/name=aigw,app.kubernetes.io/component=operator")["items"]
    return [container["name"] for pod in found for container in pod["spec"]["containers"]]


def test_gateway_that_another_controller_gets(front):
    """What was made for it goes, the Gateway stays; how many pods there are was left to an autoscaler."""
    name = {"name": "second", "namespace": front.namespace}
    config = {"apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "GatewayConfig", "metadata": name}
    config |= {"spec": {"dataPlane": front.kind, "autoscaling": {"maxReplicas": 3}, "drain": {"timeout": "5s"}}}
    gateway = front.objects[1] | {"metadata": name | {"annotations": {"aigateway.envoyproxy.io/gateway-config": "second"}}}
    other = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": f"other-{front.namespace}"}}
    apply([config, gateway, other | {"spec": {"controllerName": "example.com/other"}}])
    label = "gateway.networking.k8s.io/gateway-name=second"
    mine = ["-n", front.namespace, "-l", label]
    kubectl("-n", front.namespace, "wait", "--for=condition=Programmed", "gateway/second", "--timeout=60s")
    assert kubectl("get", "horizontalpodautoscalers,roles,services", *mine, "-o", "name").count("\n") == 3
    kubectl("-n", front.namespace, "patch", "gatewayconfig", "second", "--type=json", '-p=[{"op": "remove", "path": "/spec/autoscaling"}]')
    until(lambda: not kubectl("get", "horizontalpodautoscalers", *mine, "-o", "name"), "the end of the autoscaler", 30)
    apply([gateway | {"spec": gateway["spec"] | {"gatewayClassName": other["metadata"]["name"]}}])
    until(lambda: not ours(front.namespace, f"{OURS},{label}"), "the end of what was made for it", 60)
    assert get("gateway", "second", front.namespace)


def test_deleting_every_object_leaves_nothing(front):
    assert ours(front.namespace)
    kubectl("-n", front.namespace, "delete", "aigatewayroute,aiservicebackend", "--all", "--timeout=30s")
    front.delete()
    kubectl("-n", front.namespace, "delete", "gatewayconfig", "--all", "--timeout=30s")
    until(lambda: not ours(front.namespace) and not front.pods(), "the end of what was made for the Gateway", 90)
    kubectl("delete", "gatewayclass", f"other-{front.namespace}", "--ignore-not-found")
    left = get("secret", None, front.namespace)["items"]
    assert {secret["metadata"]["name"] for secret in left} == {"openai", "anthropic"}
