"""An Envoy that is started with the gateway's bootstrap, or with a configuration of a test's own, and not by the gateway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from . import process
from .process import BINARY, HOSTS, Program, environment


def envoy(directory: Path, config: str) -> subprocess.Popen:
    """Starts Envoy with this configuration, in this directory."""
    (directory / "envoy.json").write_text(config)
    with (directory / "envoy.log").open("wb") as log:
        return subprocess.Popen(
            [os.environ["ENVOY_BIN"], "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "warn"],
            cwd=directory, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )


class Apart:
    """`aigw extproc`, and an Envoy that was started with its bootstrap."""

    def __init__(self, directory: Path, config: dict):
        self.directory = directory
        directory.mkdir(mode=0o700)
        self.config = directory / "aigw.yaml"
        self.config.write_text(json.dumps(config))
        # Short: paths of Unix sockets have a limit.
        self.flags = ["--run-dir", "run", *[flag for flag in HOSTS[process.host] if flag != "--envoy"]]
        bootstrap = subprocess.run(
            [BINARY, "extproc", "--print-bootstrap", *self.flags],
            cwd=directory, env=environment(), capture_output=True, text=True, timeout=20, check=True,
        )
        self.programs: list[Program] = []
        self.envoy = envoy(directory, bootstrap.stdout)

    def start(self) -> Program:
        program = Program(f"extproc{len(self.programs)}", self.directory, ["extproc", self.config, "--admin", "127.0.0.1:0", *self.flags])
        self.programs.append(program)
        return program

    def close(self) -> None:
        for program in self.programs:
            program.kill()
        self.envoy.kill()
        self.envoy.wait()
