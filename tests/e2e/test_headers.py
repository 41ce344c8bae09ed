"""Which headers pass, in both directions; and what of a client's credentials ever reaches an upstream."""

from __future__ import annotations

import pytest

from harness.config import backend, document, rule, single
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name

SCHEMA = {"openai": "OpenAI", "anthropic": "Anthropic"}

REQUEST_PASSES = {
    "anthropic-beta": "a-2025-01-01,b-2025-02-02",
    "anthropic-version": "2023-06-01",
    "openai-organization": "org-1",
    "openai-project": "proj-1",
    "openai-beta": "assistants=v2",
    "idempotency-key": "once",
    "x-request-id": "req-client-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "user-agent": "test/1",
    "x-team": "blue",
}
REQUEST_STAYS = {
    "cookie": "session=secret",
    "x-api-key": "client-secret",
    "api-key": "client-secret",
    "x-goog-api-key": "client-secret",
    "authorization": "Bearer client-secret",
    "proxy-authorization": "Basic client-secret",
    "x-amz-security-token": "client-secret",
    "forwarded": "for=10.0.0.1",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-host": "inside.example",
    "x-real-ip": "10.0.0.1",
    "referer": "https://inside.example/",
    "x-ai-eg-model": "another",
    "x-aigw-something": "else",
    "x-aigw-strict": "false",
    "te": "trailers",
    "x-hop": "1",
}


def echo(dialect, headers=None):
    return serve_all(lambda connection, _: connection.answer(200, dialect.answer(), headers))


@pytest.mark.parametrize("name", REQUEST_PASSES)
def test_request_header_passes(start_once, name):
    gateway, upstream = start_once
    OPENAI.post(gateway.url, OPENAI.body(), **{name: REQUEST_PASSES[name]})
    assert upstream.requests[-1].headers.get(name) == REQUEST_PASSES[name]


@pytest.mark.parametrize("name", REQUEST_STAYS)
def test_request_header_stays(start_once, name):
    gateway, upstream = start_once
    more = {"connection": "keep-alive, x-hop"} if name == "x-hop" else {}
    response = OPENAI.post(gateway.url, OPENAI.body(), **({name: REQUEST_STAYS[name]} | more))
    assert response.status_code == 200, response.text
    request = upstream.requests[-1]
    assert request.headers.get(name) in (None, "Bearer upstream-secret")
    assert "client-secret" not in str(request.headers)


@pytest.fixture(scope="module")
def start_once(tmp_path_factory):
    """One OpenAI upstream with a key of its own, behind one gateway, for the whole table."""
    from conftest import running
    from harness.process import Gateway
    from harness.scripted import Scripted

    upstream = Scripted(echo(OPENAI))
    gateway = Gateway(tmp_path_factory.mktemp("headers"), document([backend("only", upstream.url, apiKey="upstream-secret")], [rule("*", "only")]))
    running.append(gateway)
    yield gateway, upstream
    running.remove(gateway)
    gateway.stop()
    upstream.close()


@pytest.mark.parametrize("client", BOTH, ids=by_name)
@pytest.mark.parametrize("upstream", BOTH, ids=by_name)
def test_the_backends_key_alone_goes_upstream(start, scripted, client, upstream):
    server = scripted(echo(upstream))
    schema = SCHEMA[upstream.name]
    gateway = start(document([backend("only", server.url, schema, apiKey="upstream-secret")], [rule("*", "only")]))
    both = {"authorization": "Bearer client-secret", "x-api-key": "client-secret", "cookie": "a=client-secret"}
    assert client.post(gateway.url, client.body(), **both).status_code == 200
    headers = server.requests[0].headers
    assert "client-secret" not in str(headers)
    if upstream is ANTHROPIC:
        assert headers["x-api-key"] == "upstream-secret" and "authorization" not in headers
        assert headers["anthropic-version"] == "2023-06-01"
    else:
        assert headers["authorization"] == "Bearer upstream-secret" and "x-api-key" not in headers
        assert not [name for name in headers if name.startswith("anthropic-")]
    assert headers["host"] == server.url.removeprefix("http://")


