"""What a translation cannot express is reported, and refused in strict mode; what passes through is never touched."""

from __future__ import annotations

import json

import pytest

from harness.config import backend, document, rule
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name

SCHEMA = {"openai": "OpenAI", "anthropic": "Anthropic"}

# What the other dialect has no word for, and the pointer that must be reported.
LOSSES = {
    "openai": [({"logprobs": True}, "/logprobs"), ({"seed": 7}, "/seed"), ({"frequency_penalty": 0.5}, "/frequency_penalty")],
    "anthropic": [({"top_k": 5}, "/top_k")],
}
CASES = [
    pytest.param(dialect, member, pointer, id=f"{dialect.name}{pointer}")
    for dialect in BOTH
    for member, pointer in LOSSES[dialect.name]
]


def other(dialect):
    return ANTHROPIC if dialect is OPENAI else OPENAI


@pytest.fixture
def gateway(start, scripted):
    def make(upstream, **route):
        server = scripted(serve_all(lambda connection, _: connection.answer(200, upstream.answer())))
        config = document([backend("only", server.url, SCHEMA[upstream.name])], [rule("*", "only")])
        config["routes"][0] |= route
        program = start(config)
        program.upstream = server
        return program

    return make


@pytest.mark.parametrize("client, member, pointer", CASES)
def test_a_loss_is_reported(gateway, client, member, pointer):
    program = gateway(other(client))
    response = client.post(program.url, client.body(**member))
    assert response.status_code == 200, response.text
    assert pointer in response.headers["x-aigw-dropped"], dict(response.headers)
    assert not set(member) & set(program.upstream.requests[0].json)


@pytest.mark.parametrize("client, member, pointer", CASES)
def test_strict_by_header_refuses(gateway, client, member, pointer):
    program = gateway(other(client))
    response = client.post(program.url, client.body(**member), x_aigw_strict="true")
    assert pointer in client.check_error(response, 400, "lossy_translation")
    assert not program.upstream.requests
    assert client.post(program.url, client.body(), x_aigw_strict="true").status_code == 200


@pytest.mark.parametrize("client, member, pointer", CASES)
def test_strict_by_route_refuses(gateway, client, member, pointer):
    program = gateway(other(client), strict=True)
    client.check_error(client.post(program.url, client.body(**member)), 400, "lossy_translation")
    assert client.post(program.url, client.body()).status_code == 200


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_without_a_loss_nothing_is_reported(gateway, client):
    response = client.post(gateway(other(client)).url, client.body())
    assert response.status_code == 200 and "x-aigw-dropped" not in response.headers


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_an_unknown_member_is_reported_when_translated(gateway, client):
    response = client.post(gateway(other(client)).url, client.body(brand_new={"deep": [1, 2]}))
    assert response.status_code == 200, response.text
    assert "/brand_new" in response.headers["x-aigw-dropped"]


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_the_report_is_bounded(gateway, client):
    many = {f"unknown_member_number_{number}": number for number in range(2000)}
    response = client.post(gateway(other(client)).url, client.body(**many))
    assert response.status_code == 200
    assert len(response.headers["x-aigw-dropped"]) <= 4096


@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_pass_through_is_byte_for_byte(gateway, dialect):
    """Unknown members, odd spacing, number spelling and escapes arrive as they were sent."""
    program = gateway(dialect)
    text = json.dumps(dialect.body("m", brand_new=[1.50, 1e3, {"a": None}]))
    content = text.replace('"hello"', '"h\\u00e9llo \\ud83d\\ude00"').replace("1.5", "1.50").replace(", ", " ,\n\t").encode()
    response = dialect.post(program.url, content)
    assert response.status_code == 200
    assert program.upstream.requests[0].body == content
    assert response.json() == dialect.answer()
