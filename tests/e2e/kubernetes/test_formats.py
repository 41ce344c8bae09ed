"""Operator and data plane of different snapshot formats: an upgrade to a release with a newer one, and back.

The newer release is what these sources are with a format's number that is one higher (cluster/next-format.sh): both programs, each with
the formats that it reads and writes, in pods.
"""

from __future__ import annotations

import base64
import json
import threading
import time

import pytest

from harness.front import SYSTEM, balancer_address, long, own_cluster
from harness.kubernetes import CHART, IMAGE, REPOSITORY, apply, get, helm, kubectl, run
from harness.load import Load
from harness.process import until

CLUSTER = REPOSITORY / "tests" / "e2e" / "cluster"
NEXT_TAG = "next-format"
OF_GATEWAY = "aigateway.envoyproxy.io/gateway-name=aigw"


def index() -> dict:
    data = get("secret", "aigw-aigw-index", SYSTEM)["data"]["index"]
    return json.loads(base64.b64decode(data))


def pods() -> list[dict]:
    return get("pod", None, SYSTEM, "-l", OF_GATEWAY)["items"]


def is_old(pod: dict) -> bool:
    containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
    return IMAGE in [container["image"] for container in containers]


def is_ready(pod: dict) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


class Observer:
    """Looks again and again at the format of the index and at the pods that are there a moment later."""

    def __enter__(self) -> Observer:
        self.seen: list[tuple[dict, list[dict]]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _look(self) -> None:
        while not self._stopping.is_set():
            self.seen.append((index(), pods()))
            time.sleep(0.1)

    def mixed(self) -> bool:
        """Whether pods of both releases are there now, the new one serving."""
        now = self.seen[-1][1] if self.seen else []
        return any(is_old(pod) for pod in now) and any(is_ready(pod) for pod in now if not is_old(pod))


def add_model(name: str) -> None:
    """A route beside the README's, for the same backend."""
    demo = get("aigatewayroute", "demo", "default")
    rule = {"matches": [{"headers": [{"name": "x-ai-eg-model", "value": name}]}], "backendRefs": [{"name": "mock"}]}
    apply([{key: demo[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name}, "spec": demo["spec"] | {"rules": [rule]}}], "default")


@long
@own_cluster
@pytest.mark.timeout(1500)
def test_upgrade_to_a_newer_format_and_back(printed, tmp_path):
    image = tmp_path / "next.tar"
    run(CLUSTER / "next-format.sh", IMAGE.rsplit(":", 1)[0] + f":{NEXT_TAG}", image, timeout=1200)
    run(CLUSTER / "load.sh", image)
    url = f"http://{balancer_address('aigw-aigw', SYSTEM)}"
    old = index()
    assert all(is_old(pod) for pod in pods())

    with Load(url, "demo-model") as load, Observer() as upgrade:
        helm("upgrade", "aigw", CHART, "-n", SYSTEM, "--reuse-values", "--set", f"image.tag={NEXT_TAG}", "--timeout", "120s", timeout=150)
        until(upgrade.mixed, "pods of both releases", 120)
        # The new operator writes while old pods read.
        add_model("meanwhile")
        kubectl("wait", "--for=condition=Programmed", "aigatewayroute/meanwhile", "--timeout=30s")
        until(lambda: not any(is_old(pod) for pod in pods()), "the end of the old pods", 120)
        until(lambda: index()["format"] == old["format"] + 1, "the newer format, as every pod reads it", 30)
    load.check()
    beside = [(seen, there) for seen, there in upgrade.seen if any(is_old(pod) for pod in there)]
    assert {seen["format"] for seen, _ in beside} == {old["format"]}, "an old pod met the newer format"
    assert any(seen["version"] != old["version"] for seen, _ in beside), "nothing was written beside old pods"
    assert any(is_ready(pod) for _, there in beside for pod in there if not is_old(pod)), "no new pod served the older format"

    with Load(url, "meanwhile") as load, Observer() as back:
        helm("rollback", "aigw", "-n", SYSTEM, "--timeout", "120s", timeout=150)
        until(lambda: all(map(is_old, pods())) and len([pod for pod in pods() if is_ready(pod)]) == 2, "old pods", 180)
        add_model("afterwards")
        kubectl("wait", "--for=condition=Programmed", "aigatewayroute/afterwards", "--timeout=30s")
    load.check()
    assert index()["format"] == old["format"]
    assert any(
        seen["format"] == old["format"] and is_ready(pod) for seen, there in back.seen for pod in there if not is_old(pod)
    ), "no new pod read what the old operator wrote"
    kubectl("delete", "aigatewayroute", "meanwhile", "afterwards")
