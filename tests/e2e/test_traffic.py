"""What a rule does with traffic: how much it takes, how long an attempt may last, how it pauses."""

from __future__ import annotations

import threading

from harness.config import backend, document, rule
from harness.process import until
from harness.scripted import held, holding, serve_all
from harness.shapes import BOTH, OPENAI


def test_a_rule_takes_so_many_requests_at_a_time(start, scripted):
    release = threading.Event()

    def fine(connection, _):
        connection.answer(200, OPENAI.answer())

    busy, idle = scripted(holding(release, OPENAI.answer())), scripted(serve_all(fine))
    backends = [backend("busy", busy.url), backend("idle", idle.url)]
    rules = [rule("other", "idle"), rule("*", "busy", "idle", maxConcurrent=1)]
    gateway = start(document(backends, rules))
    with held(busy, release, lambda: OPENAI.post(gateway.url, OPENAI.body())) as answers:
        for client in BOTH:
            response = client.post(gateway.url, client.body())
            client.check_error(response, 503, "rule_busy")
            assert int(response.headers["retry-after"]) >= 1
        assert not idle.requests, "no backend of the rule is asked"
        assert OPENAI.post(gateway.url, OPENAI.body() | {"model": "other"}).status_code == 200
    assert [answer.status_code for answer in answers] == [200]
    until(lambda: OPENAI.post(gateway.url, OPENAI.body()).status_code == 200, "the place is given back")


def test_an_attempt_that_falls_silent_is_made_again_on_the_same_backend(start, scripted):
    def script(connection):
        connection.read()
        if len(connection.upstream.requests) < 3:
            connection.wait_gone(20)
        else:
            connection.answer(200, OPENAI.answer("at last"))

    slow = scripted(script)
    retry = {
        "attempts": 3,
        "attemptsPerBackend": 3,
        "timeout": "1s",
        "backoff": {"base": "20ms", "max": "50ms"},
    }
    gateway = start(document([backend("only", slow.url)], [rule("*", "only", retry=retry)]))
    response = OPENAI.post(gateway.url, OPENAI.body())
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == "at last"
    assert len(slow.requests) == 3


def test_a_backend_that_keeps_failing_is_left_out_for_a_while(start, scripted):
    broken = scripted(serve_all(lambda connection, _: connection.answer(500, {"error": {"message": "no"}})))
    good = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    backends = [backend("broken", broken.url), backend("good", good.url)]
    rules = [rule("*", "broken", "good", ejection={"errors": 2, "time": "3s"})]
    gateway = start(document(backends, rules))

    def ask() -> int:
        assert OPENAI.post(gateway.url, OPENAI.body()).status_code == 200
        return len(broken.requests)

    metric = 'aigw_backend_ejected{rule="main 0",backend="broken"}'
    assert metric not in gateway.metrics()
    assert [ask(), ask()] == [1, 2]
    assert f"{metric} 1" in gateway.metrics()
    assert ask() == 2, "it is not asked while it is out"
    until(lambda: f"{metric} 0" in gateway.metrics(), "the backend is back")
    assert ask() == 3
