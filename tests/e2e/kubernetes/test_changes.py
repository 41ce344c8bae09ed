"""How long it takes from `kubectl apply` to a request that meets the change."""

from __future__ import annotations

import statistics
import time

import httpx
import pytest

from harness.front import long
from harness.kubernetes import apply, kubectl
from harness.process import until

CHANGES = 50
P95_SECONDS = 2.0


def route(model: str) -> dict:
    return {
        "apiVersion": "aigateway.envoyproxy.io/v1beta1",
        "kind": "AIGatewayRoute",
        "metadata": {"name": "changing"},
        "spec": {
            "parentRefs": [{"name": "front"}],
            "rules": [
                {"matches": [{"headers": [{"name": "x-ai-eg-model", "value": model}]}], "backendRefs": [{"name": "openai"}]}
            ],
        },
    }


@long
@pytest.mark.timeout(300)
def test_from_apply_to_served(front, record_property):
    with httpx.Client(base_url=front.url, timeout=10, trust_env=False) as client:

        def served(model: str) -> bool:
            body = {"model": model, "messages": [{"role": "user", "content": "ping"}]}
            return client.post("/v1/chat/completions", json=body).status_code == 200

        took = []
        for number in range(CHANGES):
            model = f"model-{number}"
            assert not served(model)
            began = time.monotonic()
            apply([route(model)], front.namespace)
            until(lambda name=model: served(name), f"{model} is served", 30)
            took.append(time.monotonic() - began)
    p95 = statistics.quantiles(took, n=20)[-1]
    print(f"{front.kind}: median {statistics.median(took):.2f} s, p95 {p95:.2f} s, longest {max(took):.2f} s")
    kubectl("-n", front.namespace, "delete", "aigatewayroute", "changing")
    assert p95 < P95_SECONDS, [round(one, 2) for one in took]
