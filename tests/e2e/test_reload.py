"""A changed configuration takes effect without a restart; a bad one never replaces a good one."""

from __future__ import annotations

import copy

import httpx
import pytest

from harness.config import backend, document, rule, single
from harness.process import until
from harness.scripted import Gone, serve_all
from harness.shapes import OPENAI, events


@pytest.fixture
def upstream(scripted):
    return scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))


def config(url: str, *models: str, **more) -> dict:
    return document([backend("only", url, **more)], [rule(list(models), "only")])


def models(gateway) -> list[str]:
    return [model["id"] for model in gateway.get("/v1/models").json()["data"]]


def test_a_new_model_appears_and_an_old_one_goes(start, upstream):
    gateway = start(config(upstream.url, "old"))
    assert models(gateway) == ["old"]
    gateway.write(config(upstream.url, "new"))
    until(lambda: models(gateway) == ["new"], "the new model is listed")
    assert OPENAI.post(gateway.url, OPENAI.body("new")).status_code == 200
    OPENAI.check_error(OPENAI.post(gateway.url, OPENAI.body("old")), 404, "model_not_found")


def test_written_in_place(start, upstream):
    """Some editors truncate and write the same file."""
    import yaml

    gateway = start(config(upstream.url, "old"))
    gateway.config_path.write_text(yaml.safe_dump(config(upstream.url, "new")))
    until(lambda: models(gateway) == ["new"], "the new model is listed")


BAD = {
    "no YAML": "backends: [",
    "no document": "just text",
    "unknown backend": {"routes": [{"name": "main", "rules": [{"models": ["x"], "backends": [{"name": "nobody"}]}]}]},
    "empty": "",
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_a_bad_edit_keeps_the_last_good_one(start, upstream, case):
    gateway = start(config(upstream.url, "good"))
    before = gateway.log
    gateway.write(BAD[case])
    until(lambda: len(gateway.log) > len(before), "the refusal is logged")
    new = gateway.log[len(before):]
    assert "aigw.yaml" in new, f"the log names the file: {new}"
    if case == "unknown backend":
        assert "nobody" in new and "main" in new, f"the log names the object and the field: {new}"
    assert models(gateway) == ["good"]
    assert OPENAI.post(gateway.url, OPENAI.body("good")).status_code == 200
    assert httpx.get(gateway.admin + "/ready").status_code == 200, "it still serves"
    gateway.write(config(upstream.url, "better"))
    until(lambda: models(gateway) == ["better"], "a good edit after a bad one takes effect")


def test_a_directory_of_files(start, upstream, tmp_path):
    import yaml

    directory = tmp_path / "conf"
    directory.mkdir()
    whole = config(upstream.url, "one")
    (directory / "backends.yaml").write_text(yaml.safe_dump({"backends": whole["backends"]}))
    (directory / "routes.yaml").write_text(yaml.safe_dump({"routes": whole["routes"]}))
    gateway = start(None, arguments=[directory])
    assert models(gateway) == ["one"]
    more = copy.deepcopy(whole["routes"])
    more[0]["name"] = "more"
    more[0]["rules"][0]["models"] = ["two"]
    (directory / "more.yaml").write_text(yaml.safe_dump({"routes": more}))
    until(lambda: models(gateway) == ["two", "one"], "the new file is read; files count in the order of their names")
    (directory / "more.yaml").unlink()
    until(lambda: models(gateway) == ["one"], "the removed file is gone")


def test_a_request_keeps_the_snapshot_it_began_with(start, scripted):
    import threading

    go_on = threading.Event()

    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(OPENAI.stream_start())
        go_on.wait(20)
        try:
            connection.chunk(OPENAI.stream_more("after the change") + OPENAI.stream_end())
            connection.end()
        except Gone:
            pass

    slow = scripted(script)
    gateway = start(config(slow.url, "old"))
    body = OPENAI.body("old", stream=True)
    with httpx.stream("POST", gateway.url + OPENAI.path, json=body, timeout=30) as response:
        pieces = response.iter_text()
        text = next(pieces)
        gateway.write(config(slow.url, "new"))
        until(lambda: models(gateway) == ["new"], "the new model is listed")
        go_on.set()
        text += "".join(pieces)
    assert "after the change" in text and events(text)[-1][1] == "[DONE]"


def test_a_key_file_is_read_again_when_it_changes(start, upstream, tmp_path):
    key = tmp_path / "provider.key"
    key.write_text("first-key\n")
    gateway = start(config(upstream.url, "m", apiKey={"file": str(key)}))
    OPENAI.post(gateway.url, OPENAI.body())
    assert upstream.requests[-1].headers["authorization"] == "Bearer first-key"
    key.write_text("second-key\n")

    def used():
        OPENAI.post(gateway.url, OPENAI.body())
        return upstream.requests[-1].headers["authorization"] == "Bearer second-key"

    until(used, "the new key is used")


def test_a_listener_flag_replaces_the_files_listener(start, upstream):
    listeners = [{"name": "http", "address": "127.0.0.1:1"}]
    gateway = start(single(upstream.url) | {"listeners": listeners})
    assert OPENAI.post(gateway.url, OPENAI.body()).status_code == 200
