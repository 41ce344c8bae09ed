"""Each directory below examples/ is checked and driven; a new one without a test fails."""

from __future__ import annotations

import re
from pathlib import Path

import openai as sdk
import pytest
import yaml

from conftest import openai_client
from harness.process import Gateway, aigw, until
from harness.shapes import ANTHROPIC, OPENAI

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) if EXAMPLES.is_dir() else []


def test_there_are_examples():
    assert {"one-provider", "fallback", "aliases", "self-hosted", "client-keys"} <= set(NAMES)


def variables(directory: Path) -> dict[str, str]:
    """A value for every variable that the example's files mention."""
    text = "".join(path.read_text() for path in directory.glob("*.yaml"))
    return {name: f"value-of-{name}" for name in re.findall(r"\$\{(\w+)\}", text) + re.findall(r"env: (\w+)", text)}


@pytest.mark.parametrize("name", NAMES)
def test_example_is_valid_and_explained(name):
    directory = EXAMPLES / name
    assert (directory / "README.md").is_file(), "it says what it shows and how to run it"
    result = aigw("check", "--strict", *sorted(directory.glob("*.yaml")), **variables(directory))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "warning:" not in result.stdout + result.stderr


@pytest.fixture
def run(start, mock):
    """Runs an example with its providers played by the mock; nothing else is changed."""

    def begin(name: str, **urls: str) -> Gateway:
        directory = EXAMPLES / name
        config = yaml.safe_load((directory / "aigw.yaml").read_text())
        for backend in config["backends"]:
            backend["url"] = urls.get(backend["name"].replace("-", "_"), mock.url)
        return start(config, env=variables(directory))

    return begin


def ask(gateway: Gateway, model: str, text: str = "ping", **more) -> str:
    with openai_client(gateway, **more) as client:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
        return answer.choices[0].message.content


def test_one_provider(run, mock):
    gateway = run("one-provider")
    assert ask(gateway, "gpt-4o-mini") == "pong"
    assert mock.last()["headers"]["authorization"] == "Bearer value-of-OPENAI_API_KEY"
    response = ANTHROPIC.post(gateway.url, ANTHROPIC.body("gpt-4o-mini"))
    assert ANTHROPIC.text_of(response.json())


def test_fallback(run, mock, scripted):
    def broken(connection):
        connection.read()
        connection.reset()

    gateway = run("fallback")
    assert ask(gateway, "assistant") == "pong"
    assert (mock.last()["path"], mock.last()["body"]["model"]) == ("/v1/messages", "claude-sonnet-5")
    gateway = run("fallback", anthropic=scripted(broken).url)
    assert ask(gateway, "assistant") == "pong"
    assert (mock.last()["path"], mock.last()["body"]["model"]) == ("/v1/chat/completions", "gpt-4o")


def test_aliases(run, mock):
    gateway = run("aliases")
    for alias, model in {"fast": "gpt-4o-mini", "smart": "claude-sonnet-5", "legacy": "gpt-4o-mini", "gpt-5": "gpt-5"}.items():
        assert ask(gateway, alias) == "pong"
        assert mock.last()["body"]["model"] == model
    with openai_client(gateway) as client:
        names = {model.id for model in client.models.list()}
    assert {"fast", "smart"} <= names and "legacy" not in names


def test_self_hosted(run, mock, scripted):
    asked = []

    def local(name):
        def script(connection):
            while True:
                asked.append((name, connection.read()))
                connection.answer(200, OPENAI.answer(name))

        return scripted(script).url

    gateway = run("self-hosted", vllm_1=local("vllm-1"), vllm_2=local("vllm-2"), ollama=local("ollama"))
    assert {ask(gateway, "qwen-coder") for _ in range(60)} == {"vllm-1", "vllm-2"}
    assert ask(gateway, "gemma") == "ollama"
    assert not [request for _, request in asked if "authorization" in request.headers]


def test_client_keys(run, mock):
    gateway = run("client-keys")
    team, interns = "value-of-PLATFORM_TEAM_KEY", "value-of-INTERNS_KEY"
    assert ask(gateway, "gpt-4o", api_key=team) == "pong"
    assert mock.last()["headers"]["authorization"] == "Bearer value-of-OPENAI_API_KEY"
    assert ask(gateway, "gpt-4o-mini", api_key=interns) == "pong"
    with pytest.raises(sdk.PermissionDeniedError):
        ask(gateway, "gpt-4o", api_key=interns)
    with pytest.raises(sdk.AuthenticationError):
        ask(gateway, "gpt-4o", api_key="anything else")


def test_costs(run):
    gateway = run("costs")
    assert ask(gateway, "gpt-4o-mini") == "pong"
    assert ask(gateway, "claude-haiku-4-5") == "pong"
    found = until(lambda: (lines := re.findall(r"tokens=(\d+)\+(\d+).* cost\.price=(\d+)", gateway.log))[1:] and lines, "both")
    numbers = [[int(number) for number in line] for line in found]
    assert [price for _, _, price in numbers] == [
        numbers[0][0] * 15 + numbers[0][1] * 60,
        numbers[1][0] * 300 + numbers[1][1] * 1500,
    ]


def test_kubernetes_manifests(start, mock):
    """The Backends lead to the mock, and the provider of the short form is told where it is; nothing else is changed."""
    directory = EXAMPLES / "kubernetes-manifests"
    host, port = mock.url.removeprefix("http://").split(":")
    place = {"endpoints": [{"ip": {"address": host, "port": int(port)}}]}
    reference = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "openai"}
    objects = []
    for one in yaml.safe_load_all((directory / "aigw.yaml").read_text()):
        if one["kind"] == "Backend":
            one["spec"] = place
        if one["kind"] == "AIServiceBackend" and "provider" in one["spec"]:
            one["spec"]["backendRef"] = reference
        if one["kind"] != "BackendTLSPolicy":
            objects.append(one)
    gateway = start(yaml.safe_dump_all(objects), env=variables(directory))
    assert ask(gateway, "gpt-4o-mini") == "pong"
    assert mock.last()["headers"]["authorization"] == "Bearer value-of-OPENAI_API_KEY"
    assert ask(gateway, "claude-haiku-4-5") == "pong"
    assert (mock.last()["path"], mock.last()["headers"]["x-api-key"]) == ("/v1/messages", "value-of-ANTHROPIC_API_KEY")


def test_every_example_has_its_test():
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert set(NAMES) <= tested, f"without a test: {set(NAMES) - tested}"
