"""Which rule takes a request and which backend gets it."""

from __future__ import annotations

import pytest

from harness.config import backend, document
from harness.scripted import serve_all
from harness.shapes import OPENAI


@pytest.fixture
def upstreams(scripted):
    """Upstreams that answer with their own name."""

    def make(*names: str) -> list[dict]:
        def named(name):
            return serve_all(lambda connection, _: connection.answer(200, OPENAI.answer(name)))

        return [backend(name, scripted(named(name)).url) for name in names]

    return make


def who(gateway, model: str, **headers: str) -> str:
    response = OPENAI.post(gateway.url, OPENAI.body(model), **headers)
    assert response.status_code == 200, response.text
    return OPENAI.text_of(response.json())


def test_exact_prefix_regex_and_order(start, upstreams):
    rules = [
        {"models": ["gpt-4o"], "backends": [{"name": "exact"}]},
        {"models": ["gpt-*"], "backends": [{"name": "prefix"}]},
        {"models": [{"prefix": "long-"}], "backends": [{"name": "prefix"}]},
        {"models": [{"regex": "o[0-9]+(-mini)?"}], "backends": [{"name": "regex"}]},
        {"models": ["*"], "backends": [{"name": "rest"}]},
    ]
    gateway = start(document(upstreams("exact", "prefix", "regex", "rest"), rules))
    expected = {
        "gpt-4o": "exact",
        "gpt-4o-mini": "prefix",
        "long-name": "prefix",
        "o3": "regex",
        "o3-mini": "regex",
        "o3-mini-high": "rest",
        "xo3": "rest",
        "GPT-4o": "rest",
    }
    assert {model: who(gateway, model) for model in expected} == expected


def test_headers(start, upstreams):
    rules = [
        {"matches": [{"headers": [{"name": "x-team", "value": "blue"}]}], "backends": [{"name": "blue"}]},
        {
            "matches": [{"headers": [{"name": "x-team", "value": "gr.*", "type": "RegularExpression"}]}],
            "backends": [{"name": "green"}],
        },
        {"matches": [{"headers": [{"name": "x-ai-eg-model", "value": "special"}]}], "backends": [{"name": "model"}]},
        {"backends": [{"name": "rest"}]},
    ]
    gateway = start(document(upstreams("blue", "green", "model", "rest"), rules))
    assert who(gateway, "m", x_team="blue") == "blue"
    assert who(gateway, "m", x_team="green") == "green"
    assert who(gateway, "m", x_team="dark green") == "rest"
    assert who(gateway, "special") == "model"
    assert who(gateway, "m", x_ai_eg_model="special") == "rest", "a client cannot speak in the gateway's own headers"


def test_weights_are_kept(start, upstreams):
    rules = [{"models": ["*"], "backends": [{"name": "much", "weight": 3}, {"name": "little", "weight": 1}, {"name": "none", "weight": 0}]}]
    gateway = start(document(upstreams("much", "little", "none"), rules))
    answers = [who(gateway, "m") for _ in range(200)]
    share = answers.count("much") / len(answers)
    assert "none" not in answers
    assert 0.6 < share < 0.9, f"3 of 4 expected, got {share}"


def test_several_routes_and_host_names(start, upstreams):
    config = document(upstreams("inside", "outside"), [])
    config["routes"] = [
        {"name": "inside", "hostnames": ["in.example"], "rules": [{"backends": [{"name": "inside"}]}]},
        {"name": "outside", "hostnames": ["*.out.example"], "rules": [{"backends": [{"name": "outside"}]}]},
    ]
    gateway = start(config)
    assert who(gateway, "m", host="in.example") == "inside"
    assert who(gateway, "m", host="In.Example:80") == "inside"
    assert who(gateway, "m", host="a.out.example") == "outside"
    response = OPENAI.post(gateway.url, OPENAI.body(), host="other.example")
    assert response.status_code == 404


def test_an_alias_is_routed_as_its_model(start, upstreams):
    config = document(upstreams("a"), [{"models": ["real"], "backends": [{"name": "a"}]}])
    gateway = start(config | {"models": [{"name": "nick", "model": "real"}]})
    assert who(gateway, "nick") == "a"
