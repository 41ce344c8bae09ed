"""Anthropic's SDK through the gateway to both upstream dialects: `claude-*` is Anthropic's, `gpt-*` is OpenAI's."""

from __future__ import annotations

import json

import anthropic as sdk
import pytest
from pydantic import BaseModel

from harness.samples import PDF_BASE64, PNG_BASE64

BOTH = pytest.mark.parametrize("model", ["claude-haiku-4-5", "gpt-4o"])
THINKS = pytest.mark.parametrize("model", ["claude-haiku-4-5"])


def tool(name: str, **properties: str) -> dict:
    schema = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return {"name": name, "description": f"The {name} tool", "input_schema": schema}


WEATHER = tool("get_weather", city="string")
TIME = tool("get_time", zone="string")


def user(content) -> dict:
    return {"role": "user", "content": content}


def text(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def blocks(message) -> list[dict]:
    """The content of an answer as it is sent back."""
    return [block.model_dump(exclude_none=True, exclude={"parsed_output", "citations", "caller"}) for block in message.content]


def ask(client, stream: bool, **request):
    request = {"max_tokens": 1024} | request
    if not stream:
        return client.messages.create(**request)
    with client.messages.stream(**request) as events:
        return events.get_final_message()


WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
@WAYS
def test_plain(anthropic, model, stream):
    message = ask(anthropic, stream, model=model, messages=[user("ping")])
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert text(message) == "pong"
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@BOTH
def test_request_id(anthropic, model):
    raw = anthropic.messages.with_raw_response.create(model=model, max_tokens=64, messages=[user("ping")])
    assert raw.headers.get("request-id")


@BOTH
def test_the_order_of_stream_events(anthropic, model):
    events = list(anthropic.messages.create(model=model, max_tokens=1024, messages=[user("count to 5")], stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    assert kinds.count("content_block_delta") >= 5, "text arrives in pieces"
    start = next(event for event in events if event.type == "message_start").message
    assert start.content == [] and start.stop_reason is None and start.usage.input_tokens >= 0
    delta = next(event for event in events if event.type == "message_delta")
    assert delta.delta.stop_reason == "end_turn" and delta.usage.output_tokens > 0


@BOTH
def test_system_in_both_forms_and_several_turns(anthropic, mock, model):
    turns = [user("count to 2"), {"role": "assistant", "content": "one two"}, user([{"type": "text", "text": "ping"}])]
    for system in ("Be brief.", [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}]):
        message = anthropic.messages.create(model=model, max_tokens=64, system=system, messages=turns)
        assert text(message) == "pong"
        sent = json.dumps(mock.last()["body"])
        assert "brief." in sent and "one two" in sent


@BOTH
@WAYS
def test_tools_with_several_turns(anthropic, model, stream):
    request = {"model": model, "tools": [WEATHER, TIME]}
    messages = [user("Please call get_weather")]
    first = ask(anthropic, stream, messages=messages, **request)
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert call.id and call.name == "get_weather" and isinstance(call.input, dict)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21 degrees"}
    messages += [{"role": "assistant", "content": blocks(first)}, user([result])]
    second = ask(anthropic, stream, messages=messages, **request)
    assert second.stop_reason == "end_turn" and "sunny, 21 degrees" in text(second)
    messages += [{"role": "assistant", "content": blocks(second)}, user("Now call get_time")]
    third = ask(anthropic, stream, messages=messages, **request)
    assert [block.name for block in third.content if block.type == "tool_use"] == ["get_time"]


@BOTH
@WAYS
def test_parallel_tools(anthropic, model, stream):
    request = {"model": model, "tools": [WEATHER, TIME]}
    question = user("call get_weather and get_time")
    first = ask(anthropic, stream, messages=[question], **request)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"result of {call.name}"} for call in calls]
    messages = [question, {"role": "assistant", "content": blocks(first)}, user([*results, {"type": "text", "text": "Go on."}])]
    final = ask(anthropic, stream, messages=messages, **request)
    assert text(final)


