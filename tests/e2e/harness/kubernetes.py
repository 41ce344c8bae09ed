"""kubectl and helm as the tests use them: against the cluster that KUBECONFIG names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = REPOSITORY / "charts" / "aigw"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
IMAGE = f"{yaml.safe_load((CHART / 'values.yaml').read_text())['image']['repository']}:{VERSION}"


def run(*command: object, stdin: str | None = None, timeout: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a command; with `check`, what it says when it fails is the test's failure."""
    words = [str(word) for word in command]
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False, cwd=REPOSITORY, **given)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}\nended with {done.returncode}:\n{done.stderr or done.stdout}")
    return done


def kubectl(*arguments: object, **more) -> str:
    """What kubectl prints."""
    return run("kubectl", *arguments, **more).stdout


def helm(*arguments: object, **more) -> str:
    """What helm prints."""
    return run("helm", *arguments, **more).stdout


def get(kind: str, name: str | None = None, namespace: str | None = None, *arguments: object) -> dict:
    """One object, or the list of a kind."""
    words = ["get", kind, *([name] if name else []), *(["-n", namespace] if namespace else []), *arguments, "-o", "json"]
    return json.loads(kubectl(*words))


def apply(objects: list[dict] | str, namespace: str | None = None, *arguments: object) -> str:
    """`kubectl apply` of objects, or of a manifest as text."""
    text = objects if isinstance(objects, str) else yaml.safe_dump_all(objects, sort_keys=False)
    return kubectl("apply", *(["-n", namespace] if namespace else []), *arguments, "-f", "-", stdin=text)


def rollout(kind: str, name: str, namespace: str, seconds: int = 90) -> None:
    """Waits until a workload is as it should be."""
    kubectl("-n", namespace, "rollout", "status", f"{kind}/{name}", f"--timeout={seconds}s", timeout=seconds + 30)


def picture(namespace: str) -> str:
    """What one wants to see of a namespace when a test in it failed."""
    parts = [kubectl("-n", namespace, "get", "pods,services,jobs,events", "-o", "wide", check=False)]
    pods = run("kubectl", "-n", namespace, "get", "pods", "-o", "name", check=False).stdout.split()
    for pod in pods:
        for which in ([], ["--previous"]):
            log = run("kubectl", "-n", namespace, "logs", pod, "--all-containers", "--tail=40", *which, check=False).stdout
            if log:
                parts.append(f"--- log of {pod} {' '.join(which)}\n{log}")
    return "\n".join(parts)