def test_passthrough_lets_the_clients_credentials_go(start, scripted):
    server = scripted(echo(OPENAI))
    gateway = start(document([backend("only", server.url, auth={"type": "passthrough"})], [rule("*", "only")]))
    OPENAI.post(gateway.url, OPENAI.body(), authorization="Bearer client-secret", cookie="a=b")
    headers = server.requests[0].headers
    assert (headers["authorization"], headers["cookie"]) == ("Bearer client-secret", "a=b")


def test_without_a_key_no_credential_goes(start, scripted):
    server = scripted(echo(OPENAI))
    gateway = start(single(server.url))
    OPENAI.post(gateway.url, OPENAI.body(), authorization="Bearer client-secret")
    assert "authorization" not in server.requests[0].headers


def test_header_mutation_removes_then_sets_and_the_rules_win(start, scripted):
    server = scripted(echo(OPENAI))
    mutation = {"remove": ["x-team"], "set": [{"name": "x-from", "value": "backend"}, {"name": "x-both", "value": "backend"}]}
    own = {"name": "only", "headerMutation": {"set": [{"name": "x-both", "value": "rule"}]}}
    gateway = start(document([backend("only", server.url, headerMutation=mutation)], [rule("*", own)]))
    OPENAI.post(gateway.url, OPENAI.body(), x_team="blue", x_from="client")
    headers = server.requests[0].headers
    assert "x-team" not in headers
    assert (headers["x-from"], headers["x-both"]) == ("backend", "rule")


@pytest.mark.parametrize("upstream", BOTH, ids=by_name)
def test_body_mutation_and_model_override(start, scripted, upstream):
    server = scripted(echo(upstream))
    ref = {
        "name": "only",
        "modelNameOverride": "the-real-model",
        "bodyMutation": {"remove": ["user", "metadata"], "set": [{"path": "service_tier", "value": '"auto"'}]},
    }
    gateway = start(document([backend("only", server.url, SCHEMA[upstream.name])], [rule("*", ref)]))
    OPENAI.post(gateway.url, OPENAI.body("alias", user="me"))
    body = server.requests[0].json
    assert body["model"] == "the-real-model"
    assert body["service_tier"] == "auto"
    assert "user" not in body and "metadata" not in body


ANSWER_PASSES = {
    "retry-after": "3",
    "x-ratelimit-remaining-tokens": "1234",
    "anthropic-ratelimit-requests-remaining": "7",
    "x-request-id": "upstream-7",
    "request-id": "req_7",
}
ANSWER_STAYS = {
    "set-cookie": "a=b",
    "server": "cloud",
    "alt-svc": 'h3=":443"',
    "strict-transport-security": "max-age=1",
    "access-control-allow-origin": "*",
}


@pytest.mark.parametrize("client", BOTH, ids=by_name)
@pytest.mark.parametrize("upstream", BOTH, ids=by_name)
def test_answer_headers(start, scripted, client, upstream):
    own = {"openai-processing-ms": "12"}
    server = scripted(echo(upstream, ANSWER_PASSES | ANSWER_STAYS | own))
    gateway = start(single(server.url, SCHEMA[upstream.name]))
    headers = client.post(gateway.url, client.body()).headers
    for name, value in ANSWER_PASSES.items():
        if name != "x-request-id":
            assert headers.get(name) == value, name
    for name in ANSWER_STAYS:
        assert name not in headers, name
    assert headers["content-type"] == "application/json"
    if client is upstream:
        assert headers["openai-processing-ms"] == "12"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_compressed_answers(start, mock, coding, client):
    """Passed through they stay compressed and are counted all the same; translated they arrive plain."""
    fault = {"set": [{"name": "x-mock-fault", "value": coding}]}
    keys = {"apiKey": "sk-mock-openai"}
    gateway = start(document([backend("only", mock.url, headerMutation=fault, **keys)], [rule("*", "only")]))
    for stream in (False, True):
        # The chunk with the usage would otherwise be asked for by the gateway alone, and taken out of plain text.
        usage = {"stream_options": {"include_usage": True}} if stream and client is OPENAI else {}
        response = client.post(gateway.url, client.body(stream=stream, **usage), accept_encoding=f"{coding}, identity")
        assert response.status_code == 200, response.text
        expected = coding if client is OPENAI else None
        assert response.headers.get("content-encoding") == expected
        assert "said" in response.text and "hello" in response.text, response.text