@BOTH
@pytest.mark.parametrize(
    "choice, called",
    [
        ({"type": "none"}, None),
        ({"type": "any"}, True),
        ({"type": "tool", "name": "get_time"}, "get_time"),
        ({"type": "auto"}, None),
        ({"type": "any", "disable_parallel_tool_use": True}, True),
    ],
    ids=["none", "any", "named", "auto", "any-one"],
)
def test_tool_choice(anthropic, model, choice, called):
    message = anthropic.messages.create(
        model=model, max_tokens=256, tools=[WEATHER, TIME], tool_choice=choice, messages=[user("hello")]
    )
    calls = [block.name for block in message.content if block.type == "tool_use"]
    if called is None:
        assert not calls
    else:
        assert calls and (called is True or calls == [called])


@BOTH
def test_tool_results_with_errors_and_images(anthropic, mock, model):
    calls = [
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "toolu_2", "name": "get_time", "input": {"zone": "UTC"}},
    ]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}}
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "no such city"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "a clock"}, image]},
    ]
    messages = [user("look"), {"role": "assistant", "content": calls}, user(results)]
    message = anthropic.messages.create(model=model, max_tokens=256, tools=[WEATHER, TIME], messages=messages)
    assert message.stop_reason == "end_turn"
    sent = json.dumps(mock.last()["body"])
    assert "no such city" in sent and "a clock" in sent
    assert PNG_BASE64 in sent, "the picture of a tool result reaches the model"


@BOTH
@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "image/png", "data": PNG_BASE64},
        {"type": "url", "url": "https://images.example/cat.png"},
    ],
    ids=["base64", "url"],
)
def test_image(anthropic, mock, model, source):
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    message = anthropic.messages.create(model=model, max_tokens=64, messages=[user(parts)])
    assert "image" in text(message)
    assert source.get("data", source.get("url")) in json.dumps(mock.last()["body"])


@BOTH
def test_pdf(anthropic, model):
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF_BASE64}
    parts = [{"type": "document", "source": source}, {"type": "text", "text": "What does it say?"}]
    assert "document" in text(anthropic.messages.create(model=model, max_tokens=64, messages=[user(parts)]))


class City(BaseModel):
    name: str
    population: int


@BOTH
def test_structured_output(anthropic, model):
    message = anthropic.messages.parse(model=model, max_tokens=1024, messages=[user("Describe a city.")], output_format=City)
    assert isinstance(message.parsed_output, City)


@BOTH
def test_structured_output_by_schema(anthropic, model):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    config = {"format": {"type": "json_schema", "schema": schema}}
    message = anthropic.messages.create(model=model, max_tokens=256, messages=[user("Describe a city.")], output_config=config)
    assert set(json.loads(text(message))) == {"name"}


@THINKS
@WAYS
def test_thinking_with_its_signature_round_trip(anthropic, model, stream):
    """The mock refuses a signature that is not its own, so the second turn proves that every byte came through."""
    request = {"model": model, "max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048}, "tools": [WEATHER]}
    question = user("Please call get_weather")
    first = ask(anthropic, stream, messages=[question], **request)
    thought = [block for block in first.content if block.type == "thinking"]
    assert thought and thought[0].thinking and thought[0].signature
    (call,) = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    messages = [question, {"role": "assistant", "content": blocks(first)}, user([result])]
    assert "sunny" in text(ask(anthropic, stream, messages=messages, **request))


def test_thinking_towards_openai(anthropic, mock):
    message = anthropic.messages.create(
        model="o3-mini", max_tokens=4096, thinking={"type": "enabled", "budget_tokens": 2048}, messages=[user("ping")]
    )
    assert text(message) == "pong"
    assert mock.last()["body"]["reasoning_effort"] in ("low", "medium", "high")


@BOTH
def test_cache_markers(anthropic, mock, model):
    marker = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "A long instruction. " * 400, "cache_control": marker}]
    message = anthropic.messages.create(model=model, max_tokens=64, system=system, messages=[user("ping")])
    assert text(message) == "pong"
    if model.startswith("claude"):
        assert mock.last()["body"]["system"][0]["cache_control"] == marker
        assert message.usage.cache_creation_input_tokens is not None


