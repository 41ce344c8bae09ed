"""How long it takes from `kubectl apply` to a request that meets the change."""

from __future__ import annotations

import statistics
import time

import httpx
import pytest

from harness.front import long
from harness.kubernetes import kubectl
from harness.process import until

CHANGES = 50
P95_SECONDS = 2.0


@long
@pytest.mark.timeout(300)
def test_from_apply_to_served(front):
    took = []
    with httpx.Client(trust_env=False) as client:
        for number in range(CHANGES):
            model = f"model-{number}"
            assert front.asked(model, client) == 404
            began = time.monotonic()
            front.route("changing", model)
            until(lambda name=model: front.asked(name, client) == 200, f"{model} is served", 30)
            took.append(time.monotonic() - began)
    kubectl("-n", front.namespace, "delete", "aigatewayroute", "changing")
    p95 = statistics.quantiles(took, n=20)[-1]
    print(f"{front.kind}: median {statistics.median(took):.2f} s, p95 {p95:.2f} s, longest {max(took):.2f} s")
    assert p95 < P95_SECONDS, [round(one, 2) for one in took]
