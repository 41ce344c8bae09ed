"""What clients see when an upstream fails, for every pair of dialects; and what the upstream sees when a client goes."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time

import httpx
import pytest

from harness.config import backend, document, rule, single
from harness.process import until
from harness.scripted import Gone, held, holding, refused_port, serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, events

PAIRS = [
    pytest.param(client, upstream, id=f"{client.name}-to-{upstream.name}")
    for client, upstream in itertools.product(BOTH, BOTH)
]
SCHEMA = {"openai": "OpenAI", "anthropic": "Anthropic"}
FAST = {"connect": "2s", "firstByte": "500ms", "firstByteStream": "500ms", "idle": "500ms"}


def error_body(upstream, message: str = "the model is on fire", kind: str = "server_error") -> dict:
    if upstream is ANTHROPIC:
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def answering(upstream):
    """A script that answers every request well."""
    return serve_all(lambda connection, _: connection.answer(200, upstream.answer()))


def failing(status: int, upstream, headers: dict | None = None, **more):
    return serve_all(lambda connection, _: connection.answer(status, error_body(upstream, **more), headers))


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_the_upstreams_400_is_the_clients(start, scripted, client, upstream):
    fault = scripted(failing(400, upstream, message="temperature is too hot", kind="invalid_request_error"))
    gateway = start(single(fault.url, SCHEMA[upstream.name]))
    message = client.check_error(client.post(gateway.url, client.body()), 400)
    assert "temperature is too hot" in message
    assert len(fault.requests) == 1, "a 400 is not tried again"


@pytest.mark.parametrize("client, upstream", PAIRS)
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_5xx_with_nobody_left_reaches_the_client(start, scripted, client, upstream, status):
    fault = scripted(failing(status, upstream))
    gateway = start(single(fault.url, SCHEMA[upstream.name]))
    message = client.check_error(client.post(gateway.url, client.body()), status)
    assert "the model is on fire" in message
    assert len(fault.requests) == 1, "one attempt a candidate"


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_429_with_retry_after_reaches_the_client_when_nobody_is_left(start, scripted, client, upstream):
    headers = {"retry-after": "37", "x-ratelimit-remaining-requests": "0"}
    fault = scripted(failing(429, upstream, headers, kind="rate_limit_error"))
    gateway = start(single(fault.url, SCHEMA[upstream.name]))
    response = client.post(gateway.url, client.body())
    client.check_error(response, 429)
    assert response.headers["retry-after"] == "37"
    assert response.headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.parametrize("client, upstream", PAIRS)
@pytest.mark.parametrize("status", [401, 403])
def test_the_gateways_rejected_credential_is_not_the_clients_401(start, scripted, client, upstream, status):
    fault = scripted(failing(status, upstream, kind="authentication_error"))
    gateway = start(single(fault.url, SCHEMA[upstream.name]))
    client.check_error(client.post(gateway.url, client.body()), 502, "upstream_credential_rejected")


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_connection_refused(start, client, upstream):
    gateway = start(single(f"http://127.0.0.1:{refused_port()}", SCHEMA[upstream.name]))
    response = client.post(gateway.url, client.body())
    assert response.status_code in (502, 503)
    client.check_error(response, response.status_code)
    assert response.headers.get("x-aigw-error")


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_reset_before_the_answer(start, scripted, client, upstream):
    def script(connection):
        connection.read()
        connection.reset()

    gateway = start(single(scripted(script).url, SCHEMA[upstream.name]))
    client.check_error(client.post(gateway.url, client.body()), 502)


GARBAGE = {
    "no HTTP": b"\x00\x01\x02 what is this\r\n\r\n",
    "no JSON": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n<html>502",
    "wrong length": b"HTTP/1.1 200 OK\r\ncontent-length: nine\r\n\r\n",
}


@pytest.mark.parametrize("client, upstream", PAIRS)
@pytest.mark.parametrize("case", GARBAGE, ids=str)
def test_garbage_for_an_answer(start, scripted, client, upstream, case):
    def script(connection):
        connection.read()
        connection.send(GARBAGE[case])

    gateway = start(single(scripted(script).url, SCHEMA[upstream.name]))
    response = client.post(gateway.url, client.body())
    if case == "no JSON" and client is upstream:
        assert response.content == b"<html>502", "same dialect: bytes pass as they are"
    else:
        client.check_error(response, 502)
    assert gateway.get("/v1/models").status_code == 200


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_an_error_page_that_is_no_json(start, scripted, client, upstream):
    page = b"<html><body>Bad gateway</body></html>"
    fault = scripted(serve_all(lambda c, _: c.answer(502, page, {"content-type": "text/html"})))
    gateway = start(single(fault.url, SCHEMA[upstream.name]))
    client.check_error(client.post(gateway.url, client.body()), 502)


@pytest.mark.parametrize("client, upstream", PAIRS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_slow_headers_time_out(start, scripted, client, upstream, stream):
    def script(connection):
        connection.read()
        connection.upstream.events.put(connection.wait_gone(10))

    fault = scripted(script)
    gateway = start(single(fault.url, SCHEMA[upstream.name], limits={"timeouts": FAST}))
    client.check_error(client.post(gateway.url, client.body(stream=stream)), 504)
    assert fault.event() < 5, "the upstream request was given up"


@pytest.mark.parametrize("client, upstream", PAIRS)
@pytest.mark.parametrize("how", ["close", "reset", "silence"])
def test_a_stream_cut_in_the_middle_ends_with_an_error_event(start, scripted, client, upstream, how):
    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(upstream.stream_start())
        connection.upstream.events.put("sent")
        if how == "silence":
            connection.wait_gone(10)
        elif how == "reset":
            until(lambda: received.is_set(), "the client saw the first text")
            connection.reset()

    received = threading.Event()
    fault = scripted(script)
    gateway = start(single(fault.url, SCHEMA[upstream.name], limits={"timeouts": FAST}))
    text = ""
    headers = {"content-type": "application/json"} | client.headers
    with httpx.stream("POST", gateway.url + client.path, json=client.body(stream=True), headers=headers, timeout=30) as response:
        assert response.status_code == 200
        for piece in response.iter_text():
            text += piece
            if "hi" in text:
                received.set()
    name, data = events(text)[-1]
    if client is ANTHROPIC:
        assert name == "error", text
        assert "message_stop" not in text, "a cut stream must not look complete"
    else:
        assert "[DONE]" not in text, "a cut stream must not look complete"
    client.error_message(json.loads(data))
    assert '"hi"' in text, "what arrived before the cut was given on"
    until(lambda: 'upstream_cut' in gateway.metrics() or "upstream_cut" in gateway.log, "the cut is recorded as a failure")


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_a_whole_answer_cut_in_the_middle_is_no_success(start, scripted, client, upstream):
    def script(connection):
        connection.read()
        body = json.dumps(upstream.answer("long " * 200)).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        connection.send(head + body[:300])

    gateway = start(single(scripted(script).url, SCHEMA[upstream.name]))
    try:
        response = client.post(gateway.url, client.body())
    except httpx.RemoteProtocolError:
        return  # the length shows the client that it is incomplete
    client.check_error(response, 502)


@pytest.mark.parametrize("client, upstream", PAIRS)
@pytest.mark.parametrize("when", ["before the head", "in the stream"])
def test_a_gone_client_cancels_the_upstream_within_a_second(start, scripted, client, upstream, when):
    def script(connection):
        connection.read()
        connection.upstream.events.put("asked")
        if when == "before the head":
            connection.upstream.events.put(time.monotonic() + connection.wait_gone(10) * 0)
            return
        connection.stream_head()
        connection.chunk(upstream.stream_start())
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                connection.chunk(upstream.stream_more("more "))
                time.sleep(0.02)
        except Gone:
            connection.upstream.events.put(time.monotonic())

    fault = scripted(script)
    gateway = start(single(fault.url, SCHEMA[upstream.name]))
    body = json.dumps(client.body(stream=True)).encode()
    fields = "".join(f"{name}: {value}\r\n" for name, value in client.headers.items())
    head = f"POST {client.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{fields}content-length: {len(body)}\r\n\r\n"
    sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    sock.sendall(head.encode() + body)
    assert fault.event() == "asked"
    if when == "in the stream":
        got = b""
        while b"more" not in got:
            got += sock.recv(4096)
    sock.close()
    left = time.monotonic()
    cancelled = fault.event() if when == "in the stream" else fault.event() and time.monotonic()
    assert cancelled - left < 1.0, f"the upstream was cancelled after {cancelled - left:.2f} s"


@pytest.mark.parametrize("client, upstream", PAIRS)
def test_slow_stream_longer_than_any_total_timeout_goes_on(start, scripted, client, upstream):
    """Only silence ends a stream: many pauses, each below the idle timeout, add up to more than it."""

    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(upstream.stream_start())
        for _ in range(8):
            time.sleep(0.1)
            connection.chunk(upstream.stream_more("more "))
        connection.chunk(upstream.stream_end())
        connection.end()

    gateway = start(single(scripted(script).url, SCHEMA[upstream.name], limits={"timeouts": FAST}))
    response = client.post(gateway.url, client.body(stream=True))
    assert response.text.count("more ") == 8
    assert ("message_stop" if client is ANTHROPIC else "[DONE]") in response.text


def fallback(start, first_url, first, second_url, second, **more):
    backends = [backend("first", first_url, SCHEMA[first.name]), backend("second", second_url, SCHEMA[second.name])]
    return start(document(backends, [rule("*", "first", "second", **more)], limits={"timeouts": FAST}))


def fault_scripts(upstream) -> dict:
    def reset(connection):
        connection.read()
        connection.reset()

    def silent(connection):
        connection.read()
        connection.wait_gone(10)

    def garbage(connection):
        connection.read()
        connection.send(b"garbage\r\n\r\n")

    return {
        "408": failing(408, upstream),
        "429": failing(429, upstream, kind="rate_limit_error"),
        "429 with a long retry-after": failing(429, upstream, {"retry-after": "3600"}),
        "500": failing(500, upstream),
        "503": failing(503, upstream),
        "401": failing(401, upstream, kind="authentication_error"),
        "403": failing(403, upstream, kind="permission_error"),
        "reset": reset,
        "slow headers": silent,
        "garbage": garbage,
    }


@pytest.mark.parametrize("case", [*fault_scripts(OPENAI), "refused"])
@pytest.mark.parametrize("client", BOTH, ids=lambda one: one.name)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_fallback_gives_one_clean_answer(start, scripted, client, case, stream):
    """The first backend speaks one dialect and fails, the second speaks the other and answers."""
    first, second = ANTHROPIC, OPENAI

    def good(connection, request):
        connection.upstream.events.put(request)
        if not stream:
            return connection.answer(200, second.answer("from the second"))
        connection.stream_head()
        connection.chunk(second.stream_start() + second.stream_more(" from the second") + second.stream_end())
        connection.end()

    if case == "refused":
        first_url = f"http://127.0.0.1:{refused_port()}"
    else:
        first_url = scripted(fault_scripts(first)[case]).url
    healthy = scripted(serve_all(good))
    gateway = fallback(start, first_url, first, healthy.url, second)
    response = client.post(gateway.url, client.body(stream=stream))
    assert response.status_code == 200, response.text
    assert "x-aigw-error" not in response.headers
    if stream:
        assert response.text.count("from the second") == 1
        assert "error" not in response.text
    else:
        assert client.text_of(response.json()) == "from the second"
    request = healthy.event()
    assert request.path == "/v1/chat/completions"
    leaked = [name for name in request.headers if name.startswith("anthropic-")] if client is OPENAI else []
    assert not leaked, f"the first attempt leaked into the second: {leaked}"
    assert len(healthy.requests) == 1


def test_no_second_attempt_after_the_first_byte(start, scripted):
    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(OPENAI.stream_start())

    cut = scripted(script)
    healthy = scripted(answering(OPENAI))
    gateway = fallback(start, cut.url, OPENAI, healthy.url, OPENAI)
    response = OPENAI.post(gateway.url, OPENAI.body(stream=True))
    OPENAI.error_message(json.loads(events(response.text)[-1][1]))
    assert not healthy.requests, "the client already had a byte of the first answer"


def test_all_backends_fail_the_last_error_is_the_clients(start, scripted):
    first = scripted(failing(500, OPENAI, message="first failure"))
    second = scripted(failing(503, OPENAI, message="second failure"))
    gateway = fallback(start, first.url, OPENAI, second.url, OPENAI)
    message = OPENAI.check_error(OPENAI.post(gateway.url, OPENAI.body()), 503)
    assert "second failure" in message
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_at_most_three_attempts(start, scripted):
    faults = [scripted(failing(500, OPENAI)) for _ in range(5)]
    backends = [backend(f"b{index}", fault.url) for index, fault in enumerate(faults)]
    gateway = start(document(backends, [rule("*", *[one["name"] for one in backends])]))
    OPENAI.check_error(OPENAI.post(gateway.url, OPENAI.body()), 500)
    assert [len(fault.requests) for fault in faults] == [1, 1, 1, 0, 0]


def test_an_upstreams_unknown_model_moves_on(start, scripted):
    missing = scripted(failing(404, OPENAI, message="The model `m` does not exist", kind="invalid_request_error"))
    healthy = scripted(answering(OPENAI))
    gateway = fallback(start, missing.url, OPENAI, healthy.url, OPENAI)
    assert OPENAI.post(gateway.url, OPENAI.body()).status_code == 200
    assert len(healthy.requests) == 1


def test_concurrency_limits_answer_with_retry_after(start, scripted):
    release = threading.Event()
    busy = scripted(holding(release, OPENAI.answer()))
    config = document([backend("only", busy.url, maxConcurrent=1)], [rule("*", "only")])
    gateway = start(config)
    with held(busy, release, lambda: OPENAI.post(gateway.url, OPENAI.body())) as answers:
        for client in BOTH:
            response = client.post(gateway.url, client.body())
            client.check_error(response, 429, "backend_busy")
            assert int(response.headers["retry-after"]) >= 1
    assert answers[0].status_code == 200


def test_a_gateway_that_is_full_answers_503(start, scripted):
    release = threading.Event()
    busy = scripted(holding(release, OPENAI.answer()))
    gateway = start(single(busy.url, limits={"maxConcurrent": 1}))
    with held(busy, release, lambda: OPENAI.post(gateway.url, OPENAI.body())):
        response = ANTHROPIC.post(gateway.url, ANTHROPIC.body())
        ANTHROPIC.check_error(response, 503, "gateway_busy")
        assert int(response.headers["retry-after"]) >= 1
