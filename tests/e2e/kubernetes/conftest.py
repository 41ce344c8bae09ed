"""Fixtures of the tests in a cluster: namespaces, and mock providers in pods."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from harness.kubernetes import IMAGE, apply, get, kubectl, picture, rollout
from harness.process import until

HERE = Path(__file__).parent
numbers = itertools.count(1)
namespaces: list[str] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what is in the namespaces of the tests."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for namespace in namespaces:
            report.sections.append((f"namespace {namespace}", picture(namespace)))


def make_namespace(name: str) -> str:
    kubectl("create", "namespace", name)
    namespaces.append(name)
    # Pods are refused until it is there.
    until(lambda: kubectl("-n", name, "get", "serviceaccount", "default", check=False), f"the account of {name}")
    return name


def remove_namespace(name: str) -> None:
    namespaces.remove(name)
    kubectl("delete", "namespace", name, "--wait=true", "--timeout=60s")


@pytest.fixture
def namespace():
    """A namespace of this test alone."""
    name = make_namespace(f"test-{next(numbers)}")
    yield name
    remove_namespace(name)


class Providers:
    """Mock providers in a pod: a Service in the cluster, and an address for the tests."""

    def __init__(self, namespace: str):
        self.namespace = namespace
        apply((HERE / "providers.yaml").read_text().replace("aigw:VERSION", IMAGE), namespace)
        rollout("deployment", "providers", namespace)
        self.url = f"http://{balancer_address('providers', namespace)}"


def balancer_address(service: str, namespace: str) -> str:
    """The address that a Service of type LoadBalancer got."""

    def ask() -> str:
        found = get("service", service, namespace)["status"].get("loadBalancer", {}).get("ingress", [])
        return found[0].get("ip") or found[0].get("hostname") if found else ""

    return until(ask, f"an address of the Service {service}", 30)


@pytest.fixture(scope="session")
def providers():
    """Mock providers in the namespace `providers`."""
    made = Providers(make_namespace("providers"))
    yield made
    remove_namespace(made.namespace)
