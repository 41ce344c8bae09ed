"""Health checks of a rule: who fails them gets no requests until they are passed again."""

from __future__ import annotations

import time

import pytest

from harness.config import backend, document, rule
from harness.process import until
from harness.scripted import Scripted, serve_all
from harness.shapes import OPENAI

CHECK = {"path": "/up?deep=1", "host": "models.test", "interval": "100ms", "timeout": "2s", "unhealthy": 2, "healthy": 2}


class Model:
    """An upstream that answers every request, and checks as it is told to."""

    def __init__(self, scripted, **more):
        self.status: int | None = 200
        self.asked = 0
        self.checks: list = []
        self.upstream: Scripted = scripted(serve_all(self._respond), **more)

    def _respond(self, connection, request):
        if request.method == "POST":
            self.asked += 1
            return connection.answer(200, OPENAI.answer())
        self.checks.append(request)
        if self.status is None:
            connection.wait_gone(20)
        else:
            connection.answer(self.status, {})

    @property
    def url(self) -> str:
        return self.upstream.url


@pytest.fixture
def model(scripted):
    return lambda **more: Model(scripted, **more)


def metric(name: str, value: int) -> str:
    return f'aigw_backend_healthy{{rule="main 0",backend="{name}"}} {value}\n'


def ask(gateway, name: str = "m") -> None:
    response = OPENAI.post(gateway.url, OPENAI.body(name), authorization="Bearer client-key", cookie="session=client-cookie")
    assert response.status_code == 200, response.text


def settled(gateway, **states: int) -> None:
    """Waits until the checks say so."""
    until(lambda: all(metric(name, value) in gateway.metrics() for name, value in states.items()), f"{states}")


def test_who_fails_is_left_out_until_it_passes_again_and_a_reload_changes_nothing(start, model):
    first, second = model(), model()

    def config(*more: dict, **edits) -> dict:
        backends = [backend("first", first.url, apiKey="sk-first-key"), backend("second", second.url, apiKey="sk-second-key")]
        return document(backends, [rule("m", "first", "second", healthCheck=CHECK) | edits, *more])

    gateway = start(config())
    settled(gateway, first=1, second=1)
    ask(gateway)
    assert (first.asked, second.asked) == (1, 0)

    first.status = 503
    settled(gateway, first=0, second=1)
    for _ in range(3):
        ask(gateway)
    assert (first.asked, second.asked) == (1, 3)
    assert "backend first fails its health check" in gateway.log and "answered 503" in gateway.log

    # No check ends while the configuration changes: what is known comes from before.
    first.status = None
    gateway.write(config(rule("other", "second")))
    until(lambda: OPENAI.post(gateway.url, OPENAI.body("other")).status_code == 200, "the new configuration is served")
    assert metric("first", 0) in gateway.metrics()
    second.asked = 0
    ask(gateway)
    assert (first.asked, second.asked) == (1, 1)

    first.status = 200
    settled(gateway, first=1)
    ask(gateway)
    assert (first.asked, second.asked) == (2, 1)
    assert "backend first passes its health check again" in gateway.log

    # Where all fail, all are as good as each other.
    first.status = second.status = 404
    settled(gateway, first=0, second=0)
    ask(gateway)
    assert first.asked == 3
    second.status = 200
    settled(gateway, first=0, second=1)

    for one in first.checks + second.checks:
        assert (one.method, one.path, one.body) == ("GET", "/up?deep=1", b"")
        assert one.headers == {"host": "models.test", "user-agent": "aigw-health-check"}
    posts = [one for one in first.upstream.requests if one.method == "POST"]
    assert {one.headers["authorization"] for one in posts} == {"Bearer sk-first-key"}
    assert {one.headers["host"] for one in posts} == {first.url.removeprefix("http://")}

    gateway.write(config(healthCheck=None) | {"models": [{"name": "alias", "model": "m"}]})
    until(lambda: "aigw_backend_healthy{" not in gateway.metrics(), "nobody is checked any more")
    ask(gateway, "alias")
    assert first.asked == 4, "what was known is forgotten"
    checks = len(first.checks)
    time.sleep(0.5)
    assert len(first.checks) <= checks + 1, "checks have ended but for one under way"


def test_who_takes_no_connection_is_left_out_until_it_does(start, model, tmp_path):
    socket = str(tmp_path / "up.sock")
    good = model()
    backends = [backend("gone", "http://gone.invalid"), backend("good", good.url)]
    check = {"tcp": True, "interval": "100ms", "unhealthy": 1}
    rules = [rule("*", "gone", "good", healthCheck=check, retry={"attempts": 1})]
    places = [{"name": "gone.invalid:80", "addresses": [f"unix:{socket}"]}]
    gateway = start(document(backends, rules, endpoints=places))
    settled(gateway, gone=0, good=1)
    for _ in range(3):
        ask(gateway)
    back = model(path=socket)
    settled(gateway, gone=1)
    ask(gateway)
    assert (back.asked, good.asked) == (1, 3)
    assert not back.checks, "a connection is all that is asked for"


def test_one_place_that_is_well_is_enough(start, model):
    one, two, other = model(), model(), model()
    one.status = 500
    backends = [backend("pods", "http://pods.invalid"), backend("other", other.url)]
    rules = [rule("*", "pods", "other", healthCheck=CHECK)]
    places = [{"name": "pods.invalid:80", "addresses": [at.url.removeprefix("http://") for at in (one, two)]}]
    gateway = start(document(backends, rules, endpoints=places))
    settled(gateway, pods=1, other=1)
    until(lambda: len(one.checks) > 4, "the other place is checked too")
    assert metric("pods", 1) in gateway.metrics()
    two.status = 500
    settled(gateway, pods=0)
    ask(gateway)
    assert other.asked == 1
