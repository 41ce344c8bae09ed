"""Keys that clients must present, and the models that each may ask for."""

from __future__ import annotations

import anthropic as anthropic_sdk
import openai as openai_sdk
import pytest

from conftest import anthropic_client, openai_client
from harness.config import backend, document, rule
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name


@pytest.fixture
def locked(start, scripted, tmp_path):
    upstream = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    key_file = tmp_path / "key.txt"
    key_file.write_text("key-from-file\n")
    keys = [
        {"name": "everything", "key": "key-for-everything"},
        {"name": "small", "key": {"value": "key-for-small"}, "models": ["small-*"]},
        {"name": "environment", "key": {"env": "TEAM_SECRET"}},
        {"name": "file", "key": {"file": str(key_file)}},
    ]
    config = document([backend("only", upstream.url, apiKey="upstream-key")], [rule(["small-1", "large-1"], "only")], clientKeys=keys)
    gateway = start(config, env={"TEAM_SECRET": "key-from-env"})
    gateway.upstream = upstream
    return gateway


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_no_key_and_wrong_key(locked, client):
    client.check_error(client.post(locked.url, client.body("small-1")), 401, "missing_client_key")
    for wrong in ("key", "key-for-everythin", "key-for-everything2", ""):
        response = client.post(locked.url, client.body("small-1"), x_api_key=wrong)
        client.check_error(response, 401)
    assert not locked.upstream.requests


@pytest.mark.parametrize("client", BOTH, ids=by_name)
@pytest.mark.parametrize("key", ["key-for-everything", "key-from-env", "key-from-file"])
def test_either_header_and_every_source(locked, client, key):
    for headers in ({"authorization": f"Bearer {key}"}, {"x_api_key": key}):
        assert client.post(locked.url, client.body("large-1"), **headers).status_code == 200
    for request in locked.upstream.requests:
        assert request.headers["authorization"] == "Bearer upstream-key"
        assert key not in str(request.headers)


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_allow_list(locked, client):
    key = "Bearer key-for-small"
    assert client.post(locked.url, client.body("small-1"), authorization=key).status_code == 200
    response = client.post(locked.url, client.body("large-1"), authorization=key)
    assert "large-1" in client.check_error(response, 403, "model_not_allowed")


def test_the_list_of_models_needs_a_key_and_shows_what_it_may_use(locked):
    assert locked.get("/v1/models").status_code == 401
    with openai_client(locked, api_key="key-for-small") as client:
        assert [model.id for model in client.models.list()] == ["small-1"]
    with openai_client(locked, api_key="key-for-everything") as client:
        assert sorted(model.id for model in client.models.list()) == ["large-1", "small-1"]


def test_sdk_exceptions(locked):
    with openai_client(locked, api_key="wrong") as client, pytest.raises(openai_sdk.AuthenticationError):
        client.chat.completions.create(**OPENAI.body("small-1"))
    with openai_client(locked, api_key="key-for-small") as client, pytest.raises(openai_sdk.PermissionDeniedError):
        client.chat.completions.create(**OPENAI.body("large-1"))
    with anthropic_client(locked, api_key="wrong") as client, pytest.raises(anthropic_sdk.AuthenticationError):
        client.messages.create(**ANTHROPIC.body("small-1"))
    with anthropic_client(locked, api_key="key-for-small") as client, pytest.raises(anthropic_sdk.PermissionDeniedError):
        client.messages.create(**ANTHROPIC.body("large-1"))


def test_the_log_names_the_client_and_never_the_key(locked):
    OPENAI.post(locked.url, OPENAI.body("small-1"), authorization="Bearer key-for-small")
    OPENAI.post(locked.url, OPENAI.body("small-1"), authorization="Bearer someone-elses-key")
    log = locked.log
    for secret in ("key-for-small", "someone-elses-key", "upstream-key"):
        assert secret not in log
