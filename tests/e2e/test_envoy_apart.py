"""An Envoy that was started apart goes on while the gateway's process is replaced, and lets nothing past it without one."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import threading
import time
from collections import Counter

import httpx
import pytest

from harness import apart as starting
from harness import process
from harness.apart import Apart
from harness.config import backend, document, rule, single
from harness.process import HOSTS, Program, environment, until
from harness.scripted import serve_all
from harness.shapes import OPENAI

pytestmark = pytest.mark.hosts("envoy", "envoy-local", reason="about Envoy itself")

# Envoy's own word when there is no gateway behind it.
UNAVAILABLE = {"envoy": "processor_unavailable", "envoy-local": "gateway_unavailable"}


@pytest.fixture
def apart(tmp_path_factory):
    mine = []

    def begin(config: dict) -> Apart:
        mine.append(Apart(tmp_path_factory.mktemp("a") / "x", config))
        return mine[-1]

    yield begin
    for one in mine:
        one.close()


@pytest.fixture
def upstream(scripted):
    return scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))


def test_an_envoy_that_is_started_apart(apart, upstream, port):
    """It may come first, goes on when the gateway's process is replaced, and says so while there is none."""
    url = f"http://127.0.0.1:{port}"
    both = apart(single(upstream.url, listeners=[{"name": "http", "address": f"127.0.0.1:{port}"}]))
    first = both.start()

    def served():
        try:
            response = OPENAI.post(url, OPENAI.body())
            return response.status_code == 200 and OPENAI.text_of(response.json()) == "hi there"
        except httpx.HTTPError:
            return False

    until(served, "the first requests are served")
    first.popen.kill()
    first.popen.wait()
    before = len(upstream.requests)
    begin = time.monotonic()
    response = OPENAI.post(url, OPENAI.body())
    assert time.monotonic() - begin < 2
    OPENAI.check_error(response, 503, UNAVAILABLE[process.host])
    assert len(upstream.requests) == before, "nothing goes on without a gateway"
    both.start()
    begin = time.monotonic()
    until(served, "the next process serves")
    assert time.monotonic() - begin < 1, "recovery takes less than a second"
    shown = httpx.get(f"http://{both.programs[-1].addresses['admin']}/envoy", timeout=10).json()
    assert shown["process"] is None


KEY = "key-of-upstream"


def slow_answers(connection):
    """Answers take a while, so that many are under way at any time."""
    while True:
        request = connection.read()
        if request.headers.get("authorization") != f"Bearer {KEY}":
            connection.upstream.events.put(dict(request.headers))
        time.sleep(0.1)
        if not request.json.get("stream"):
            connection.answer(200, OPENAI.answer())
            continue
        connection.stream_head()
        connection.chunk(OPENAI.stream_start())
        for _ in range(3):
            time.sleep(0.1)
            connection.chunk(OPENAI.stream_more("more "))
        connection.chunk(OPENAI.stream_end())
        connection.end()


def outcome(url: str, stream: bool) -> str:
    """How one request ended; a code where the answer has one."""
    has_head = False
    try:
        with httpx.stream("POST", url, json=OPENAI.body(stream=stream), timeout=20) as response:
            has_head = response.status_code == 200
            text = response.read().decode()
    except httpx.TimeoutException:
        return "hung"
    except httpx.HTTPError as error:
        return "cut" if has_head else repr(error)
    if response.status_code != 200:
        return response.headers.get("x-aigw-error", f"{response.status_code} without a name")
    if "upstream_cut" in text:
        return "cut"
    return "whole" if ("[DONE]" in text if stream else "hi there" in text) else f"not whole: {text[-200:]}"


@pytest.mark.parametrize("how", ["killed", "ended in order"])
def test_requests_under_way_while_the_gateway_is_replaced(apart, scripted, port, how):
    upstream = scripted(slow_answers)
    url = f"http://127.0.0.1:{port}{OPENAI.path}"
    listeners = [{"name": "http", "address": f"127.0.0.1:{port}"}]
    both = apart(document([backend("only", upstream.url, apiKey=KEY)], [rule("*", "only")], listeners=listeners))
    first = both.start()
    until(lambda: outcome(url, False) == "whole", "the first requests are served")
    done = threading.Event()
    ends: list[tuple[float, str]] = []

    def load(stream: bool) -> None:
        while not done.is_set():
            began = time.monotonic()
            ends.append((began, outcome(url, stream)))

    threads = [threading.Thread(target=load, args=(index % 2 == 0,)) for index in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    if how == "killed":
        first.popen.kill()
    else:
        first.terminate()
    first.popen.wait(20)
    time.sleep(0.5)
    both.start()
    again = time.monotonic()
    until(lambda: outcome(url, False) == "whole", "the next process serves")
    assert time.monotonic() - again < 3, "recovery takes a second, and an answer of a busy machine"
    back = time.monotonic()
    time.sleep(1)
    done.set()
    for thread in threads:
        thread.join(30)
    counts = Counter(end for _, end in ends)
    named = {UNAVAILABLE[process.host], "gateway_unavailable", "gateway_draining", "unknown_exchange"}
    expected = {"whole"} | named | ({"cut"} if how == "killed" else set())
    assert set(counts) <= expected, counts
    assert counts["whole"] > 16 and sum(counts[name] for name in named) > 0, counts
    late = Counter(end for began, end in ends if began > back)
    assert set(late) == {"whole"}, late
    assert upstream.events.empty(), f"without the gateway's key: {upstream.events.get()}"


def administration(directory, path: str):
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(directory / "envoy.sock")), timeout=10) as http:
        return http.get(f"http://envoy{path}").json()


