"""The admin port: health, readiness, metrics, the configuration without its secrets, the version; and the logs."""

from __future__ import annotations

import json

import httpx
import pytest

from harness.config import backend, document, rule
from harness.process import until
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, OPENAI, events

SECRET = "sk-very-secret-value"
BODY = "a-text-that-stands-in-no-log"


@pytest.fixture
def gateway(start, scripted, tmp_path):
    upstream = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    key_file = tmp_path / "key"
    key_file.write_text(SECRET + "-file")
    backends = [
        backend("inline", upstream.url, apiKey=SECRET),
        backend("member", upstream.url, apiKey={"value": SECRET + "-member"}),
        backend("file", upstream.url, apiKey={"file": str(key_file)}),
        backend("environment", upstream.url, apiKey={"env": "PROVIDER_SECRET"}),
        backend("variable", upstream.url, apiKey="${PROVIDER_SECRET}"),
        backend("named", upstream.url, auth={"type": "bearer", "credential": "shared"}),
        backend("gone", upstream.url, "Anthropic", apiKey=SECRET),
    ]
    rules = [rule(one["name"], one["name"]) for one in backends]
    more = {
        "credentials": [{"name": "shared", "value": SECRET + "-named"}],
        "clientKeys": [{"name": "me", "key": SECRET + "-client"}],
    }
    return start(document(backends, rules, **more), env={"PROVIDER_SECRET": SECRET + "-env"})


def ask(gateway, model: str, **more) -> httpx.Response:
    return OPENAI.post(gateway.url, OPENAI.body(model, user=BODY, **more), authorization=f"Bearer {SECRET}-client")


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_probes(gateway, path):
    assert httpx.get(gateway.admin + path).status_code == 200


def test_version(gateway):
    value = httpx.get(gateway.admin + "/version").json()
    assert value["version"], value


def test_the_admin_port_serves_no_traffic_and_the_gateway_no_admin(gateway):
    assert httpx.post(gateway.admin + OPENAI.path, json=OPENAI.body()).status_code in (404, 405)
    for path in ("/config", "/metrics", "/health"):
        assert gateway.get(path).status_code in (401, 404)


def test_no_secret_is_shown_anywhere(gateway):
    for model in ("inline", "member", "file", "environment", "variable", "named", "unknown"):
        ask(gateway, model)
    httpx.post(gateway.url + OPENAI.path, content=BODY, headers={"authorization": "Bearer " + SECRET})
    config = httpx.get(gateway.admin + "/config").text
    assert "inline" in config and "named" in config, "the configuration is shown"
    for where, text in {"config": config, "metrics": gateway.metrics(), "log": gateway.log}.items():
        assert SECRET not in text, f"a secret stands in the {where}"
        assert BODY not in text, f"a body stands in the {where}"


def test_metrics_count_tokens_and_errors(gateway):
    assert ask(gateway, "inline").status_code == 200
    assert ask(gateway, "unknown").status_code == 404
    text = until(lambda: "error_type" in gateway.metrics() and gateway.metrics(), "the error is counted")
    for name in ("gen_ai_client_token_usage", "gen_ai_server_request_duration"):
        assert name in text, f"{name} is missing from:\n{text}"
    usage = [line for line in text.splitlines() if line.startswith("gen_ai_client_token_usage") and "_sum" in line]
    assert [line for line in usage if 'gen_ai_token_type="input"' in line and line.endswith((" 3", " 3.0"))], usage
    assert [line for line in usage if 'gen_ai_token_type="output"' in line and line.endswith((" 5", " 5.0"))], usage


@pytest.mark.parametrize("stream", [False, True])
def test_one_access_log_record_a_request(start, mock, stream):
    config = document([backend("openai", mock.url, apiKey="sk-mock-openai")], [rule("*", "openai")])
    gateway = start(config, arguments=["--log-format", "json"])
    body = OPENAI.body("gpt-4o", stream=stream)
    response = OPENAI.post(gateway.url, body, x_request_id="the-one")
    assert response.status_code == 200
    # Usage is counted whether or not the client asked for it, and what only the gateway asked for is taken out again.
    if stream:
        assert not [data for _, data in events(response.text) if data != "[DONE]" and json.loads(data).get("usage")]
    records = until(lambda: [line for line in gateway.log.splitlines() if "the-one" in line], "the request is logged")
    assert len(records) == 1
    record = json.loads(records[0])
    flat = json.dumps(record)
    for part in ('"openai"', '"gpt-4o"', "200"):
        assert part in flat, record
    assert '"input": 0' not in flat and '"input":' in flat, f"token counts are recorded: {record}"


def test_attempts_are_recorded(start, scripted):
    failing = scripted(serve_all(lambda c, _: c.answer(500, {"error": {"message": "no", "type": "x", "param": None, "code": None}})))
    good = scripted(serve_all(lambda c, _: c.answer(200, ANTHROPIC.answer())))
    backends = [backend("first", failing.url), backend("second", good.url, "Anthropic")]
    gateway = start(document(backends, [rule("*", "first", "second")]), arguments=["--log-format", "json"])
    assert OPENAI.post(gateway.url, OPENAI.body(), x_request_id="the-one").status_code == 200
    records = until(lambda: [line for line in gateway.log.splitlines() if "the-one" in line], "the request is logged")
    assert len(records) == 1, records
    assert "first" in records[0] and "second" in records[0]
