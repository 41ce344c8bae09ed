"""What requests cost stands in the access log: for whole answers, streams, and streams that break off."""

from __future__ import annotations

import json

import pytest

from conftest import MOCK_OPENAI_KEY
from harness.config import backend, document, rule
from harness.process import aigw, until
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name

PRICE = 'model == "large" ? input_tokens * 5u + output_tokens * 25u : input_tokens + output_tokens * 5u'
COSTS = [
    {"metadataKey": "llm_total_token", "type": "TotalToken"},
    {"metadataKey": "price", "type": "CEL", "cel": PRICE},
]


def line_of(gateway, request: str) -> str:
    """The one line of the access log that tells of a request."""
    lines = until(lambda: [line for line in gateway.log.splitlines() if request in line], "the request is logged")
    assert len(lines) == 1, lines
    return lines[0]


def record_of(gateway, request: str) -> dict:
    return json.loads(line_of(gateway, request))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", BOTH, ids=by_name)
def test_costs_follow_the_usage(start, mock, dialect, stream):
    config = document([backend("openai", mock.url, apiKey=MOCK_OPENAI_KEY)], [rule("*", "openai")], costs=COSTS)
    own = [{"metadataKey": "llm_total_token", "type": "OutputToken"}, {"metadataKey": "one", "type": "CEL", "cel": "1"}]
    config["routes"][0]["costs"] = own
    gateway = start(config, arguments=["--log-format", "json"])
    for model, rates in {"small": (1, 5), "large": (5, 25)}.items():
        response = dialect.post(gateway.url, dialect.body(model, stream=stream), x_request_id=f"ask-{model}")
        assert response.status_code == 200, response.text
        record = record_of(gateway, f"ask-{model}")
        used = record["usage"]
        assert used["input"] > 0 and used["output"] > 0
        price = used["input"] * rates[0] + used["output"] * rates[1]
        assert record["costs"] == {"llm_total_token": used["output"], "one": 1, "price": price}
        assert "cost_failures" not in record


def test_the_candidate_that_answered_is_charged_for(start, scripted):
    broken = scripted(serve_all(lambda c, _: c.answer(500, {"error": {"message": "no", "type": "x"}})))
    good = scripted(serve_all(lambda c, _: c.answer(200, ANTHROPIC.answer())))
    second = {"name": "second", "modelNameOverride": "large"}
    config = document(
        [backend("first", broken.url), backend("second", good.url, "Anthropic")], [rule("*", "first", second)], costs=COSTS
    )
    gateway = start(config, arguments=["--log-format", "json"])
    assert OPENAI.post(gateway.url, OPENAI.body("small"), x_request_id="the-one").status_code == 200
    record = record_of(gateway, "the-one")
    assert [attempt["status"] for attempt in record["attempts"]] == [500, 200]
    assert record["costs"] == {"llm_total_token": 8, "price": 3 * 5 + 5 * 25}


def test_a_stream_that_breaks_off_is_charged_for_what_is_known(start, scripted):
    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(ANTHROPIC.stream_start())
        connection.reset()

    config = document([backend("claude", scripted(script).url, "Anthropic")], [rule("*", "claude")], costs=COSTS)
    gateway = start(config, arguments=["--log-format", "json"])
    try:
        OPENAI.post(gateway.url, OPENAI.body("small", stream=True), x_request_id="the-one")
    except Exception:  # noqa: BLE001 - how the client notices is another test's business
        pass
    record = record_of(gateway, "the-one")
    assert record["outcome"] != "success"
    assert record["costs"]["llm_total_token"] == 8 and record["costs"]["price"] == 3 + 5 * 5


def test_errors_cost_nothing(start, scripted):
    upstream = scripted(serve_all(lambda c, _: c.answer(400, {"error": {"message": "no", "type": "x"}})))
    costs = [{"metadataKey": "one", "type": "CEL", "cel": "1u"}]
    gateway = start(document([backend("a", upstream.url)], [rule("m", "a")], costs=costs), arguments=["--log-format", "json"])
    for model in ("m", "unknown"):
        assert OPENAI.post(gateway.url, OPENAI.body(model), x_request_id=f"ask-{model}").status_code >= 400
        assert "costs" not in record_of(gateway, f"ask-{model}")


def test_a_cost_that_cannot_be_worked_out_loses_nothing_else(start, scripted):
    upstream = scripted(serve_all(lambda c, _: c.answer(200, OPENAI.answer())))
    under = "total_tokens > 0u ? input_tokens - output_tokens : 0u"
    costs = [{"metadataKey": "under", "type": "CEL", "cel": under}, *COSTS]
    config = document([backend("a", upstream.url)], [rule("*", "a")], costs=costs)
    gateway = start(config)
    response = OPENAI.post(gateway.url, OPENAI.body("small"), x_request_id="the-one")
    assert response.status_code == 200 and OPENAI.text_of(response.json()) == "hi there"
    line = line_of(gateway, "the-one")
    assert " cost.llm_total_token=8 cost.price=28 cost.under=!overflow" in line
    until(lambda: "aigw_cost_failures_total 1" in gateway.metrics(), "the failure is counted")


def test_bad_costs_are_refused_and_good_ones_explained(tmp_path):
    file = tmp_path / "aigw.yaml"
    base = "backends: [{name: local, provider: ollama}]\ncosts:\n- metadataKey: price\n  type: CEL\n  cel: "
    file.write_text(base + "input_tokens * 0.1\n")
    result = aigw("check", file)
    assert result.returncode != 0
    assert f'{file}:3: error: cost "price": cel: cannot mul uint and double' in result.stdout + result.stderr
    file.write_text(base + "input_tokens / 10u\n")
    result = aigw("explain", "--model", "m", file)
    assert result.returncode == 0, result.stderr
    assert "cost       price: input_tokens / 10u" in result.stdout
