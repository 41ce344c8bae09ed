"""The vendors' SDKs through each kind of data plane."""

from __future__ import annotations

import pytest

MODELS = ["gpt", "claude"]


def user(text: str) -> dict:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("model", MODELS)
def test_openai_sdk(front, model):
    with front.openai() as client:
        answer = client.chat.completions.create(model=model, messages=[user("ping")])
        assert answer.choices[0].message.content == "pong"
        with client.chat.completions.create(model=model, messages=[user("count to 20")], stream=True) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert text.split() == [str(number) for number in range(1, 21)]


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_sdk(front, model):
    with front.anthropic() as client:
        answer = client.messages.create(model=model, max_tokens=100, messages=[user("ping")])
        assert answer.content[0].text == "pong"
        with client.messages.stream(model=model, max_tokens=100, messages=[user("count to 20")]) as stream:
            text = "".join(stream.text_stream)
        assert text.split() == [str(number) for number in range(1, 21)]
