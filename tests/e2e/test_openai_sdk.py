"""OpenAI's SDK through the gateway to both upstream dialects: `gpt-*` is OpenAI's, `claude-*` is Anthropic's."""

from __future__ import annotations

import json

import openai as sdk
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from harness.samples import PDF_BASE64, PNG_BASE64

BOTH = pytest.mark.parametrize("model", ["gpt-4o", "claude-haiku-4-5"])


def function(name: str, **properties: str) -> dict:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": f"The {name} tool", "parameters": parameters}}


WEATHER = function("get_weather", city="string")
TIME = function("get_time", zone="string")


def user(content) -> dict:
    return {"role": "user", "content": content}


def assistant(message) -> dict:
    """An answer as clients send it back: the text and the calls."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
        for call in message.tool_calls or []
    ]
    return {"role": "assistant", "content": message.content} | ({"tool_calls": calls} if calls else {})


def collect(stream) -> tuple[ChatCompletion, list]:
    """Runs an SDK stream helper to its end."""
    with stream as events:
        seen = list(events)
        return events.get_final_completion(), seen


@BOTH
def test_plain(openai, model):
    answer = openai.chat.completions.create(model=model, messages=[user("ping")])
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "pong", "stop")
    assert answer.object == "chat.completion" and answer.id and answer.created > 0
    usage = answer.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@BOTH
def test_raw_response_has_a_request_id(openai, model):
    raw = openai.chat.completions.with_raw_response.create(model=model, messages=[user("ping")])
    assert raw.headers.get("x-request-id")
    assert raw.parse()._request_id == raw.headers["x-request-id"]


@BOTH
def test_stream(openai, model):
    chunks = list(openai.chat.completions.create(model=model, messages=[user("count to 5")], stream=True))
    assert all(chunk.object == "chat.completion.chunk" and chunk.id == chunks[0].id for chunk in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) >= 5, "text arrives in pieces"
    whole = openai.chat.completions.create(model=model, messages=[user("count to 5")])
    assert "".join(pieces) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert not [chunk for chunk in chunks if chunk.usage], "usage comes only when it was asked for"


@BOTH
def test_stream_with_usage(openai, model):
    request = {"model": model, "messages": [user("count to 5")]}
    chunks = list(openai.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    last = chunks[-1]
    assert last.choices == [] and last.usage, "the last chunk has the usage and no choice"
    assert not [chunk for chunk in chunks[:-1] if chunk.usage]
    whole = openai.chat.completions.create(**request).usage
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (whole.prompt_tokens, whole.completion_tokens)


@BOTH
def test_several_turns_with_system_and_developer(openai, mock, model):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Answer in English."}]},
        user("count to 2"),
        {"role": "assistant", "content": "one two"},
        user("ping"),
    ]
    answer = openai.chat.completions.create(model=model, messages=messages)
    assert answer.choices[0].message.content == "pong"
    sent = json.dumps(mock.last()["body"])
    assert "Be brief." in sent and "Answer in English." in sent and "one two" in sent


@BOTH
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools_with_several_turns(openai, model, stream):
    request = {"model": model, "tools": [WEATHER, TIME]}
    messages = [user("Please call get_weather")]

    def ask():
        if not stream:
            return openai.chat.completions.create(messages=messages, **request)
        return collect(openai.chat.completions.stream(messages=messages, **request))[0]

    first = ask().choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert call.id and call.type == "function" and call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments), dict)
    messages += [
        assistant(first.message),
        {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"},
    ]
    second = ask().choices[0]
    assert second.finish_reason == "stop"
    assert "sunny, 21 degrees" in second.message.content
    messages += [{"role": "assistant", "content": second.message.content}, user("Now call get_time")]
    third = ask().choices[0]
    assert [one.function.name for one in third.message.tool_calls] == ["get_time"]


@BOTH
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_parallel_tools(openai, model, stream):
    request = {"model": model, "tools": [WEATHER, TIME], "messages": [user("call get_weather and get_time")]}
    if stream:
        answer = collect(openai.chat.completions.stream(**request))[0]
    else:
        answer = openai.chat.completions.create(**request)
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"result of {call.function.name}"} for call in calls]
    final = openai.chat.completions.create(**request | {"messages": [*request["messages"], assistant(answer.choices[0].message), *results]})
    assert "result of" in final.choices[0].message.content


@BOTH
def test_one_tool_at_a_time(openai, model):
    answer = openai.chat.completions.create(
        model=model, tools=[WEATHER, TIME], parallel_tool_calls=False, messages=[user("call get_weather and get_time")]
    )
    assert len(answer.choices[0].message.tool_calls) == 1


@BOTH
@pytest.mark.parametrize(
    "choice, called",
    [
        ("none", None),
        ("required", True),
        ({"type": "function", "function": {"name": "get_time"}}, "get_time"),
    ],
    ids=["none", "required", "named"],
)
def test_tool_choice(openai, model, choice, called):
    answer = openai.chat.completions.create(model=model, tools=[WEATHER, TIME], tool_choice=choice, messages=[user("hello")])
    calls = answer.choices[0].message.tool_calls
    if called is None:
        assert not calls
    else:
        assert calls and (called is True or calls[0].function.name == called)


@BOTH
def test_tool_error_and_empty_result(openai, model):
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    messages = [
        user("What is the weather?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
    ]
    answer = openai.chat.completions.create(model=model, tools=[WEATHER], messages=messages)
    assert answer.choices[0].finish_reason == "stop"


@BOTH
def test_image_as_base64(openai, model):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_BASE64}"}},
    ]
    answer = openai.chat.completions.create(model=model, messages=[user(parts)])
    assert "image" in answer.choices[0].message.content and "png" in answer.choices[0].message.content


@BOTH
def test_image_by_url(openai, mock, model):
    url = "https://images.example/cat.png"
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert "image" in openai.chat.completions.create(model=model, messages=[user(parts)]).choices[0].message.content
    assert url in json.dumps(mock.last()["body"])


@BOTH
def test_pdf(openai, model):
    file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF_BASE64}"}
    parts = [{"type": "file", "file": file}, {"type": "text", "text": "What does it say?"}]
    assert "document" in openai.chat.completions.create(model=model, messages=[user(parts)]).choices[0].message.content


class City(BaseModel):
    name: str
    population: int


@BOTH
def test_structured_output(openai, model):
    answer = openai.chat.completions.parse(model=model, messages=[user("Describe a city.")], response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


@BOTH
def test_structured_output_streamed(openai, model):
    stream = openai.chat.completions.stream(model=model, messages=[user("Describe a city.")], response_format=City)
    answer, _ = collect(stream)
    assert isinstance(answer.choices[0].message.parsed, City)


@BOTH
def test_max_tokens_ends_with_length(openai, model):
    answer = openai.chat.completions.create(model=model, messages=[user("count to 50")], max_completion_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens <= 5


@BOTH
@pytest.mark.parametrize("stop", ["3", ["nothing", "3"]], ids=["one", "list"])
def test_stop(openai, model, stop):
    answer = openai.chat.completions.create(model=model, messages=[user("count to 9")], stop=stop)
    assert answer.choices[0].finish_reason == "stop"
    assert "2" in answer.choices[0].message.content and "3" not in answer.choices[0].message.content


@BOTH
def test_sampling_and_identity(openai, mock, model):
    for name, value in {"temperature": 0.5, "top_p": 0.9}.items():
        openai.chat.completions.create(model=model, messages=[user("ping")], user="someone", **{name: value})
        body = mock.last()["body"]
        assert body[name] == value
        assert "someone" in json.dumps(body)


@BOTH
def test_reasoning_effort(openai, mock, model):
    reasoning = {"gpt-4o": "o3-mini"}.get(model, model)
    answer = openai.chat.completions.create(model=reasoning, messages=[user("ping")], reasoning_effort="medium", max_completion_tokens=20_000)
    assert answer.choices[0].message.content == "pong"
    body = mock.last()["body"]
    if model.startswith("claude"):
        assert "thinking" in body or "effort" in json.dumps(body.get("output_config", {}))
    else:
        assert body["reasoning_effort"] == "medium"


@BOTH
def test_refusal_is_text_or_refusal_never_an_error(openai, model):
    answer = openai.chat.completions.create(model=model, messages=[user("please refuse")])
    message = answer.choices[0].message
    assert message.refusal or message.content
    assert answer.choices[0].finish_reason in ("stop", "content_filter")


@pytest.mark.open_world
@BOTH
def test_bad_request_is_typed(openai, model):
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.chat.completions.create(model=model, messages=[{"role": "martian", "content": "x"}])
    assert caught.value.message and caught.value.status_code == 400


@BOTH
@pytest.mark.parametrize(
    "status, error",
    [
        (400, sdk.BadRequestError),
        (409, sdk.ConflictError),
        (422, sdk.UnprocessableEntityError),
        (429, sdk.RateLimitError),
        (500, sdk.InternalServerError),
        (503, sdk.InternalServerError),
    ],
)
def test_upstream_errors_are_typed(openai, model, status, error):
    with pytest.raises(error) as caught:
        openai.chat.completions.create(
            model=model, messages=[user("ping")], extra_headers={"x-mock-fault": f"status={status}"}
        )
    assert caught.value.status_code == status
    assert caught.value.body["message"]


def test_a_stream_that_breaks_off_raises(openai):
    for model in ("gpt-4o", "claude-haiku-4-5"):
        with pytest.raises(sdk.APIError), openai.chat.completions.create(
            model=model, messages=[user("count to 30")], stream=True, extra_headers={"x-mock-fault": "cut-events=8"}
        ) as stream:
            for _ in stream:
                pass


def test_a_stream_with_an_error_event_raises(openai):
    for model in ("gpt-4o", "claude-haiku-4-5"):
        with pytest.raises(sdk.APIError), openai.chat.completions.create(
            model=model, messages=[user("count to 30")], stream=True, extra_headers={"x-mock-fault": "error-event"}
        ) as stream:
            for _ in stream:
                pass


@BOTH
@pytest.mark.parametrize("fault", ["crlf", "cr", "comments", "split=1", "split=7", "gzip", "br", "zstd", "deflate"])
def test_every_way_to_write_a_stream(openai, model, fault):
    stream = openai.chat.completions.create(
        model=model,
        messages=[user("count to 20")],
        stream=True,
        stream_options={"include_usage": True},
        extra_headers={"x-mock-fault": fault, "accept-encoding": "gzip, deflate, br, zstd"},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.endswith("19 20"), text
    assert chunks[-1].usage.completion_tokens > 0
