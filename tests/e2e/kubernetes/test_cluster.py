"""What every other test here stands on: the image of `aigw` runs in a pod, and Services lead to it."""

from __future__ import annotations

from anthropic import Anthropic
from openai import OpenAI

from harness.kubernetes import IMAGE, get, kubectl


def test_mock_providers_in_a_pod(providers):
    """By the address of their Service, with the vendors' SDKs."""
    with OpenAI(base_url=providers.url + "/v1", api_key="sk-mock-openai", max_retries=5) as client:
        answer = client.chat.completions.create(model="gpt-5.1", messages=[{"role": "user", "content": "Hello"}])
        assert answer.choices[0].message.content
        with client.chat.completions.create(
            model="gpt-5.1", messages=[{"role": "user", "content": "Hello"}], stream=True
        ) as stream:
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    with Anthropic(base_url=providers.url, api_key="sk-ant-mock", max_retries=5) as client:
        answer = client.messages.create(model="claude-sonnet-5", max_tokens=50, messages=[{"role": "user", "content": "Hello"}])
        assert answer.content


def test_names_are_resolved_in_pods(providers, namespace):
    """A pod asks by name what its own DNS says of a Service: a gateway with one backend, named by its host."""
    config = f"""
backends: [{{name: openai, url: "http://providers.{providers.namespace}.svc.cluster.local", schema: {{name: OpenAI}}, apiKey: sk-mock-openai}}]
routes: [{{name: all, rules: [{{models: ["*"], backends: [{{name: openai}}]}}]}}]
"""
    kubectl("-n", namespace, "create", "configmap", "gateway", f"--from-literal=aigw.yaml={config}")
    overrides = """{"spec": {"volumes": [{"name": "config", "configMap": {"name": "gateway"}}], "containers": [{"name": "gateway",
      "image": "%s", "args": ["run", "/etc/aigw/aigw.yaml", "--listen", "0.0.0.0:1975"],
      "volumeMounts": [{"name": "config", "mountPath": "/etc/aigw"}], "readinessProbe": {"tcpSocket": {"port": 1975}, "periodSeconds": 1}}]}}"""
    kubectl("-n", namespace, "run", "gateway", f"--image={IMAGE}", "--port=1975", f"--overrides={overrides % IMAGE}")
    kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/gateway", "--timeout=30s")
    address = get("pod", "gateway", namespace)["status"]["podIP"]
    with OpenAI(base_url=f"http://{address}:1975/v1", api_key="unused", max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-5.1", messages=[{"role": "user", "content": "Hello"}])
        assert answer.choices[0].message.content
