"""The README's three commands, and what the first of them brings into a cluster."""

from __future__ import annotations

import json

import pytest

from harness.front import SYSTEM, readme_commands
from harness.kubernetes import get, kubectl


@pytest.mark.timeout(300)
def test_the_readmes_commands(printed):
    """As they are printed: an operator with a Gateway, one model's objects, one request."""
    assert len(readme_commands()) == 3
    answer = json.loads(printed[2])
    assert "Hello" in answer["choices"][0]["message"]["content"]


def test_definitions_have_come_and_the_job_has_gone(printed):
    kinds = kubectl("get", "crd", "-o", "name")
    for kind in ("aigatewayroutes.aigateway.envoyproxy.io", "gateways.gateway.networking.k8s.io", "backends.gateway.envoyproxy.io"):
        assert kind in kinds
    assert get("gatewayclass", "aigw")["spec"]["controllerName"] == "aigateway.envoyproxy.io/aigw"
    assert "aigw-crds" not in kubectl("-n", SYSTEM, "get", "jobs,configmaps,serviceaccounts", "-o", "name")
    assert "aigw-crds" not in kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
