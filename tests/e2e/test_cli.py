"""The command line: `check`, `explain`, `providers`, `run` without a file, `run --demo`, help and mistakes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest
import trustme
import yaml

from conftest import anthropic_client, openai_client
from harness.config import backend, document, rule, single
from harness.process import BINARY, aigw, environment, until
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name


def write(path: Path, config) -> Path:
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))
    return path


@pytest.mark.parametrize("command", [[], ["run"], ["check"], ["explain"], ["providers"], ["crds"], ["crds", "apply"], ["mock"]], ids=" ".join)
def test_help_a_person_can_read(command):
    result = aigw(*command, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout and max(map(len, result.stdout.splitlines())) <= 120


def test_version():
    result = aigw("--version")
    assert result.returncode == 0 and re.match(r"aigw \d+\.\d+\.\d+", result.stdout)


def test_crds_are_printed_one_or_all():
    everything = list(yaml.safe_load_all(aigw("crds").stdout))
    assert {one["kind"] for one in everything} == {"CustomResourceDefinition"}
    assert {one["spec"]["group"] for one in everything} == {
        "aigateway.envoyproxy.io", "gateway.envoyproxy.io", "gateway.networking.k8s.io"
    }
    one = list(yaml.safe_load_all(aigw("crds", "--only", "mcproute").stdout))
    assert [crd["metadata"]["name"] for crd in one] == ["mcproutes.aigateway.envoyproxy.io"]
    schemas = {str(version["schema"]) for version in one[0]["spec"]["versions"]}
    assert len(schemas) == 1, "both versions have one schema"
    wrong = aigw("crds", "--only", "Nothing")
    assert wrong.returncode == 1 and "AIGatewayRoute" in wrong.stderr


def test_crds_need_a_cluster_to_be_applied_to(tmp_path):
    result = aigw("crds", "apply", "--kubeconfig", tmp_path / "absent")
    assert result.returncode == 1 and "absent" in result.stderr


def test_check_accepts_a_good_file(tmp_path):
    result = aigw("check", write(tmp_path / "good.yaml", single("http://127.0.0.1:9")))
    assert result.returncode == 0, result.stdout + result.stderr


MISTAKES = {
    "unknown backend": (
        {"routes": [{"name": "main", "rules": [{"models": ["x"], "backends": [{"name": "nobody"}]}]}]},
        ["main", "nobody", "rules[0].backends[0]"],
    ),
    "duplicate name": (
        document([backend("twice", "http://127.0.0.1:9"), backend("twice", "http://127.0.0.1:9")], [rule("*", "twice")]),
        ["twice"],
    ),
    "bad regex": (
        document([backend("b", "http://127.0.0.1:9")], [{"models": [{"regex": "("}], "backends": [{"name": "b"}]}]),
        ["main", "rules[0].models[0]"],
    ),
    "bad URL": (document([backend("b", "not a url")], [rule("*", "b")]), ["b", "url"]),
    "bad duration": (single("http://127.0.0.1:9", limits={"timeouts": {"idle": "soon"}}), ["soon"]),
    "unknown schema": (document([{"name": "b", "schema": {"name": "Nope"}, "url": "http://h"}], [rule("*", "b")]), ["Nope"]),
    "no YAML": ("backends: [", []),
}


@pytest.mark.parametrize("case", MISTAKES, ids=str)
def test_check_names_file_line_object_and_field(tmp_path, case):
    config, words = MISTAKES[case]
    path = write(tmp_path / "bad.yaml", config)
    result = aigw("check", path)
    said = result.stdout + result.stderr
    assert result.returncode != 0, said
    assert re.search(r"bad\.yaml:\d+", said), f"file and line: {said}"
    for word in words:
        assert word in said, said


def test_check_reads_certificates_and_authorities(tmp_path):
    """Both are read when they are served; who only checks is told all the same."""
    good = trustme.CA()
    issued = good.issue_cert("localhost")
    files = {name: tmp_path / name for name in ("tls.crt", "tls.key", "other.key", "ca.pem", "empty.pem")}
    files["tls.crt"].write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    files["tls.key"].write_bytes(issued.private_key_pem.bytes())
    files["other.key"].write_bytes(good.issue_cert("localhost").private_key_pem.bytes())
    good.cert_pem.write_to_path(str(files["ca.pem"]))
    files["empty.pem"].write_text("")

    def check(key: str, ca: str):
        tls = {"certificate": str(files["tls.crt"]), "key": str(files[key])}
        config = document([backend("b", "https://127.0.0.1:9", tls={"ca": str(files[ca])})], [rule("*", "b")])
        config["listeners"] = [{"name": "https", "address": "127.0.0.1:0", "tls": tls}]
        return aigw("check", write(tmp_path / "config.yaml", config))

    fine = check("tls.key", "ca.pem")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    wrong = check("other.key", "ca.pem")
    assert wrong.returncode == 1 and re.search(r'config\.yaml:\d+: error: listener "https": tls: .*do not work together', wrong.stdout)
    wrong = check("tls.key", "empty.pem")
    assert wrong.returncode == 1 and 'backend "b": tls.ca: ' in wrong.stdout and "no certificate" in wrong.stdout, wrong.stdout


@pytest.mark.parametrize("case", MISTAKES, ids=str)
def test_run_refuses_what_check_refuses(tmp_path, case):
    path = write(tmp_path / "bad.yaml", MISTAKES[case][0])
    result = aigw("run", path, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", timeout=20)
    assert result.returncode != 0
    assert "bad.yaml" in result.stdout + result.stderr


def test_an_unknown_field_is_a_warning_with_its_line(tmp_path):
    config = single("http://127.0.0.1:9")
    config["backends"][0]["colour"] = "blue"
    result = aigw("check", write(tmp_path / "odd.yaml", config))
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert "warning" in said and "colour" in said and re.search(r"odd\.yaml:\d+", said)


def test_a_missing_file_is_named(tmp_path):
    result = aigw("check", tmp_path / "nowhere.yaml")
    assert result.returncode != 0 and "nowhere.yaml" in result.stdout + result.stderr


def test_an_unset_variable_is_named(tmp_path):
    config = document([backend("b", "http://127.0.0.1:9", apiKey="${NO_SUCH_VARIABLE}")], [rule("*", "b")])
    result = aigw("check", write(tmp_path / "var.yaml", config))
    assert result.returncode != 0 and "NO_SUCH_VARIABLE" in result.stdout + result.stderr


def test_explain_says_where_a_request_would_go(tmp_path):
    backends = [backend("first", "http://one.example", apiKey="sk-secret"), backend("second", "http://two.example", "Anthropic")]
    config = document(backends, [rule("m", {"name": "first", "modelNameOverride": "real"}, "second")])
    result = aigw("explain", "--model", "m", write(tmp_path / "c.yaml", config))
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    for word in ("main", "first", "second", "real", "/v1/chat/completions", "/v1/messages", "one.example"):
        assert word in said, said
    assert said.index("first") < said.index("second")
    assert "sk-secret" not in said


def test_explain_of_an_unknown_model(tmp_path):
    result = aigw("explain", "--model", "other", write(tmp_path / "c.yaml", document([backend("b", "http://h.example")], [rule("m", "b")])))
    assert result.returncode != 0 and "other" in result.stdout + result.stderr


def test_providers_prints_the_matrix():
    plain, markdown = aigw("providers"), aigw("providers", "--markdown")
    assert plain.returncode == markdown.returncode == 0
    for name in ("openai", "anthropic", "groq", "cohere", "deepinfra", "gemini", "tetrate", "vllm", "ollama"):
        assert name in plain.stdout and name in markdown.stdout.lower(), name
    assert "|---" in markdown.stdout or "| ---" in markdown.stdout


def test_providers_from_the_environment(start, mock):
    env = {
        "OPENAI_API_KEY": "env-openai",
        "OPENAI_BASE_URL": mock.url + "/v1",
        "ANTHROPIC_API_KEY": "env-anthropic",
        "ANTHROPIC_BASE_URL": mock.url,
        "GROQ_API_KEY": "env-groq",
        "GROQ_BASE_URL": mock.url + "/openai/v1",
    }
    gateway = start(None, env=env)
    asked = {
        "gpt-4o": ("/v1/chat/completions", "authorization", "Bearer env-openai"),
        "claude-haiku-4-5": ("/v1/messages", "x-api-key", "env-anthropic"),
        "llama-3.3-70b-versatile": ("/openai/v1/chat/completions", "authorization", "Bearer env-groq"),
    }
    for model, (path, name, value) in asked.items():
        response = OPENAI.post(gateway.url, OPENAI.body(model))
        assert response.status_code == 200, f"{model}: {response.text}"
        assert (mock.last()["path"], mock.last()["headers"][name]) == (path, value)
    for secret in ("env-openai", "env-anthropic", "env-groq"):
        assert secret not in gateway.log
        assert secret not in httpx.get(gateway.admin + "/config").text


def test_run_with_nothing_says_what_to_do():
    result = aigw("run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", timeout=20)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "OPENAI_API_KEY" in said and "--demo" in said


def test_demo_answers_every_dialect_and_its_curl_lines_work(start):
    gateway = start(None, arguments=["--demo"])
    with openai_client(gateway) as client:
        names = [model.id for model in client.models.list()]
    assert {"demo-openai_chat", "demo-anthropic_messages"} <= set(names)
    for client in BOTH:
        for model in names:
            response = client.post(gateway.url, client.body(model))
            assert response.status_code == 200, f"{client.name} → {model}: {response.text}"
            assert client.text_of(response.json())
    text = until(lambda: "curl" in gateway.log and gateway.log, "curl lines are printed")
    commands = re.findall(r"^\s*(curl (?:[^\n]*\\\n)*[^\n]*)$", text, re.MULTILINE)
    assert len(commands) >= 2, f"one a client dialect: {text}"
    for command in commands:
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False)
        assert result.returncode == 0, f"{command}\n{result.stderr}"
        assert "error" not in result.stdout.lower(), f"{command}\n{result.stdout}"


def test_a_taken_port_is_named(start, scripted):
    taken = scripted(lambda connection: None)
    result = aigw("run", "--demo", "--listen", f"127.0.0.1:{taken.port}", "--admin", "127.0.0.1:0", timeout=20)
    assert result.returncode != 0 and str(taken.port) in result.stdout + result.stderr


def test_flags_have_environment_variables(tmp_path):
    """`AIGW_LISTEN` and `AIGW_ADMIN` stand for the flags."""
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [BINARY, "run", "--demo", "--ready-file", str(ready)],
        env=environment(AIGW_LISTEN="127.0.0.1:0", AIGW_ADMIN="127.0.0.1:0", AIGW_LOG_FORMAT="json"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: ready.exists() and ready.read_text().strip(), "the gateway serves")
        assert yaml.safe_load(ready.read_text())["gateway"].split(":")[1] != "1975"
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_listening_beyond_loopback_without_keys_warns(start, scripted, tmp_path):
    upstream = scripted(lambda connection: None)
    path = write(tmp_path / "open.yaml", single(upstream.url))
    ready = tmp_path / "ready.json"
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [BINARY, "run", str(path), "--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0", "--ready-file", str(ready)],
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        until(ready.exists, "the gateway serves")
        until(lambda: "clientKeys" in log.read_text(), "the warning names what to set")
    finally:
        process.terminate()
        assert process.wait(15) == 0
