"""Other ways in which real clients talk: asynchronous SDKs, many at once, beta paths, big models' newer parameters, 100-continue."""

from __future__ import annotations

import asyncio
import json
import subprocess

import httpx
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from harness.process import until

MODELS = ["gpt-4o", "claude-haiku-4-5"]


def user(content) -> dict:
    return {"role": "user", "content": content}


def test_many_streams_at_once_do_not_mix(shared):
    """Each of 100 streams, of both dialects to both upstreams, gets its own words, whole and in order."""

    async def main():
        async with (
            AsyncOpenAI(base_url=shared.url + "/v1", api_key="k", max_retries=0, timeout=60) as openai,
            AsyncAnthropic(base_url=shared.url, api_key="k", max_retries=0, timeout=60) as anthropic,
        ):

            async def by_openai(model: str, number: int) -> str:
                stream = await openai.chat.completions.create(
                    model=model, messages=[user(f"count to {number}")], stream=True, extra_headers={"x-mock-fault": "pace=1ms"}
                )
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

            async def by_anthropic(model: str, number: int) -> str:
                async with anthropic.messages.stream(
                    model=model, max_tokens=4096, messages=[user(f"count to {number}")], extra_headers={"x-mock-fault": "pace=1ms"}
                ) as stream:
                    return "".join([piece async for piece in stream.text_stream])

            jobs = [
                (number, ask(MODELS[number % 2], number))
                for number in range(20, 70)
                for ask in (by_openai, by_anthropic)
            ]
            answers = await asyncio.gather(*[job for _, job in jobs])
        for (number, _), answer in zip(jobs, answers):
            assert answer == " ".join(map(str, range(1, number + 1)))

    asyncio.run(main())


@pytest.mark.parametrize("model", MODELS)
def test_the_beta_path_of_anthropics_sdk(anthropic, mock, model):
    message = anthropic.beta.messages.create(
        model=model, max_tokens=64, messages=[user("ping")], betas=["context-1m-2025-08-07"], extra_query={"beta": "true"}
    )
    assert message.content[0].text == "pong"
    asked = mock.last()
    if model.startswith("claude"):
        assert asked["query"] == "beta=true"
        assert "context-1m-2025-08-07" in asked["headers"]["anthropic-beta"]
    else:
        assert not asked["query"] and "anthropic-beta" not in asked["headers"]


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-opus-5"])
def test_reasoning_effort_on_models_that_think_adaptively(openai, mock, model):
    answer = openai.chat.completions.create(model=model, messages=[user("ping")], reasoning_effort="high", temperature=1)
    assert answer.choices[0].message.content == "pong"
    body = mock.last()["body"]
    assert body["thinking"]["type"] == "adaptive" and body["output_config"]["effort"] == "high"


def test_thinking_goes_through_openais_dialect_and_back(shared, mock):
    """What an OpenAI client got of a thought, it sends back as it is; the mock refuses signatures that are not its own."""
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
    request = {"model": "claude-haiku-4-5", "reasoning_effort": "medium", "max_completion_tokens": 16_000, "tools": [tool]}
    messages = [user("Please call get_weather")]
    first = shared.post("/v1/chat/completions", request | {"messages": messages}).json()
    message = first["choices"][0]["message"]
    assert message.get("reasoning_content"), message
    (call,) = message["tool_calls"]
    messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]
    second = shared.post("/v1/chat/completions", request | {"messages": messages})
    assert second.status_code == 200, second.text
    assert "sunny" in second.json()["choices"][0]["message"]["content"]
    sent = mock.last()["body"]["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["thinking", "tool_use"] and sent[0]["signature"]


def test_redacted_thinking_goes_through_both_dialects(shared, anthropic, mock):
    """A redacted block is opaque: it travels to the client and back byte for byte."""
    redacted = {"type": "redacted_thinking", "data": "b3BhcXVl"}
    call = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 4096,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "t", "input_schema": {"type": "object"}}],
        "messages": [user("x"), {"role": "assistant", "content": [redacted, call]}, user([result])],
    }
    shared.post("/v1/messages", body, headers={"anthropic-version": "2023-06-01"})
    assert mock.last()["body"]["messages"][1]["content"][0] == redacted


def test_a_large_upload_with_expect_100_continue(shared, tmp_path):
    """curl waits for `100 Continue` before it sends a large body."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"model": "gpt-4o", "messages": [user("x" * 3_000_000)]}))
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "expect: 100-continue", "-H", "content-type: application/json"]
    result = subprocess.run(
        [*command, "--data-binary", f"@{path}", shared.url + "/v1/chat/completions"], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.stdout == "200", result.stdout + result.stderr


def test_http2_streams_and_is_cancelled(shared, mock):
    """A stream over HTTP/2 that the client leaves is cancelled upstream."""
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [user("count to 5")]})
    command = ["curl", "-sSN", "--http2-prior-knowledge", "-m", "1", "-H", "content-type: application/json", "-H", "x-mock-fault: never-ending;pace=10ms"]
    result = subprocess.run([*command, "-d", body, shared.url + "/v1/chat/completions"], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 28 and result.stdout.count("data:") > 5, result.stderr
    until(lambda: mock.requests()[-1]["outcome"] == "gone", "the upstream was cancelled", 2)


def test_embeddings_tokens_are_counted(shared):
    def counted() -> float:
        lines = shared.metrics().splitlines()
        mine = [line for line in lines if line.startswith("gen_ai_client_token_usage") and "_sum" in line and "embeddings" in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in mine)

    before = counted()
    assert shared.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "one two three"}).status_code == 200
    until(lambda: counted() > before, "the tokens of an embedding are counted")


def test_a_client_that_leaves_during_its_upload_harms_nobody(shared):
    import socket

    with socket.create_connection(tuple(shared.addresses["gateway"].rsplit(":", 1)), timeout=10) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{\"model\":")
    assert httpx.get(shared.url + "/v1/models").status_code == 200
