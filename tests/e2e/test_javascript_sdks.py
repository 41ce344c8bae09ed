"""The JavaScript SDKs through the gateway; `js/sdk.mjs` holds the checks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = os.environ.get("AIGW_E2E_JS")


@pytest.mark.skipif(not PACKAGES or not shutil.which("node"), reason="npm is not installed")
def test_javascript_sdks(shared, tmp_path):
    """The script is copied beside the packages' folder, where its imports are found."""
    (tmp_path / "node_modules").symlink_to(Path(PACKAGES) / "node_modules")
    script = shutil.copy(Path(__file__).parent / "js" / "sdk.mjs", tmp_path)
    result = subprocess.run(
        ["node", "--preserve-symlinks", "--preserve-symlinks-main", script, shared.url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("\nok ") >= 18, result.stdout
