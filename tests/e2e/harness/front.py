"""What the tests put into the cluster: namespaces, mock providers in pods, Gateways before them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from anthropic import Anthropic
from openai import OpenAI

from .kubernetes import IMAGE, REPOSITORY, apply, get, kubectl, rollout
from .process import until

MANIFESTS = Path(__file__).resolve().parents[1] / "kubernetes"
README = (REPOSITORY / "README.md").read_text()
# Where the README's commands put the operator.
SYSTEM = "aigw-system"
OF_FRONT = "aigateway.envoyproxy.io/gateway-name=front"
# Minutes each, so they run where time is no matter.
long = pytest.mark.skipif(not os.environ.get("AIGW_E2E_FULL"), reason="takes minutes: AIGW_E2E_FULL=1")
# Namespaces that a failure shows.
shown: list[str] = []


def readme_commands() -> list[str]:
    """The commands that the README gives for Kubernetes."""
    section = README.split("\n## In Kubernetes\n", 1)[1].split("\n## ", 1)[0]
    block = section.split("```sh\n", 1)[1].split("```", 1)[0]
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def make_namespace(name: str) -> str:
    kubectl("create", "namespace", name)
    shown.append(name)
    # Pods are refused until it is there.
    until(lambda: kubectl("-n", name, "get", "serviceaccount", "default", check=False), f"the account of {name}")
    return name


def remove_namespace(name: str, wait: bool = True) -> None:
    shown.remove(name)
    kubectl("delete", "namespace", name, f"--wait={str(wait).lower()}", "--timeout=90s")


def balancer_address(service: str, namespace: str) -> str:
    """The address that a Service of type LoadBalancer got."""

    def ask() -> str:
        found = get("service", service, namespace)["status"].get("loadBalancer", {}).get("ingress", [])
        return found[0].get("ip") or found[0].get("hostname") if found else ""

    return until(ask, f"an address of the Service {service}", 30)


class Providers:
    """Mock providers in a pod: a Service in the cluster, and an address for the tests."""

    def __init__(self, namespace: str):
        self.namespace = namespace
        apply((MANIFESTS / "providers.yaml").read_text().replace("IMAGE", IMAGE), namespace)
        rollout("deployment", "providers", namespace)
        self.url = f"http://{balancer_address('providers', namespace)}"

    def grant(self, namespace: str) -> None:
        """Lets backends of a namespace refer to the Service."""
        grant = {
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "ReferenceGrant",
            "metadata": {"name": f"for-{namespace}"},
            "spec": {
                "from": [{"group": "aigateway.envoyproxy.io", "kind": "AIServiceBackend", "namespace": namespace}],
                "to": [{"group": "", "kind": "Service"}],
            },
        }
        apply([grant], self.namespace)


class Front:
    """A Gateway `front` of one kind of data plane, with a route to the mock providers in each dialect."""

    def __init__(self, kind: str, namespace: str, providers: Providers):
        self.kind, self.namespace = kind, namespace
        self.objects = list(yaml.safe_load_all((MANIFESTS / "front.yaml").read_text().replace("KIND", kind)))
        providers.grant(namespace)
        apply(self.objects, namespace)
        self.wait("aigatewayroute/models")
        self.url = f"http://{self._address()}"

    def wait(self, what: str, condition: str = "Programmed", seconds: int = 120) -> None:
        """Waits for a condition of one of its objects."""
        words = ["wait", f"--for=condition={condition}", what, f"--timeout={seconds}s"]
        kubectl("-n", self.namespace, *words, timeout=seconds + 10)

    def _address(self) -> str:
        def ask() -> str:
            addresses = get("gateway", "front", self.namespace)["status"].get("addresses") or [{}]
            return addresses[0].get("value", "")

        return until(ask, "an address of the Gateway", 30)

    def configure(self, **settings: object) -> None:
        """Sets fields of its GatewayConfig."""
        config = self.objects[0]
        apply([config | {"spec": config["spec"] | settings}], self.namespace)

    def deployment(self) -> dict:
        """Its workload."""
        found = get("deployment", None, self.namespace, "-l", OF_FRONT)["items"]
        assert len(found) == 1, [one["metadata"]["name"] for one in found]
        return found[0]

    def ready(self) -> int:
        """How many of its pods take requests."""
        return self.deployment()["status"].get("readyReplicas", 0)

    def pods(self) -> list[str]:
        """Names of its pods that are not on their way out."""
        found = get("pod", None, self.namespace, "-l", OF_FRONT)["items"]
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def openai(self) -> OpenAI:
        return OpenAI(base_url=self.url + "/v1", api_key="client", max_retries=0, timeout=30)

    def anthropic(self) -> Anthropic:
        return Anthropic(base_url=self.url, api_key="client", max_retries=0, timeout=30)
