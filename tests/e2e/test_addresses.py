"""Places behind one host (addresses, names, Unix sockets): they share requests, and come and go while requests are served."""

from __future__ import annotations

import shutil
import tempfile
import threading

import httpx
import pytest
import yaml

from harness.config import backend, document, rule
from harness.process import until
from harness.scripted import refused_port, serve_all
from harness.shapes import OPENAI

HOST = "models.invalid:8080"


@pytest.fixture
def replica(scripted):
    return lambda **more: scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())), **more)


@pytest.fixture
def folder():
    """A short one: paths of Unix sockets have a limit."""
    path = tempfile.mkdtemp(prefix="aigw-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def places(replica, folder):
    """Makes places of these forms, in this order: how each is reached, by which name of its own, and who serves there."""

    def make(*forms):
        made = []
        for number, form in enumerate(forms):
            path = f"{folder}/{number}.sock"
            match form:
                case "ip":
                    one = replica()
                    made.append((at(one), at(one), one))
                case "name":
                    one = replica()
                    made.append((f"localhost:{one.port}", f"localhost:{one.port}", one))
                case "unix":
                    made.append((f"unix:{path}", "localhost", replica(path=path)))
                case "dead ip":
                    made.append((f"127.0.0.1:{refused_port()}", None, None))
                case "dead name":
                    made.append(("nobody.invalid:80", None, None))
                case "dead unix":
                    made.append((f"unix:{path}", None, None))
        return made

    return make


def listed(made, **more) -> dict:
    document_ = document([backend("pods", f"http://{HOST}")], [rule("*", "pods")])
    document_["endpoints"] = [{"name": HOST, "addresses": [address for address, _, _ in made], **more}]
    return document_


def config(*replicas) -> dict:
    """A backend whose name nobody can resolve: only the addresses lead to it."""
    made = document([backend("pods", f"http://{HOST}")], [rule("*", "pods")])
    made["endpoints"] = [{"name": HOST, "addresses": [at(one) for one in replicas]}]
    return made


def at(replica) -> str:
    return replica.url.removeprefix("http://")


def ask(gateway) -> int:
    return OPENAI.post(gateway.url, OPENAI.body()).status_code


def test_replicas_share_requests(start, replica):
    one, two = replica(), replica()
    gateway = start(config(one, two))
    assert [ask(gateway) for _ in range(40)] == [200] * 40
    assert min(len(one.requests), len(two.requests)) >= 5, (len(one.requests), len(two.requests))
    hosts = {request.headers["host"] for request in one.requests + two.requests}
    assert hosts == {HOST}, "the name stays that of the backend"


def test_a_replica_that_is_taken_away_is_asked_no_more_and_no_request_fails(start, replica):
    one, two, three = replica(), replica(), replica()
    gateway = start(config(one, two))
    outcomes: list[int] = []
    stop = threading.Event()

    def load():
        with httpx.Client() as client:
            while not stop.is_set():
                answer = client.post(gateway.url + OPENAI.path, json=OPENAI.body(), timeout=20)
                outcomes.append(answer.status_code)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: one.requests and two.requests, "both are asked")
        gateway.write(config(two, three))
        until(lambda: three.requests, "the new one is asked")
        before = len(one.requests)
        asked = len(outcomes)
        until(lambda: len(outcomes) > asked + 40, "requests go on")
        assert len(one.requests) <= before + 4, "what was under way, no more"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(outcomes) == {200}


def test_nobody_there(start, replica):
    gateway = start(config())
    OPENAI.check_error(OPENAI.post(gateway.url, OPENAI.body()), 502, "upstream_unreachable")
    here = replica()
    gateway.write(config(here))
    until(lambda: ask(gateway) == 200, "it is served once somebody is there")


FORMS = [("unix",), ("unix", "unix"), ("ip", "name"), ("ip", "unix"), ("name", "name"), ("ip", "name", "unix")]


@pytest.mark.parametrize("forms", FORMS, ids=" ".join)
@pytest.mark.parametrize("own", [True, False], ids=["own names", "one name"])
def test_places_of_every_form_share_requests(start, places, forms, own):
    made = places(*forms)
    gateway = start(listed(made, ownNames=own))
    assert [ask(gateway) for _ in range(30)] == [200] * 30
    for address, name, one in made:
        assert len(one.requests) >= 3, address
        assert {request.headers["host"] for request in one.requests} == {name if own else HOST}, address


DEAD = [("dead ip", "ip"), ("dead name", "ip"), ("dead ip", "name"), ("dead unix", "unix"), ("dead name", "unix", "dead ip"), ("dead ip", "dead ip", "ip", "dead ip")]


@pytest.mark.parametrize("forms", DEAD, ids=" ".join)
def test_a_place_that_is_dead_costs_no_request(start, places, forms):
    made = places(*forms)
    gateway = start(listed(made, ownNames=True))
    assert [ask(gateway) for _ in range(30)] == [200] * 30
    [(_, name, one)] = [place for place in made if place[2]]
    assert {request.headers["host"] for request in one.requests} == {name}
    assert not [header for request in one.requests for header in request.headers if header.startswith("x-envoy-")]


def test_all_endpoints_of_a_backend_manifest_are_used(start, places):
    made = places("ip", "name", "unix", "dead ip")
    ip, port = made[0][0].split(":")
    endpoints = [
        {"ip": {"address": ip, "port": int(port)}},
        {"fqdn": {"hostname": "localhost", "port": made[1][2].port}},
        {"unix": {"path": made[2][0].removeprefix("unix:")}},
        {"ip": {"address": "127.0.0.1", "port": int(made[3][0].split(":")[1])}},
    ]
    group = "gateway.envoyproxy.io"
    gateway = start(
        yaml.safe_dump_all(
            [
                manifest("aigateway.envoyproxy.io/v1beta1", "AIGatewayRoute", rules=[{"backendRefs": [{"name": "models"}]}]),
                manifest(
                    "aigateway.envoyproxy.io/v1beta1",
                    "AIServiceBackend",
                    schema={"name": "OpenAI"},
                    backendRef={"group": group, "kind": "Backend", "name": "models"},
                ),
                manifest(f"{group}/v1alpha1", "Backend", endpoints=[*endpoints, endpoints[0]]),
            ]
        )
    )
    assert [ask(gateway) for _ in range(30)] == [200] * 30
    for address, name, one in made[:3]:
        assert {request.headers["host"] for request in one.requests} == {name}, address


def manifest(version: str, kind: str, **spec) -> dict:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "models"}, "spec": spec}
