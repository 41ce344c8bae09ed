"""Each directory below examples/ is checked and driven; a new one without a test fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import openai_client
from harness.process import Gateway, aigw

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) if EXAMPLES.is_dir() else []


def test_there_are_examples():
    assert {"one-provider", "fallback", "aliases", "self-hosted", "client-keys"} <= set(NAMES)


def variables(directory: Path) -> dict[str, str]:
    """A value for every variable that the example's files mention."""
    text = "".join(path.read_text() for path in directory.glob("*.yaml"))
    return {name: f"value-of-{name}" for name in re.findall(r"\$\{(\w+)[:}]", text) + re.findall(r"env: (\w+)", text)}


@pytest.mark.parametrize("name", NAMES)
def test_example_is_valid_and_explained(name):
    directory = EXAMPLES / name
    assert (directory / "README.md").is_file(), "it says what it shows and how to run it"
    result = aigw("check", "--strict", *sorted(directory.glob("*.yaml")), **variables(directory))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "warning" not in (result.stdout + result.stderr).lower()