@BOTH
def test_max_tokens(anthropic, model):
    message = anthropic.messages.create(model=model, max_tokens=5, messages=[user("count to 50")])
    assert message.stop_reason == "max_tokens" and message.usage.output_tokens <= 5


@BOTH
def test_stop_sequences(anthropic, model):
    message = anthropic.messages.create(model=model, max_tokens=256, stop_sequences=["3"], messages=[user("count to 9")])
    assert "2" in text(message) and "3" not in text(message)
    if model.startswith("claude"):
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "3")


@BOTH
def test_refusal(anthropic, model):
    message = anthropic.messages.create(model=model, max_tokens=256, messages=[user("please refuse")])
    assert message.stop_reason in ("refusal", "end_turn")


@BOTH
def test_metadata(anthropic, mock, model):
    anthropic.messages.create(model=model, max_tokens=64, messages=[user("ping")], metadata={"user_id": "someone"})
    assert "someone" in json.dumps(mock.last()["body"])


def test_count_tokens_passes_through(anthropic):
    counted = anthropic.messages.count_tokens(model="claude-haiku-4-5", messages=[user("one two three")])
    assert counted.input_tokens > 0


def test_the_anthropic_prefix_is_served_too(shared):
    with sdk.Anthropic(base_url=shared.url + "/anthropic", api_key="k", max_retries=0) as client:
        assert text(client.messages.create(model="gpt-4o", max_tokens=64, messages=[user("ping")])) == "pong"
        assert client.messages.count_tokens(model="claude-haiku-4-5", messages=[user("x")]).input_tokens > 0


@pytest.mark.open_world
@BOTH
def test_bad_request_is_typed(anthropic, model):
    with pytest.raises(sdk.BadRequestError) as caught:
        anthropic.messages.create(model=model, max_tokens=64, messages=[{"role": "martian", "content": "x"}])
    assert caught.value.type == "invalid_request_error"


@BOTH
@pytest.mark.parametrize(
    "status, error, kind",
    [
        (400, sdk.BadRequestError, "invalid_request_error"),
        (413, sdk.APIStatusError, "request_too_large"),
        (429, sdk.RateLimitError, "rate_limit_error"),
        (500, sdk.InternalServerError, "api_error"),
        (529, sdk.APIStatusError, "overloaded_error"),
    ],
)
def test_upstream_errors_are_typed(anthropic, model, status, error, kind):
    if status == 529 and model.startswith("gpt"):
        pytest.skip("a status of Anthropic's own")
    with pytest.raises(error) as caught:
        anthropic.messages.create(
            model=model, max_tokens=64, messages=[user("ping")], extra_headers={"x-mock-fault": f"status={status}"}
        )
    assert caught.value.status_code == status
    assert caught.value.type == kind
    assert caught.value.request_id


@pytest.mark.parametrize("fault", ["cut-events=8", "error-event"])
@BOTH
def test_a_stream_that_breaks_off_raises(anthropic, model, fault):
    with pytest.raises(sdk.APIError):
        with anthropic.messages.stream(
            model=model, max_tokens=1024, messages=[user("count to 30")], extra_headers={"x-mock-fault": fault}
        ) as stream:
            stream.get_final_message()


@BOTH
@pytest.mark.parametrize("fault", ["crlf", "cr", "comments", "split=1", "split=7", "gzip", "br", "zstd", "deflate"])
def test_every_way_to_write_a_stream(anthropic, model, fault):
    headers = {"x-mock-fault": fault, "accept-encoding": "gzip, deflate, br, zstd"}
    with anthropic.messages.stream(
        model=model, max_tokens=1024, messages=[user("count to 20")], extra_headers=headers
    ) as stream:
        message = stream.get_final_message()
    assert text(message).endswith("19 20")
    assert message.usage.output_tokens > 0
