"""Every wrong request is answered in the client's dialect, with the right status and a message that says what to do, and
never reaches an upstream."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from harness.config import backend, document, rule
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name

LIMIT = 64 * 1024


@pytest.fixture
def closed(start, scripted):
    """A gateway whose upstreams must never be asked."""

    def asked(connection):
        raise AssertionError(f"a bad request reached the upstream: {connection.read()}")

    upstream = scripted(asked)
    backends = [backend("openai", upstream.url), backend("anthropic", upstream.url, "Anthropic")]
    rules = [rule(["gpt-1", "whisper-1"], "openai"), rule("claude-1", "anthropic")]
    return start(document(backends, rules, limits={"maxRequestBody": f"{LIMIT}"}))


def body(dialect, model="gpt-1", **more):
    return dialect.body(model, **more)


BAD_BODIES = {
    "nothing": (b"", 400),
    "no JSON": (b"hello", 400),
    "broken off": (b'{"model": "gpt-1", "messages": [', 400),
    "trailing text": (b'{"model": "gpt-1", "messages": []} x', 400),
    "an array": (b"[1, 2]", 400),
    "a string": (b'"gpt-1"', 400),
    "no UTF-8": (b'{"model": "gpt-\xff\xfe", "messages": []}', 400),
    "no model": (b'{"messages": [{"role": "user", "content": "x"}]}', 400),
    "empty model": (b'{"model": "", "messages": []}', 400),
    "null model": (b'{"model": null, "messages": []}', 400),
    "number for model": (b'{"model": 4, "messages": []}', 400),
    "model twice": (b'{"model": "gpt-1", "messages": [], "model": "claude-1"}', 400),
    "model twice, once escaped": (b'{"model": "gpt-1", "messages": [], "mod\\u0065l": "claude-1"}', 400),
    "stream twice": (b'{"model": "gpt-1", "stream": true, "messages": [], "stream": false}', 400),
    "unknown model": (b'{"model": "no-such-model", "messages": []}', 404),
}


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
@pytest.mark.parametrize("case", BAD_BODIES, ids=str)
def test_bad_body(closed, dialect, case):
    content, status = BAD_BODIES[case]
    response = dialect.post(closed.url, content)
    message = dialect.check_error(response, status)
    assert response.headers.get("x-aigw-error"), "a gateway's own error has a stable code"
    if "model" in case and "model twice" not in case:
        assert "model" in message.lower()


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
@pytest.mark.parametrize("model", ["gpt-1", "claude-1"])
@pytest.mark.parametrize(
    "more",
    [{"messages": "hello"}, {"messages": [{"role": "user"}]}, {"messages": [3]}, {"messages": None}],
    ids=lambda more: json.dumps(more["messages"])[:20],
)
def test_a_translation_of_nonsense_is_a_400(closed, dialect, model, more):
    translated = (dialect.name == "openai") == (model == "claude-1")
    if not translated:
        pytest.skip("passed through: the provider judges it")
    dialect.check_error(dialect.post(closed.url, body(dialect, model, **more)), 400)


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_unknown_model_says_where_to_look(closed, dialect):
    response = dialect.post(closed.url, body(dialect, "gpt-99"))
    message = dialect.check_error(response, 404, "model_not_found")
    assert "gpt-99" in message and "/v1/models" in message


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_body_over_the_limit_announced(closed, dialect):
    big = body(dialect, user="x" * LIMIT)
    message = dialect.check_error(dialect.post(closed.url, big), 413, "request_too_large")
    assert str(LIMIT) in message


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_body_over_the_limit_in_chunks(closed, dialect):
    def pieces():
        yield b'{"model": "gpt-1", "pad": "'
        for _ in range(12):
            yield b"x" * (LIMIT // 8)
        yield b'"}'

    headers = {"content-type": "application/json"} | dialect.headers
    response = httpx.post(closed.url + dialect.path, content=pieces(), headers=headers, timeout=30)
    dialect.check_error(response, 413, "request_too_large")


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_compressed_body_that_grows_over_the_limit(closed, dialect):
    bomb = gzip.compress(json.dumps(body(dialect, user="x" * LIMIT * 64)).encode())
    assert len(bomb) < LIMIT
    response = dialect.post(closed.url, bomb, content_encoding="gzip")
    dialect.check_error(response, 413, "request_too_large")


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_compressed_body_that_is_not(closed, dialect):
    dialect.check_error(dialect.post(closed.url, b"no gzip at all", content_encoding="gzip"), 400)


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_unknown_content_encoding(closed, dialect):
    response = dialect.post(closed.url, body(dialect), content_encoding="rot13")
    assert response.status_code in (400, 415), response.text
    dialect.check_error(response, response.status_code)


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_wrong_method(closed, dialect, method):
    response = httpx.request(method, closed.url + dialect.path, headers=dialect.headers, timeout=30)
    dialect.check_error(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chat", "/v2/chat/completions", "/v1/messages/../../etc/passwd", "/%00"])
def test_unknown_path(closed, dialect, path):
    response = dialect.post(closed.url, body(dialect), path=path)
    message = dialect.check_error(response, 404, "unknown_path")
    assert "base URL" in message


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses", "/v1/images/generations", "/v1/audio/speech", "/v1/moderations"])
def test_operation_that_no_backend_of_the_model_serves(closed, path):
    response = closed.post(path, {"model": "claude-1", "input": "x", "prompt": "x"})
    message = OPENAI.check_error(response, 400, "unsupported_operation")
    assert "claude-1" in message


def test_operation_that_no_backend_of_the_model_serves_in_anthropics_dialect(closed):
    response = ANTHROPIC.post(closed.url, body(ANTHROPIC), path="/v1/messages/count_tokens")
    ANTHROPIC.check_error(response, 400, "unsupported_operation")


MULTIPART = {
    "not multipart": ({"content-type": "application/json"}, b'{"model": "whisper-1"}'),
    "no content type": ({}, b"x"),
    "no boundary": ({"content-type": "multipart/form-data"}, b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'),
    "broken off": ({"content-type": "multipart/form-data; boundary=b"}, b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhis'),
    "other boundary": ({"content-type": "multipart/form-data; boundary=c"}, b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'),
    "no model": ({"content-type": "multipart/form-data; boundary=b"}, b'--b\r\ncontent-disposition: form-data; name="language"\r\n\r\nen\r\n--b--\r\n'),
    "model twice": ({"content-type": "multipart/form-data; boundary=b"}, b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n' * 2 + b"--b--\r\n"),
    "empty": ({"content-type": "multipart/form-data; boundary=b"}, b""),
}


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
@pytest.mark.parametrize("case", MULTIPART, ids=str)
def test_bad_multipart(closed, path, case):
    headers, content = MULTIPART[case]
    response = httpx.post(closed.url + path, headers=headers, content=content, timeout=30)
    OPENAI.check_error(response, 400)


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_a_browsers_origin_is_refused(closed, dialect):
    response = dialect.post(closed.url, body(dialect), origin="https://evil.example")
    dialect.check_error(response, 403, "origin_not_allowed")
    assert "access-control-allow-origin" not in response.headers


def test_preflight_is_refused(closed):
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    response = httpx.request("OPTIONS", closed.url + OPENAI.path, headers=headers, timeout=30)
    assert response.status_code in (403, 405)
    assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_deep_nesting_does_not_end_the_process(closed, dialect):
    deep = b'{"model": "%s", "max_tokens": 4, "messages": %s%s}' % (
        b"claude-1" if dialect is OPENAI else b"gpt-1",
        b"[" * 20_000,
        b"]" * 20_000,
    )
    dialect.check_error(dialect.post(closed.url, deep), 400)
    assert closed.alive


def test_garbage_on_the_wire_harms_nobody(closed):
    import socket

    for garbage in (b"\x00\xff" * 500 + b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST /v1/messages HTTP/1.1\r\ncontent-length: -4\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", closed.port), timeout=10) as sock:
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    assert closed.get("/v1/models").status_code == 200
