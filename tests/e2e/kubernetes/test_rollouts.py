"""What rolls, scales and dies in the cluster costs no request and no stream."""

from __future__ import annotations

import time

import pytest

from harness.front import SYSTEM, long
from harness.kubernetes import CHART, get, helm, kubectl, rollout
from harness.load import Load
from harness.process import until

pytestmark = [pytest.mark.timeout(300), long]


def rolled(front) -> None:
    rollout("deployment", front.deployment()["metadata"]["name"], front.namespace, 150)


def test_rolling_update_of_the_data_plane(front):
    """A change of the pods' template."""
    before = set(front.pods())
    with Load(front.url, "gpt") as load:
        kubectl("-n", front.namespace, "rollout", "restart", f"deployment/{front.deployment()['metadata']['name']}")
        rolled(front)
    load.check()
    assert not before & set(front.pods())


def test_scale_to_three_and_back(front):
    with Load(front.url, "gpt") as load:
        for replicas in (3, 1, 2):
            front.configure(replicas=replicas)
            until(lambda wanted=replicas: len(front.pods()) == front.ready() == wanted, f"{replicas} pods", 90)
    load.check()


def test_pod_deleted(front):
    """As a drained node does it: with the time that the pod asks for."""
    with Load(front.url, "gpt") as load:
        gone = front.pods()[0]
        kubectl("-n", front.namespace, "delete", "pod", gone, "--wait=false")
        until(lambda: gone not in front.pods() and front.ready() == 2, "another pod", 90)
        time.sleep(3)
    load.check()


def test_rolling_update_of_the_operator(front):
    with Load(front.url, "gpt", streams=20) as load:
        kubectl("-n", SYSTEM, "rollout", "restart", "deployment/aigw")
        rollout("deployment", "aigw", SYSTEM, 120)
    load.check()


def test_helm_upgrade_and_rollback(front):
    """Another log level of the operator, and back."""
    pods = set(front.pods())
    with Load(front.url, "gpt", streams=20) as load:
        helm("upgrade", "aigw", CHART, "-n", SYSTEM, "--reuse-values", "--set", "log.level=debug", "--wait", "--timeout", "120s", timeout=150)
        helm("rollback", "aigw", "-n", SYSTEM, "--wait", "--timeout", "120s", timeout=150)
    load.check()
    assert set(front.pods()) == pods, "the data plane's pods were replaced"


def test_leader_killed(front):
    """Of two operators the other one goes on."""
    leader = get("lease", "aigw-controller", SYSTEM)["spec"]["holderIdentity"]
    with Load(front.url, "gpt", streams=20) as load:
        kubectl("-n", SYSTEM, "delete", "pod", leader, "--grace-period=0", "--force")
        front.route("changing", "after-the-leader")
        until(lambda: front.asked("after-the-leader") == 200, "a change that another operator makes", 40)
    load.check()
    assert get("lease", "aigw-controller", SYSTEM)["spec"]["holderIdentity"] != leader
    kubectl("-n", front.namespace, "delete", "aigatewayroute", "changing")
    rollout("deployment", "aigw", SYSTEM)
