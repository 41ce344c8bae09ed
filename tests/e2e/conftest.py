"""Fixtures: the gateway, the mock providers, scripted upstreams, the vendors' SDKs."""

from __future__ import annotations

import itertools
import socket

import pytest
from anthropic import Anthropic
from openai import OpenAI

from harness import process, vendor_types
from harness.config import backend, document, rule
from harness.mock import Mock
from harness.process import Gateway, Program
from harness.scripted import Scripted

MOCK_OPENAI_KEY = "sk-mock-openai"
MOCK_ANTHROPIC_KEY = "sk-ant-mock"

running: list[Program] = []
checked_by_type = 0


def pytest_addoption(parser):
    parser.addoption("--host", default="native", choices=sorted(process.HOSTS), help="what carries the gateway's traffic")


def pytest_configure(config):
    process.host = config.getoption("--host")


def pytest_collection_modifyitems(config, items):
    for item in items:
        marker = item.get_closest_marker("hosts")
        if marker and process.host not in marker.args:
            item.add_marker(pytest.mark.skip(reason=f"not with {process.host}: {marker.kwargs['reason']}"))


def pytest_report_header(config):
    return f"host: {process.host}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of every running program's log."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for program in running:
            report.sections.append((f"log of {program.name}", program.tail()))


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{checked_by_type} upstream requests checked by the vendors' own types")
    # What failed by chance is to be mended all the same.
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"first run of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(scope="session")
def mock(tmp_path_factory):
    """The mock providers."""
    program = Mock(tmp_path_factory.mktemp("mock"))
    running.append(program)
    yield program
    running.remove(program)
    program.stop()


def mock_backends(mock: Mock) -> list[dict]:
    return [
        backend("openai", mock.url, apiKey=MOCK_OPENAI_KEY),
        backend("anthropic", mock.url, "Anthropic", apiKey=MOCK_ANTHROPIC_KEY),
    ]


@pytest.fixture(scope="session")
def shared(mock, tmp_path_factory):
    """One gateway for the tests that change nothing: `claude-*` goes to Anthropic, everything else to OpenAI."""
    config = document(mock_backends(mock), [rule("claude-*", "anthropic"), rule("*", "openai")])
    program = Gateway(tmp_path_factory.mktemp("shared"), config)
    running.append(program)
    yield program
    running.remove(program)
    program.stop()


@pytest.fixture
def start(tmp_path):
    """Starts gateways of this test alone; each must end in order at the test's end."""
    mine: list[Gateway] = []
    numbers = itertools.count(1)

    def begin(config: dict | None = None, **more) -> Gateway:
        number = next(numbers)
        program = Gateway(tmp_path / f"gateway{number}", config, name=f"gateway{number}", **more)
        mine.append(program)
        running.append(program)
        return program

    yield begin
    for program in mine:
        running.remove(program)
    for program in mine:
        if not getattr(program, "ended_by_test", False):
            program.stop()


@pytest.fixture
def scripted():
    """Makes upstreams that follow a script; a script that failed fails the test."""
    mine: list[Scripted] = []

    def begin(script, **more) -> Scripted:
        upstream = Scripted(script, **more)
        mine.append(upstream)
        return upstream

    yield begin
    for upstream in mine:
        upstream.close()


@pytest.fixture
def port():
    """A port that nobody else gets, and that Envoy can listen on: bound here, shared, and never listened on."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def openai(shared):
    """OpenAI's SDK, talking to the shared gateway."""
    with openai_client(shared) as client:
        yield client


@pytest.fixture
def anthropic(shared):
    """Anthropic's SDK, talking to the shared gateway."""
    with anthropic_client(shared) as client:
        yield client


def openai_client(gateway: Gateway, **more) -> OpenAI:
    return OpenAI(base_url=gateway.url + "/v1", **({"api_key": "client-key", "max_retries": 0, "timeout": 30} | more))


def anthropic_client(gateway: Gateway, **more) -> Anthropic:
    return Anthropic(base_url=gateway.url, **({"api_key": "client-key", "max_retries": 0, "timeout": 30} | more))


@pytest.fixture(autouse=True)
def upstream_requests_fit_the_vendors_types(request):
    """Every request that reached a mock provider in a test must fit the vendor's own parameter types."""
    global checked_by_type
    uses_mock = {"mock", "shared", "openai", "anthropic"} & set(request.fixturenames)
    mock = request.getfixturevalue("mock") if uses_mock else None
    if mock:
        mock.forget()
    yield
    if mock and not request.node.get_closest_marker("open_world"):
        found = []
        for recorded in mock.requests():
            if isinstance(recorded.get("body"), dict):
                checked_by_type += 1
                path = recorded["path"]
                found += [f"{path}: {error}" for error in vendor_types.errors(path, recorded["body"])]
        assert not found, "upstream requests that the vendor's types refuse:\n" + "\n".join(found)