def standing_alone(directory, port: int, filters: bool, guards: bool) -> dict:
    """All that a gateway told its Envoy, as a configuration that stands for itself, on another port: without the external
    processor, and, where asked for, without what takes forged headers away."""
    dump = {one["@type"].rsplit(".", 1)[-1]: one for one in administration(directory, "/config_dump?include_eds")["configs"]}
    routes = {one["route_config"]["name"]: one["route_config"] for one in dump["RoutesConfigDump"]["dynamic_route_configs"]}
    found = [one["endpoint_config"] for one in dump["EndpointsConfigDump"].get("dynamic_endpoint_configs", [])]
    addresses = {one["cluster_name"]: one["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] for one in found}
    clusters = []
    for one in dump["ClustersConfigDump"]["dynamic_active_clusters"]:
        cluster = copy.deepcopy(one["cluster"])
        if cluster.pop("eds_cluster_config", None):
            place = {"lb_endpoints": [{"endpoint": {"address": addresses[cluster["name"]]}}]}
            cluster |= {"type": "STATIC", "load_assignment": {"cluster_name": cluster["name"], "endpoints": [place]}}
        clusters.append(cluster)
    (listener,) = [one["active_state"]["listener"] for one in dump["ListenersConfigDump"]["dynamic_listeners"]]
    listener["address"]["socket_address"]["port_value"] = port
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["route_config"] = routes[manager.pop("rds")["route_config_name"]]
    manager["route_config"].pop("@type")
    if not filters:
        before = len(manager["http_filters"])
        manager["http_filters"] = [one for one in manager["http_filters"] if "ext_proc" not in one["name"]]
        assert len(manager["http_filters"]) == before - 1
    if not guards:
        assert manager.pop("early_header_mutation_extensions")
    for resource in [listener, *clusters]:
        resource.pop("@type", None)
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


@pytest.mark.hosts("envoy", reason="about the external processor's place")
def test_without_the_processor_no_request_reaches_an_upstream(start, upstream, port, tmp_path_factory):
    """Whatever a client forges. The same without what takes forged headers away shows that the test would see it."""
    directory = tmp_path_factory.mktemp("b")
    gateway = start(single(upstream.url), arguments=["--run-dir", directory / "run"])
    assert OPENAI.post(gateway.url, OPENAI.body()).status_code == 200
    seen = len(upstream.requests)
    url = f"http://127.0.0.1:{port}"

    def forged(config: dict) -> Counter:
        """What becomes of requests that name each cluster in turn."""
        home = tmp_path_factory.mktemp("c")
        envoy = starting.envoy(home, json.dumps(config))
        counts: Counter = Counter()
        try:
            def listens():
                try:
                    return httpx.get(url, timeout=5)
                except httpx.HTTPError:
                    assert envoy.poll() is None, (home / "envoy.log").read_text()
                    return None

            until(listens, "Envoy serves")
            for cluster in config["static_resources"]["clusters"]:
                headers = {
                    "x-aigw-cluster": cluster["name"], "x-aigw-exchange": "0" * 32, "x-aigw-peer": "127.0.0.1",
                    "x-forwarded-proto": "http", "x-envoy-original-path": "/", "authorization": f"Bearer {KEY}",
                }
                response = httpx.post(url + OPENAI.path, json=OPENAI.body(), headers=headers, timeout=10)
                counts[response.status_code] += 1
                # Without a body: common versions of curl lose an answer that comes before they have sent theirs.
                command = ["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}"]
                command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
                result = subprocess.run([*command, url + OPENAI.path], capture_output=True, text=True, timeout=20, check=True)
                counts[int(result.stdout)] += 1
        finally:
            envoy.kill()
            envoy.wait()
        return counts

    counts = forged(standing_alone(directory / "run", port, filters=False, guards=True))
    assert set(counts) == {503} and sum(counts.values()) >= 6, counts
    assert len(upstream.requests) == seen, "nothing reaches the upstream"
    counts = forged(standing_alone(directory / "run", port, filters=False, guards=False))
    assert len(upstream.requests) > seen, counts


def test_an_envoy_that_is_equipped_by_the_gateway(upstream, port, tmp_path_factory):
    """As in a pod: the gateway first, and from it the bootstrap, and its program for a container that has none."""
    directory = tmp_path_factory.mktemp("e")
    config = directory / "aigw.yaml"
    listeners = [{"name": "http", "address": f"127.0.0.1:{port}"}]
    config.write_text(json.dumps(single(upstream.url, listeners=listeners)))
    flags = [flag for flag in HOSTS[process.host] if flag != "--envoy"]
    equip = ["--run-dir", "run", "--bootstrap-to", "run/bootstrap.yaml", "--copy-to", "copy"]
    program = Program("extproc", directory, ["extproc", config, "--admin", "127.0.0.1:0", *equip, *flags])
    envoy = None
    try:
        with (directory / "envoy.log").open("wb") as log:
            envoy = subprocess.Popen(
                [os.environ["ENVOY_BIN"], "--config-path", "run/bootstrap.yaml", "--disable-hot-restart"],
                cwd=directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

        def served():
            try:
                return OPENAI.post(f"http://127.0.0.1:{port}", OPENAI.body()).status_code == 200
            except httpx.HTTPError:
                return False

        until(served, "requests are served")
        asked = [directory / "copy", "healthcheck", "--admin", program.addresses["admin"]]
        subprocess.run(asked, env={}, stdin=subprocess.DEVNULL, timeout=20, check=True)
        assert (directory / "run/bootstrap.yaml").stat().st_mode & 0o777 == 0o600
    finally:
        if envoy is not None:
            envoy.kill()
            envoy.wait()
        program.kill()
