"""Operations that are no conversation pass through to an OpenAI-compatible upstream; the list of models is the gateway's."""

from __future__ import annotations

import base64

import httpx
import openai as sdk
import pytest

from conftest import anthropic_client, openai_client
from harness.config import document, rule
from harness.samples import PNG, WAV


def test_embeddings(openai):
    answer = openai.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert [one.index for one in answer.data] == [0, 1] and len(answer.data[0].embedding) > 1
    assert answer.usage.total_tokens > 0
    plain = openai.embeddings.create(model="text-embedding-3-small", input="one", encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(answer.data[0].embedding)


def test_transcription(openai, mock):
    answer = openai.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAV, "audio/wav"), language="en")
    assert answer.text
    assert mock.last()["headers"]["content-type"].startswith("multipart/form-data")


def test_transcription_with_another_model_name_upstream(start, mock):
    """The model stands inside the form and is replaced there; the file's bytes stay as they were."""
    ref = {"name": "openai", "modelNameOverride": "whisper-large"}
    backend = {"name": "openai", "schema": {"name": "OpenAI"}, "url": mock.url, "apiKey": "k"}
    gateway = start(document([backend], [rule("ears", ref)]))
    with openai_client(gateway) as client:
        assert client.audio.transcriptions.create(model="ears", file=("a.wav", WAV, "audio/wav")).text
    recorded = str(mock.last()["body"])
    assert "whisper-large" in recorded and "ears" not in recorded


def test_transcription_streamed_and_as_text(openai):
    kinds = [
        event.type
        for event in openai.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", WAV), stream=True)
    ]
    assert kinds[-1] == "transcript.text.done"
    text = openai.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAV), response_format="text")
    assert isinstance(text, str) and text.strip()


def test_translation(openai):
    assert openai.audio.translations.create(model="whisper-1", file=("a.wav", WAV, "audio/wav")).text


def test_speech(openai):
    sound = openai.audio.speech.create(model="tts-1", voice="alloy", input="hello")
    assert len(sound.content) > 100
    with openai.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="hello") as streamed:
        assert b"".join(streamed.iter_bytes()) == sound.content


def test_images(openai):
    answer = openai.images.generate(model="gpt-image-1", prompt="a cat", size="1024x1024")
    assert base64.b64decode(answer.data[0].b64_json or "") or answer.data[0].url
    edited = openai.images.edit(model="gpt-image-1", prompt="a dog", image=("a.png", PNG, "image/png"))
    assert edited.data


def test_moderations(openai):
    answer = openai.moderations.create(model="omni-moderation-latest", input="hello")
    assert answer.results[0].flagged is False


def test_completions(openai):
    answer = openai.completions.create(model="gpt-3.5-turbo-instruct", prompt="ping", max_tokens=16)
    assert answer.choices[0].text and answer.usage.total_tokens > 0
    chunks = list(openai.completions.create(model="gpt-3.5-turbo-instruct", prompt="count to 5", max_tokens=16, stream=True))
    assert len(chunks) > 2


def test_responses(openai):
    answer = openai.responses.create(model="gpt-4o", input="ping")
    assert answer.output_text == "pong" and answer.status == "completed" and answer.usage.total_tokens > 0
    events = list(openai.responses.create(model="gpt-4o", input="count to 5", stream=True))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"


def test_responses_input_tokens(openai):
    assert openai.responses.input_tokens.count(model="gpt-4o", input="one two three").input_tokens > 0


def test_a_stored_response_is_fetched_and_deleted_where_one_backend_is_implied(start, mock):
    backend = {"name": "openai", "schema": {"name": "OpenAI"}, "url": mock.url, "apiKey": "sk"}
    gateway = start(document([backend], [rule("gpt-*", "openai")]))
    with openai_client(gateway) as client:
        made = client.responses.create(model="gpt-4o", input="ping")
        assert client.responses.retrieve(made.id).id == made.id
        client.responses.delete(made.id)
        with pytest.raises(sdk.NotFoundError):
            client.responses.retrieve(made.id)


