"""What serves does not need the operator, and for a time not even the API server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import httpx
import pytest

from harness.audit import read_log
from harness.front import SYSTEM, long, no_rules, own_cluster
from harness.kubernetes import REPOSITORY, apply, get, kubectl, rollout, run
from harness.load import Load
from harness.process import until

pytestmark = [pytest.mark.timeout(300), long]
CLUSTER = REPOSITORY / "tests" / "e2e" / "cluster"
# How long the operator is away; nothing in a data plane counts this time, so more of it shows no more.
AWAY_SECONDS = 45
KEY_OF_MOCK = "sk-mock-openai"


def set_key(front, key: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "openai"}, "stringData": {"apiKey": key}}
    apply([secret], front.namespace)


def test_operator_away(front):
    """Pods that start meanwhile serve, with the keys that were there last."""
    kubectl("-n", SYSTEM, "scale", "deployment/aigw", "--replicas=0")
    kubectl("-n", SYSTEM, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=operator", "--timeout=60s")
    began = time.monotonic()
    set_key(front, "sk-wrong")
    with Load(front.url, "gpt") as load:
        for gone in front.pods():
            kubectl("-n", front.namespace, "delete", "pod", gone, "--wait=false")
            until(lambda name=gone: name not in front.pods() and front.ready() == 2, "another pod", 90)
    load.check()
    # All at once, and with no time to say goodbye.
    kubectl("-n", front.namespace, "delete", "pod", *front.pods(), "--grace-period=0", "--force")
    until(lambda: front.ready() == 2, "new pods", 60)
    while time.monotonic() < began + AWAY_SECONDS:
        assert front.asked("gpt") == 200
        time.sleep(0.5)
    kubectl("-n", SYSTEM, "scale", "deployment/aigw", "--replicas=2")
    # The provider refuses it, which is no fault of the client.
    until(lambda: front.asked("gpt") == 502, "the operator brings the other key", 60)
    set_key(front, KEY_OF_MOCK)
    until(lambda: front.asked("gpt") == 200, "the right key", 30)
    rollout("deployment", "aigw", SYSTEM)


def in_node(*command: str) -> str:
    return run(CLUSTER / "in-node.sh", *command).stdout


CTR = ["ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io"]


class Pod:
    """A pod of a data plane as its node sees it, whatever the API server does."""

    def __init__(self, front):
        pod = get("pod", front.pods()[0], front.namespace)
        self.name = pod["metadata"]["name"]
        containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
        ports = {port["name"]: port["containerPort"] for one in containers for port in one.get("ports", [])}
        self.container = next(one["name"] for one in containers if any(port["name"] == "status" for port in one.get("ports", [])))
        self.status = f"http://{pod['status']['podIP']}:{ports['status']}"

    def task(self) -> str:
        """The running container with the gateway in it; empty if there is none."""
        labels = f'labels."io.kubernetes.pod.name"=={self.name},labels."io.kubernetes.container.name"=={self.container}'
        mine = in_node(*CTR, "containers", "ls", "-q", labels).split()
        running = [line.split()[0] for line in in_node(*CTR, "tasks", "ls").splitlines() if line.endswith("RUNNING")]
        return next((one for one in mine if one in running), "")

    def kill(self) -> None:
        """Ends the gateway in it as a crash does."""
        in_node(*CTR, "tasks", "kill", "-s", "SIGKILL", self.task())

    def is_ready(self) -> bool:
        try:
            return httpx.get(self.status + "/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def version(self) -> dict:
        return json.loads(httpx.get(self.status + "/version", timeout=2, trust_env=False).text)


@own_cluster
def test_api_server_away(front):
    """It is killed under load; a gateway that crashes meanwhile starts with what it kept; after it everything goes on."""
    pod = Pod(front)
    before, task = pod.version(), pod.task()
    assert before["snapshot"] and task
    with Load(front.url, "gpt", streams=20) as load:
        run(CLUSTER / "part.sh", "kill", "kube-apiserver")
        # Longer than a leader may go without its Lease.
        time.sleep(20)
    try:
        load.check()
        pod.kill()
        until(lambda: pod.task() not in ("", task), "the kubelet starts it again", 60)
        until(pod.is_ready, "it serves", 30)
        assert pod.version()["snapshot"] == before["snapshot"]
        until(lambda: front.asked("gpt") == 200, "requests are served", 10)
    finally:
        again = datetime.now(UTC)
        with no_rules():
            run(CLUSTER / "part.sh", "start", "kube-apiserver")
            until(lambda: kubectl("get", "--raw", "/readyz", check=False) == "ok", "the API server", 60)
    with Load(front.url, "gpt", streams=20) as load:
        front.route("changing", "after-the-outage")
        until(lambda: front.asked("after-the-outage") == 200, "a change after it", 60)
    load.check()
    kubectl("-n", front.namespace, "delete", "aigatewayroute", "changing")
    until(lambda: front.ready() == 2, "two pods", 60)
    # Each of the two pods begins to watch once, or a few times while the API server is not whole yet.
    watches = [one for one in read_log({f"{front.namespace}:aigw-front"}) if one.at > again and one.verb == "watch"]
    assert 2 <= len(watches) < 30, f"{len(watches)} watches"
