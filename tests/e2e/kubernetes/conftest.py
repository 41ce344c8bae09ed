"""Fixtures of the tests in a cluster."""

from __future__ import annotations

import itertools

import pytest

from harness.front import SYSTEM, Front, Providers, make_namespace, readme_commands, remove_namespace, shown
from harness.kubernetes import picture, run

numbers = itertools.count(1)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what is in the namespaces of the tests."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for namespace in shown:
            report.sections.append((f"namespace {namespace}", picture(namespace)))


@pytest.fixture
def namespace():
    """A namespace of this test alone."""
    name = make_namespace(f"test-{next(numbers)}")
    yield name
    remove_namespace(name)


@pytest.fixture(scope="session")
def providers():
    """Mock providers in the namespace `providers`."""
    made = Providers(make_namespace("providers"))
    yield made
    remove_namespace(made.namespace)


@pytest.fixture(scope="session")
def printed():
    """The README's commands, run as they are printed; what each printed."""
    shown.extend([SYSTEM, "default"])
    yield [run("bash", "-c", command, timeout=240).stdout for command in readme_commands()]
    shown.remove("default")


@pytest.fixture(scope="session", params=["Envoy", "Native"])
def front(request, printed, providers):
    """A Gateway of each kind of data plane."""
    name = make_namespace(f"front-{request.param.lower()}")
    yield Front(request.param, name, providers)
    # Its pods take the time to drain that the Gateway gives them.
    remove_namespace(name, wait=False)