def test_a_stored_response_of_two_backends_is_ambiguous(start, mock):
    backends = [{"name": name, "schema": {"name": "OpenAI"}, "url": mock.url, "apiKey": "sk"} for name in ("one", "two")]
    gateway = start(document(backends, [rule("a", "one"), rule("b", "two")]))
    with openai_client(gateway) as client, pytest.raises(sdk.BadRequestError) as caught:
        client.responses.retrieve("resp_1")
    assert caught.value.response.headers["x-aigw-error"] == "ambiguous_backend"


def test_rerank(shared, mock):
    body = {"model": "rerank-v3.5", "query": "capital", "documents": ["Paris is a capital", "a dog"], "top_n": 1}
    for path in ("/v2/rerank", "/cohere/v2/rerank"):
        response = shared.post(path, body)
        assert response.status_code == 200, response.text
        result = response.json()["results"][0]
        assert set(result) >= {"index", "relevance_score"}


def test_tokenize(shared, mock):
    response = shared.post("/tokenize", {"model": "llama", "prompt": "one two three"})
    assert response.status_code == 200, response.text
    assert response.json()["count"] >= 3
    assert mock.last()["path"] == "/tokenize"


@pytest.fixture
def listed(start, mock):
    backends = [
        {"name": "openai", "schema": {"name": "OpenAI"}, "url": mock.url, "apiKey": "sk"},
        {"name": "anthropic", "schema": {"name": "Anthropic"}, "url": mock.url, "apiKey": "sk"},
    ]
    rules = [
        rule(["gpt-4o", "org/with-slash"], "openai", modelsOwnedBy="someone", modelsCreatedAt=1700000000),
        rule(["claude-haiku-4-5", "claude-*"], "anthropic"),
    ]
    aliases = [{"name": "fast", "model": "gpt-4o"}, {"name": "secret", "model": "gpt-4o", "hidden": True}]
    return start(document(backends, rules, models=aliases))


def test_models_in_openais_shape(listed):
    with openai_client(listed) as client:
        models = {model.id: model for model in client.models.list()}
        assert {"gpt-4o", "org/with-slash", "claude-haiku-4-5", "fast"} <= set(models)
        assert "secret" not in models and not [name for name in models if "*" in name]
        assert (models["gpt-4o"].owned_by, models["gpt-4o"].created) == ("someone", 1700000000)
        assert client.models.retrieve("gpt-4o").id == "gpt-4o"
        assert client.models.retrieve("org/with-slash").id == "org/with-slash"
        with pytest.raises(sdk.NotFoundError):
            client.models.retrieve("no-such-model")


def test_models_in_anthropics_shape(listed):
    with anthropic_client(listed) as client:
        models = {model.id: model for model in client.models.list()}
        assert {"gpt-4o", "claude-haiku-4-5", "fast"} <= set(models)
        assert models["gpt-4o"].type == "model" and models["gpt-4o"].display_name
        assert models["gpt-4o"].created_at.year == 2023
        assert client.models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5"


def test_an_alias_answers_under_any_client(listed, mock):
    with openai_client(listed) as client:
        for name in ("fast", "secret"):
            answer = client.chat.completions.create(model=name, messages=[{"role": "user", "content": "ping"}])
            assert answer.choices[0].message.content == "pong"
            assert mock.last()["body"]["model"] == "gpt-4o"


def test_http2_clients_are_served(shared):
    """HTTP/2 with prior knowledge, as service meshes and gRPC-minded clients speak it."""
    import subprocess

    result = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", shared.url + "/v1/models"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.stdout == "2 200", result.stdout + result.stderr


def test_a_keep_alive_connection_serves_many(shared):
    with httpx.Client(base_url=shared.url) as client:
        for _ in range(20):
            assert client.get("/v1/models").status_code == 200
