"""OpenAI → Anthropic → OpenAI: whatever befalls the first two, the client sees one clean answer, the access log tells of all three
attempts, and nothing that was meant for one provider reaches another. Full sizes with AIGW_E2E_FULL=1."""

from __future__ import annotations

import json
import os

import pytest

from harness.config import backend, document, rule
from harness.process import until
from harness.scripted import head, refused_port, serve_all
from harness.shapes import ANTHROPIC, OPENAI

FULL = bool(os.environ.get("AIGW_E2E_FULL"))
MIB = 1 << 20
SIZES = {"1 KiB": 1 << 10, "large": 32 * MIB if FULL else 2 * MIB}
# Seconds for a first token, where none comes; they run while a debug build translates the body, too.
PATIENCE = 25 if FULL else 3
ORDER = [("first", OPENAI), ("second", ANTHROPIC), ("third", OPENAI)]
SCHEMA = {"openai": "OpenAI", "anthropic": "Anthropic"}
# Status and kind of failure of the attempts that are logged for each of the two; a connection is tried twice.
LOGGED = {
    "429": [(429, None)],
    "500": [(500, None)],
    "refused": [(None, "connect")] * 2,
    "reset": [(None, "reset")],
    "reset within the request": [(None, "reset")],
    "no first token": [(200, "timeout")],
}
CASES = [
    pytest.param(case, stream, id=f"{case}-{'stream' if stream else 'whole'}")
    for case in LOGGED
    for stream in (False, True)
    # Without a stream the head of an answer promises no token.
    if stream or case != "no first token"
]


def failing(case: str, dialect):
    """A script of an upstream that fails in this way; `None` is one that is not there."""

    def status(code: int, kind: str):
        body = {"error": {"message": "no", "type": kind, "param": None, "code": None}}
        if dialect is ANTHROPIC:
            body = {"type": "error", "error": {"type": kind, "message": "no"}}
        return serve_all(lambda connection, _: connection.answer(code, body))

    def reset(connection):
        connection.read()
        connection.reset()

    def reset_within(connection):
        request = connection.read_head()
        connection.upstream.requests.append(request)
        connection.reset()

    def silent(connection):
        connection.read()
        connection.send(head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        connection.wait_gone(4 * PATIENCE)

    return {
        "429": status(429, "rate_limit_error"),
        "500": status(500, "api_error"),
        "refused": None,
        "reset": reset,
        "reset within the request": reset_within,
        "no first token": silent,
    }[case]


def good(stream: bool):
    def answer(connection, _):
        if not stream:
            return connection.answer(200, OPENAI.answer("from the third"))
        connection.stream_head()
        connection.chunk(OPENAI.stream_start() + OPENAI.stream_more(" from the third") + OPENAI.stream_end())
        connection.end()

    return serve_all(answer)


def body_of(size: int, stream: bool) -> bytes:
    """A request of exactly this many bytes."""
    body = OPENAI.body(stream=stream)
    body["messages"][0]["content"] = ""
    body["messages"][0]["content"] = "x" * (size - len(json.dumps(body)))
    return json.dumps(body).encode()


@pytest.mark.timeout(300 if FULL else 120)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.replace(" ", "-"))
@pytest.mark.parametrize("case, stream", CASES)
def test_two_fail_and_the_third_answers(start, scripted, case, stream, size):
    scripts = [failing(case, dialect) for _, dialect in ORDER[:2]] + [good(stream)]
    upstreams = [scripted(script) if script else None for script in scripts]
    backends, refs = [], []
    for (name, dialect), upstream in zip(ORDER, upstreams):
        url = upstream.url if upstream else f"http://127.0.0.1:{refused_port()}"
        quick = {"firstByteStream": f"{PATIENCE}s"} if case == "no first token" and name != "third" else {}
        own = {"headerMutation": {"set": [{"name": f"x-for-{name}", "value": f"header-of-{name}"}]}}
        backends.append(backend(name, url, SCHEMA[dialect.name], apiKey=f"key-of-{name}", timeouts=quick) | own)
        body = {"set": [{"path": "service_tier", "value": json.dumps(f"body-of-{name}")}]}
        refs.append({"name": name, "modelNameOverride": f"model-of-{name}", "bodyMutation": body})
    gateway = start(document(backends, [rule("m", *refs)]), arguments=["--log-format", "json"])
    sent = body_of(SIZES[size], stream)
    assert len(sent) == SIZES[size]

    response = OPENAI.post(gateway.url, sent, x_request_id="the-one", authorization="Bearer key-of-client")

    assert response.status_code == 200, response.text[:500]
    assert "x-aigw-error" not in response.headers
    if stream:
        assert response.text.count("from the third") == 1 and response.text.rstrip().endswith("[DONE]"), response.text
        assert "error" not in response.text
    else:
        assert OPENAI.text_of(response.json()) == "from the third"
    lines = until(lambda: [line for line in gateway.log.splitlines() if "the-one" in line], "the request is logged")
    attempts = json.loads(lines[0])["attempts"]
    seen = [(one["backend"], one["model"], one["status"], one["failure"]) for one in attempts]
    expected = [(name, end) for name in ("first", "second") for end in LOGGED[case]] + [("third", (200, None))]
    assert seen == [(name, f"model-of-{name}", *end) for name, end in expected]
    starts = [one["started"] for one in attempts]
    assert starts == sorted(starts) and all(one["duration"] >= 0 for one in attempts), attempts
    if case == "no first token":
        assert all(PATIENCE * 900 < one["duration"] < 60_000 for one in attempts[:2]), attempts

    for (name, dialect), upstream in zip(ORDER, upstreams):
        if not upstream:
            continue
        assert len(upstream.requests) == 1, f"{name} was asked {len(upstream.requests)} times"
        seen = upstream.requests[0]
        everything = json.dumps([seen.path, seen.headers]).encode() + seen.body
        for other in [*[other for other, _ in ORDER if other != name], "client"]:
            assert f"-of-{other}".encode() not in everything, f"what is for {other} reached {name}"
        key = seen.headers.get("x-api-key") if dialect is ANTHROPIC else seen.headers.get("authorization")
        assert key == (f"key-of-{name}" if dialect is ANTHROPIC else f"Bearer key-of-{name}"), seen.headers
        if dialect is OPENAI:
            assert not [header for header in seen.headers if header.startswith("anthropic-") or header == "x-api-key"]
        else:
            assert "authorization" not in seen.headers and "anthropic-version" in seen.headers
        assert seen.path == dialect.path
        if seen.body:
            got = seen.json
            assert got["model"] == f"model-of-{name}" and got["service_tier"] == f"body-of-{name}"
            content = got["messages"][0]["content"]
            text = content if isinstance(content, str) else content[0]["text"]
            assert text == json.loads(sent)["messages"][0]["content"], "the client's words arrive whole"
