"""An object of every kind that the operator reads gets a status."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml

from harness.front import SYSTEM, balancer_address
from harness.kubernetes import apply, get, kubectl
from harness.process import until

MANIFEST = Path(__file__).parent / "kinds.yaml"
EXPECTED = {
    "backend": "Accepted=True",
    "backendtlspolicy": "Accepted=True",
    "aiservicebackend": "Accepted=True",
    "backendsecuritypolicy": "Accepted=True",
    "aigatewayroute": "Accepted=True",
    "backendtrafficpolicy": "Accepted=True",
    "securitypolicy": "Accepted=False",
    "clienttrafficpolicy": "Accepted=True",
    "mcproute": "Accepted=False",
    "quotapolicy": "Accepted=False",
}


def conditions(status: dict) -> set[str]:
    """Those of the object, or of its ancestors where the kind has them there."""
    found = [*status.get("conditions", []), *(one for parent in status.get("ancestors", []) for one in parent["conditions"])]
    return {f"{one['type']}={one['status']}" for one in found}


@pytest.fixture
def applied(printed, namespace):
    objects = list(yaml.safe_load_all(MANIFEST.read_text()))
    for one in objects:
        one["metadata"].setdefault("namespace", namespace)
    apply(objects)
    yield namespace
    kubectl("-n", SYSTEM, "delete", "clienttrafficpolicy", "vendor")


def test_statuses(applied):
    def said(kind: str) -> set[str]:
        where = SYSTEM if kind == "clienttrafficpolicy" else applied
        return conditions(get(kind, "vendor", where).get("status", {}))

    for kind, condition in EXPECTED.items():
        until(lambda kind=kind, wanted=condition: wanted in said(kind), f"{kind} {condition}", 20)
    url = f"http://{balancer_address('aigw-aigw', SYSTEM)}/v1/chat/completions"

    def asked(model: str) -> int:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        return httpx.post(url, json=body, timeout=10, trust_env=False).status_code

    until(lambda: asked("vendor-model") == 503, "what a policy protects that is not honoured is not served", 20)
    assert asked("demo-model") == 200
