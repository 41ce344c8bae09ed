"""What the tests put into the cluster: namespaces, mock providers in pods, Gateways before them."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
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
# The node's parts can be ended where the cluster is the tests' own.
own_cluster = pytest.mark.skipif("E2E_AUDIT_LOG" not in os.environ, reason="needs the cluster of tests/e2e/cluster")
# Namespaces that a failure shows.
shown: list[str] = []
# Whether no test was left out by the command line.
whole = pytest.StashKey[bool]()
# From when to when what is denied says nothing: no operator was installed, or an API server did not have its rules yet.
unruled: list[tuple[datetime, datetime]] = []


@dataclass
class DataPlane:
    """What a data plane may do."""

    rules: list[dict]
    # When its Gateway was deleted.
    ended: datetime | None = None


# By user: namespace and service account.
data_planes: dict[str, DataPlane] = {}


def readme_commands() -> list[str]:
    """The commands that the README gives for Kubernetes."""
    section = README.split("\n## In Kubernetes\n", 1)[1].split("\n## ", 1)[0]
    block = section.split("```sh\n", 1)[1].split("```", 1)[0]
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@contextmanager
def no_rules() -> Iterator[None]:
    """A block in which a request may be denied: the operator is uninstalled, and may lose its rights before it ends, or an API server
    begins, which denies everything until it has read its rules."""
    began = datetime.now(UTC)
    try:
        yield
    finally:
        unruled.append((began, datetime.now(UTC)))


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
        account = self.deployment()["spec"]["template"]["spec"]["serviceAccountName"]
        roles = get("role", None, namespace, "-l", OF_FRONT)["items"]
        self.rights = data_planes[f"{namespace}:{account}"] = DataPlane([rule for role in roles for rule in role["rules"]])

    def delete(self) -> None:
        """Deletes its Gateway."""
        self.rights.ended = self.rights.ended or datetime.now(UTC)
        kubectl("-n", self.namespace, "delete", "gateway", "--all", "--timeout=60s")

    def wait(self, what: str, condition: str = "Programmed", seconds: int = 120) -> None:
        """Waits for a condition of one of its objects."""
        words = ["wait", f"--for=condition={condition}", what, f"--timeout={seconds}s"]
        kubectl("-n", self.namespace, *words, timeout=seconds + 10)

    def _address(self) -> str:
        def ask() -> str:
            addresses = get("gateway", "front", self.namespace)["status"].get("addresses") or [{}]
            return addresses[0].get("value", "")

        return until(ask, "an address of the Gateway", 30)

    def route(self, name: str, model: str, backend: str = "openai") -> None:
        """Applies an AIGatewayRoute beside its own."""
        rule = {"matches": [{"headers": [{"name": "x-ai-eg-model", "value": model}]}], "backendRefs": [{"name": backend}]}
        route = self.objects[-1] | {"metadata": {"name": name}}
        apply([route | {"spec": route["spec"] | {"rules": [rule]}}], self.namespace)

    def asked(self, model: str, client: httpx.Client | None = None) -> int:
        """What a request for a model is answered with: the status."""
        body = {"model": model, "messages": [{"role": "user", "content": "ping"}]}
        ask = client.post if client else functools.partial(httpx.post, trust_env=False)
        return ask(f"{self.url}/v1/chat/completions", json=body, timeout=10).status_code

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
