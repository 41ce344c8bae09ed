"""Fixtures of the tests in a cluster."""

from __future__ import annotations

import itertools

import pytest

from harness.front import SYSTEM, Front, Providers, make_namespace, readme_commands, remove_namespace, shown, whole
from harness.kubernetes import picture, run

numbers = itertools.count(1)
# There is one operator in a cluster, so the order of the files is a story: it comes, serves, is changed and away, and goes. The rights
# that were used are looked at in the end.
BEFORE = ["test_install", "test_chart", "test_cluster", "test_kinds"]
WITH_EACH_FRONT = ["test_model", "test_changes", "test_rollouts", "test_away", "test_uninstall"]
AFTER = ["test_formats", "test_cleanup", "test_rights"]
ORDER = [*BEFORE, *WITH_EACH_FRONT, *AFTER]


def chapter(item: pytest.Item) -> tuple[int, str, int]:
    """Where a test stands; what a Gateway is needed for is done with it before the next one is made."""
    name = item.path.stem
    group = next(number for number, names in enumerate([BEFORE, WITH_EACH_FRONT, AFTER]) if name in names)
    kind = item.callspec.params.get("front", "") if hasattr(item, "callspec") else ""
    return group, kind, ORDER.index(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    items.sort(key=chapter)
    config.stash[whole] = {item.path.stem for item in items} == set(ORDER)


def pytest_deselected(items):
    if items:
        items[0].config.stash[whole] = False


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
    made = Front(request.param, name, providers)
    yield made
    made.delete()
    remove_namespace(name, wait=False)
