"""The two client dialects as the fault tests use them: a minimal request, and what an error must look like."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import httpx

# Seconds that an answer may take; bodies of full size take long where much else runs.
TIMEOUT = 120 if os.environ.get("AIGW_E2E_FULL") else 30


@dataclass(frozen=True)
class Dialect:
    """A client dialect."""

    name: str
    path: str
    headers: dict[str, str]

    def body(self, model: str = "m", **more) -> dict:
        messages = [{"role": "user", "content": "hello"}]
        limit = {"max_tokens": 64} if self.name == "anthropic" else {}
        return {"model": model, "messages": messages} | limit | more

    def check_error(self, response: httpx.Response, status: int, code: str | None = None) -> str:
        """Asserts that a response is this dialect's error, and gives its message."""
        assert response.status_code == status, f"{response.status_code} {response.text[:500]}"
        assert response.headers["content-type"].startswith("application/json"), response.headers
        if code:
            assert response.headers.get("x-aigw-error") == code, dict(response.headers)
        return self.error_message(response.json(), status)

    def error_message(self, value: dict, status: int | None = None) -> str:
        if self.name == "anthropic":
            assert value["type"] == "error", value
            error = value["error"]
            known = {
                400: {"invalid_request_error"},
                401: {"authentication_error"},
                403: {"permission_error"},
                404: {"not_found_error"},
                413: {"request_too_large"},
                429: {"rate_limit_error"},
                529: {"overloaded_error"},
            }
            if status in known:
                assert error["type"] in known[status], value
        else:
            error = value["error"]
            assert {"message", "type", "param", "code"} <= set(error), value
            assert "request_id" not in error, value
        assert isinstance(error["type"], str) and error["type"], value
        assert isinstance(error["message"], str) and len(error["message"]) > 10, value
        return error["message"]

    def post(self, url: str, body: dict | bytes, path: str | None = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-type": "application/json"} | self.headers | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return httpx.post(url + (path or self.path), content=content, headers=fields, timeout=TIMEOUT)

    def answer(self, text: str = "hi there") -> dict:
        """A complete answer of an upstream that speaks this dialect."""
        if self.name == "anthropic":
            return {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "m-1",
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 3, "output_tokens": 5},
            }
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        }

    def text_of(self, value: dict) -> str:
        """The text of a complete answer of this dialect."""
        if self.name == "anthropic":
            return "".join(part["text"] for part in value["content"] if part["type"] == "text")
        return value["choices"][0]["message"]["content"]

    def stream_start(self) -> bytes:
        """The first events of a stream, up to and with some text."""
        if self.name == "anthropic":
            message = self.answer() | {"content": [], "stop_reason": None}
            return b"".join(
                event(value["type"], value)
                for value in (
                    {"type": "message_start", "message": message},
                    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                    self.stream_text("hi"),
                )
            )
        return event(None, openai_chunk({"role": "assistant", "content": ""})) + event(None, self.stream_text("hi"))

    def stream_text(self, text: str) -> dict:
        if self.name == "anthropic":
            delta = {"type": "text_delta", "text": text}
            return {"type": "content_block_delta", "index": 0, "delta": delta}
        return openai_chunk({"content": text})

    def stream_more(self, text: str) -> bytes:
        value = self.stream_text(text)
        return event(value.get("type"), value)

    def stream_end(self) -> bytes:
        if self.name == "anthropic":
            delta = {"stop_reason": "end_turn", "stop_sequence": None}
            return b"".join(
                event(value["type"], value)
                for value in (
                    {"type": "content_block_stop", "index": 0},
                    {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}},
                    {"type": "message_stop"},
                )
            )
        return event(None, openai_chunk({}, "stop")) + b"data: [DONE]\n\n"


def openai_chunk(delta: dict, finish: str | None = None) -> dict:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}],
    }


def event(name: str | None, value: dict) -> bytes:
    prefix = f"event: {name}\n" if name else ""
    return f"{prefix}data: {json.dumps(value)}\n\n".encode()


def events(text: str) -> list[tuple[str, str]]:
    """Server-sent events as `(event name, data)`."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        name, data = "", []
        for line in block.split("\n"):
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
        if data:
            found.append((name, "\n".join(data)))
    return found


OPENAI = Dialect("openai", "/v1/chat/completions", {})
ANTHROPIC = Dialect("anthropic", "/v1/messages", {"anthropic-version": "2023-06-01"})
BOTH = [OPENAI, ANTHROPIC]


def by_name(dialect: Dialect) -> str:
    """Test ids."""
    return dialect.name
