"""Every provider of the support matrix: the path, the host and the credential that it would see."""

from __future__ import annotations

import pytest

from conftest import anthropic_client, openai_client
from harness.config import document, rule
from harness.process import Gateway
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name
from harness.tls_proxy import TlsProxy

OPENAI_V1 = {"name": "OpenAI", "version": "v1"}

# Name, the exact schema of the documentation, the path that must be asked, where the key must stand.
ROWS = [
    ("OpenAI", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Grok", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Together AI", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Mistral", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("DeepSeek", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Hunyuan", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Tencent LLM Knowledge Engine", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("SambaNova", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Tetrate", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("Gemini on AI Studio", {"name": "OpenAI", "version": "v1beta/openai"}, "/v1beta/openai/chat/completions", "authorization"),
    ("Groq", {"name": "OpenAI", "version": "openai/v1"}, "/openai/v1/chat/completions", "authorization"),
    ("Cohere", {"name": "OpenAI", "version": "compatibility/v1"}, "/compatibility/v1/chat/completions", "authorization"),
    ("DeepInfra", {"name": "OpenAI", "version": "v1/openai"}, "/v1/openai/chat/completions", "authorization"),
    ("Anthropic", {"name": "Anthropic"}, "/v1/messages", "x-api-key"),
    ("self-hosted without a key", OPENAI_V1, "/v1/chat/completions", None),
    ("self-hosted with a key", OPENAI_V1, "/v1/chat/completions", "authorization"),
    ("prefix in place of version", {"name": "OpenAI", "prefix": "v1beta/openai"}, "/v1beta/openai/chat/completions", "authorization"),
    ("prefix wins", {"name": "OpenAI", "version": "v9", "prefix": "openai/v1"}, "/openai/v1/chat/completions", "authorization"),
    ("leading slash", {"name": "OpenAI", "prefix": "/openai/v1"}, "/openai/v1/chat/completions", "authorization"),
    ("neither", {"name": "OpenAI"}, "/v1/chat/completions", "authorization"),
]


@pytest.mark.parametrize("client", BOTH, ids=by_name)
@pytest.mark.parametrize("name, schema, path, place", ROWS, ids=[row[0] for row in ROWS])
def test_schema_row(start, mock, client, name, schema, path, place):
    backend = {"name": "row", "schema": schema, "url": mock.url} | ({"apiKey": "row-key"} if place else {})
    gateway = start(document([backend], [rule("*", "row")]))
    if client is OPENAI:
        with openai_client(gateway) as sdk:
            sdk.chat.completions.create(model="some-model", messages=[{"role": "user", "content": "ping"}])
    else:
        with anthropic_client(gateway) as sdk:
            sdk.messages.create(model="some-model", max_tokens=64, messages=[{"role": "user", "content": "ping"}])
    asked = mock.last()
    headers = asked["headers"]
    assert asked["path"] == path
    assert headers["host"] == mock.url.removeprefix("http://")
    credentials = {name: headers[name] for name in ("authorization", "x-api-key", "api-key") if name in headers}
    expected = {} if place is None else {place: "Bearer row-key" if place == "authorization" else "row-key"}
    assert credentials == expected


# The hosts of the vendors' documentation, not read from the program.
HOSTS = {
    "openai": ("api.openai.com", "/v1/chat/completions"),
    "anthropic": ("api.anthropic.com", "/v1/messages"),
    "xai": ("api.x.ai", "/v1/chat/completions"),
    "together": ("api.together.xyz", "/v1/chat/completions"),
    "mistral": ("api.mistral.ai", "/v1/chat/completions"),
    "deepseek": ("api.deepseek.com", "/v1/chat/completions"),
    "hunyuan": ("api.hunyuan.cloud.tencent.com", "/v1/chat/completions"),
    "tencent-lke": ("api.lkeap.cloud.tencent.com", "/v1/chat/completions"),
    "sambanova": ("api.sambanova.ai", "/v1/chat/completions"),
    "tetrate": ("api.router.tetrate.ai", "/v1/chat/completions"),
    "gemini": ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions"),
    "groq": ("api.groq.com", "/openai/v1/chat/completions"),
    "cohere": ("api.cohere.ai", "/compatibility/v1/chat/completions"),
    "deepinfra": ("api.deepinfra.com", "/v1/openai/chat/completions"),
}


@pytest.fixture(scope="module")
def internet(tmp_path_factory):
    """A gateway with every preset, whose way to the internet is a proxy that plays all hosts."""

    def respond(connection, host, request):
        dialect = ANTHROPIC if request.path.endswith("/messages") else OPENAI
        connection.answer(200, dialect.answer(f"answered by {host}"))

    directory = tmp_path_factory.mktemp("internet")
    proxy = TlsProxy(respond, directory)
    backends = [
        {"name": name, "provider": name, "apiKey": f"key-of-{name}", "tls": {"ca": str(proxy.ca_path)}} for name in HOSTS
    ]
    config = document(backends, [rule(f"model-of-{name}", name) for name in HOSTS])
    gateway = Gateway(directory, config, env={"HTTPS_PROXY": proxy.url})
    yield gateway, proxy
    gateway.stop()
    proxy.close()


@pytest.mark.parametrize("client", BOTH, ids=by_name)
@pytest.mark.parametrize("name", HOSTS)
def test_preset_reaches_its_host_over_tls_through_a_proxy(internet, client, name):
    gateway, proxy = internet
    host, path = HOSTS[name]
    response = client.post(gateway.url, client.body(f"model-of-{name}"))
    assert response.status_code == 200, response.text
    assert client.text_of(response.json()) == f"answered by {host}"
    request = proxy.requests[-1]
    assert f"{host}:443" in proxy.hosts
    assert (request.headers["host"], request.path) == (host, path)
    if name == "anthropic":
        assert request.headers["x-api-key"] == f"key-of-{name}" and "authorization" not in request.headers
    else:
        assert request.headers["authorization"] == f"Bearer key-of-{name}" and "x-api-key" not in request.headers


def test_an_unknown_certificate_is_refused(start, tmp_path):
    def respond(connection, host, request):
        connection.answer(200, OPENAI.answer())

    proxy = TlsProxy(respond, tmp_path)
    config = document([{"name": "openai", "provider": "openai", "apiKey": "k"}], [rule("*", "openai")])
    gateway = start(config, env={"HTTPS_PROXY": proxy.url})
    response = OPENAI.post(gateway.url, OPENAI.body())
    assert response.status_code in (502, 503), response.text
    OPENAI.check_error(response, response.status_code)
    assert not proxy.requests, "nothing was said to a host that could not prove its name"
    proxy.failures.clear()
    proxy.close()


def test_no_proxy_is_honoured(start, mock, scripted):
    unused = scripted(lambda connection: connection.read())
    config = document([{"name": "openai", "provider": "openai", "url": mock.url, "apiKey": "k"}], [rule("*", "openai")])
    gateway = start(config, env={"HTTP_PROXY": unused.url, "HTTPS_PROXY": unused.url, "NO_PROXY": "localhost,127.0.0.1"})
    assert OPENAI.post(gateway.url, OPENAI.body()).status_code == 200
    assert not unused.requests
