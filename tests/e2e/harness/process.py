"""Starts the program, waits until it serves, ends it, and shows its log when something went wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import yaml

BINARY = os.environ.get("AIGW_BIN", "aigw")
START_SECONDS = 30
STOP_SECONDS = 15


def environment(**more: str) -> dict[str, str]:
    """The machine's environment less everything that configures a gateway or a provider."""
    keep = {
        name: value
        for name, value in os.environ.items()
        if not re.search(r"^(AIGW_|OPENAI_|ANTHROPIC_)|_(API_KEY|BASE_URL)$|_proxy$", name, re.IGNORECASE)
    }
    return keep | {"RUST_BACKTRACE": "1", "NO_COLOR": "1"} | more


def aigw(*arguments: object, timeout: float = 30, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand that ends by itself."""
    return subprocess.run(
        [BINARY, *map(str, arguments)],
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Program:
    """A running `aigw run` or `aigw mock`."""

    def __init__(self, name: str, directory: Path, arguments: list[object], env: dict[str, str] | None = None):
        self.name = name
        directory.mkdir(parents=True, exist_ok=True)
        self.log_path = directory / f"{name}.log"
        ready = directory / f"{name}.ready.json"
        ready.unlink(missing_ok=True)
        command = [BINARY, *map(str, arguments), "--ready-file", str(ready)]
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                command,
                env=environment(**(env or {})),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.addresses = self._wait_ready(ready)

    def _wait_ready(self, ready: Path) -> dict[str, str]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if ready.exists():
                try:
                    return json.loads(ready.read_text())
                except json.JSONDecodeError:
                    pass  # half written
            if self.popen.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode} before it served:\n{self.log}")
            time.sleep(0.01)
        self.kill()
        raise AssertionError(f"{self.name} wrote no ready file within {START_SECONDS} s:\n{self.log}")

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    @property
    def rss(self) -> int:
        """Resident bytes."""
        return psutil.Process(self.popen.pid).memory_info().rss

    def terminate(self) -> None:
        self.popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.alive:
            self.popen.kill()
        self.popen.wait()

    def stop(self) -> None:
        """Ends it as an operator would and fails when it did not behave."""
        if not self.alive:
            raise AssertionError(f"{self.name} died with {self.popen.returncode} during the test:\n{self.tail()}")
        self.terminate()
        try:
            code = self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end {STOP_SECONDS} s after SIGTERM:\n{self.tail()}") from None
        if code != 0:
            raise AssertionError(f"{self.name} ended with {code} after SIGTERM:\n{self.tail()}")
        if "panicked at" in self.log:
            raise AssertionError(f"{self.name} panicked:\n{self.tail()}")

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.splitlines()[-lines:])


# What carries the traffic, and how `aigw run` is told to.
HOSTS: dict[str, list[object]] = {
    "native": [],
    "envoy": ["--envoy", "--path", "extproc"],
    "envoy-local": ["--envoy", "--path", "local"],
}
host = "native"


class Gateway(Program):
    """`aigw run` with a configuration document, or with other arguments, on the host that the session is for."""

    def __init__(
        self,
        directory: Path,
        config: dict | None = None,
        *,
        arguments: list[object] | None = None,
        env: dict[str, str] | None = None,
        name: str = "gateway",
        listen: bool = True,
    ):
        directory.mkdir(parents=True, exist_ok=True)
        self.config_path = directory / "aigw.yaml"
        inputs: list[object] = []
        if config is not None:
            self.write(config)
            inputs = [self.config_path]
        places = [*(["--listen", "127.0.0.1:0"] if listen else []), "--admin", "127.0.0.1:0"]
        super().__init__(name, directory, ["run", *inputs, *places, *HOSTS[host], *(arguments or [])], env)
        self.url = f"http://{self.addresses['gateway']}"
        self.admin = f"http://{self.addresses['admin']}"

    def write(self, config: dict | str) -> None:
        """Replaces the configuration in one step, as editors do."""
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        new = self.config_path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config_path)

    def post(self, path: str, body: object = None, **more) -> httpx.Response:
        """One request by plain HTTP."""
        if body is not None:
            more["json"] = body
        return httpx.post(self.url + path, timeout=30, **more)

    def get(self, path: str, **more) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, **more)

    def metrics(self) -> str:
        return httpx.get(self.admin + "/metrics", timeout=10).text

    @property
    def port(self) -> int:
        return int(self.addresses["gateway"].rsplit(":", 1)[1])


def until(check, what: str, seconds: float = 10.0):
    """Polls `check` until it gives something true, and gives that back."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)
