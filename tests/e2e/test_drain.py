"""`aigw drain`, as a container's preStop runs it: readiness fails, clients are sent elsewhere, streams finish, requests that still come are served."""

from __future__ import annotations

import subprocess
import threading
import time

import httpx
import pytest

from harness.config import single
from harness.process import BINARY, aigw, environment, until
from harness.shapes import BOTH, OPENAI, by_name

SCHEMA = {"openai": "OpenAI", "anthropic": "Anthropic"}


def draining(gateway, *more) -> subprocess.Popen:
    command = [str(BINARY), "drain", "--admin", gateway.admin.removeprefix("http://"), *more]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(connection):
    while True:
        connection.read()
        connection.answer(200, OPENAI.answer())


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_streams_finish_and_clients_are_sent_elsewhere(start, scripted, client):
    go_on = threading.Event()

    def script(connection):
        request = connection.read()
        if b'"stream":true' not in request.body.replace(b" ", b""):
            connection.answer(200, client.answer())
            return
        connection.stream_head()
        connection.chunk(client.stream_start())
        go_on.wait(30)
        connection.chunk(client.stream_more("after the drain began") + client.stream_end())
        connection.end()

    gateway = start(single(scripted(script).url, SCHEMA[client.name]))
    headers = {"content-type": "application/json"} | client.headers
    body = client.body(stream=True)
    with httpx.Client(timeout=30) as kept, httpx.stream("POST", gateway.url + client.path, json=body, headers=headers, timeout=30) as response:
        assert kept.post(gateway.url + client.path, json=client.body(), headers=headers).status_code == 200
        pieces = response.iter_text()
        text = next(pieces)
        drain = draining(gateway, "--wait", "1s")
        until(lambda: httpx.get(gateway.admin + "/ready").status_code == 503, "readiness fails")
        assert httpx.get(gateway.admin + "/health").status_code == 200
        # On a connection of before and on a new one: served, and not kept.
        for _ in range(2):
            late = kept.post(gateway.url + client.path, json=client.body(), headers=headers)
            assert (late.status_code, late.headers.get("connection")) == (200, "close")
        time.sleep(1.5)
        assert drain.poll() is None, "it waits for the stream"
        go_on.set()
        text += "".join(pieces)
    assert "after the drain began" in text
    assert drain.wait(20) == 0, drain.stderr.read()
    assert drain.stdout.read() == "drained\n"
    assert gateway.alive, "the process is ended by whoever started it"


def test_what_does_not_end_in_time_is_cut(start, scripted):
    go_on = threading.Event()

    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(OPENAI.stream_start())
        go_on.wait(60)

    gateway = start(single(scripted(script).url))
    gateway.ended_by_test = True
    with httpx.stream("POST", gateway.url + OPENAI.path, json=OPENAI.body(stream=True), timeout=30) as response:
        pieces = response.iter_text()
        next(pieces)
        drain = draining(gateway, "--wait", "100ms", "--timeout", "1s")
        assert drain.wait(20) == 1
        assert "not drained after 1s: 1 requests are under way" in drain.stderr.read()
        began = time.monotonic()
        gateway.terminate()
        # The drain timeout of the process is much longer, and has been used up.
        assert gateway.popen.wait(10) == 0
        assert time.monotonic() - began < 8
    go_on.set()


def test_http2_connections_are_sent_elsewhere(start, scripted):
    gateway = start(single(scripted(answers).url))
    drain = draining(gateway, "--wait", "3s")
    until(lambda: httpx.get(gateway.admin + "/ready").status_code == 503, "readiness fails")
    command = ["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version} %{http_code} ", gateway.url + "/v1/models", "-o", "/dev/null", gateway.url + "/v1/models"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert result.stdout == "2 200 2 200 ", result.stdout + result.stderr
    assert drain.wait(20) == 0, drain.stderr.read()


def test_nothing_to_drain():
    result = aigw("drain", "--admin", "127.0.0.1:9")
    assert (result.returncode, result.stdout) == (0, "nothing runs\n")


def test_the_admin_port_takes_no_drain_by_accident(start, scripted):
    gateway = start(single(scripted(answers).url))
    assert httpx.get(gateway.admin + "/drain").status_code == 405
    assert httpx.post(gateway.admin + "/drain").status_code == 400
    assert httpx.get(gateway.admin + "/ready").status_code == 200
