"""SIGTERM drains: what is in flight is finished, nothing new is accepted, and the process ends with 0."""

from __future__ import annotations

import threading

import httpx
import pytest

from harness.config import single
from harness.process import until
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_a_stream_in_flight_is_finished(start, scripted, client):
    go_on = threading.Event()

    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(client.stream_start())
        go_on.wait(20)
        connection.chunk(client.stream_more("after SIGTERM") + client.stream_end())
        connection.end()

    upstream = scripted(script)
    gateway = start(single(upstream.url, {"openai": "OpenAI", "anthropic": "Anthropic"}[client.name]))
    gateway.ended_by_test = True
    headers = {"content-type": "application/json"} | client.headers
    with httpx.stream("POST", gateway.url + client.path, json=client.body(stream=True), headers=headers, timeout=30) as response:
        pieces = response.iter_text()
        text = next(pieces)
        gateway.terminate()

        def refused():
            try:
                return gateway.get("/v1/models").status_code == 503
            except httpx.HTTPError:
                return True

        until(refused, "no new request is served")
        assert gateway.alive, "the process waits for the stream"
        go_on.set()
        text += "".join(pieces)
    assert "after SIGTERM" in text
    assert ("message_stop" if client is ANTHROPIC else "[DONE]") in text
    assert gateway.popen.wait(10) == 0
    assert "panicked" not in gateway.log


def test_idle_connections_do_not_hold_it(start, scripted):
    def script(connection):
        while True:
            connection.read()
            connection.answer(200, OPENAI.answer())

    gateway = start(single(scripted(script).url))
    gateway.ended_by_test = True
    with httpx.Client() as client:
        assert client.post(gateway.url + OPENAI.path, json=OPENAI.body()).status_code == 200
        gateway.terminate()
        assert gateway.popen.wait(5) == 0
