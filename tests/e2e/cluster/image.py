#!/usr/bin/env python3
"""Makes a container image without Docker: an archive as `docker save` writes it, with one layer of the files given.

The same files give the same bytes (no times, no owners).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path

EPOCH = "1970-01-01T00:00:00Z"
USERS = b"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
GROUPS = b"root:x:0:\nnonroot:x:65532:\n"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Layer:
    """A layer under construction."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)
        self.folders: set[str] = set()

    def folder(self, path: str, mode: int = 0o755) -> None:
        path = path.strip("/")
        if path and path not in self.folders:
            self.folder(os.path.dirname(path))
            self.folders.add(path)
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            self.tar.addfile(entry)

    def file(self, path: str, content: bytes, mode: int) -> None:
        self.folder(os.path.dirname(path))
        entry = tarfile.TarInfo(path.strip("/"))
        entry.size, entry.mode = len(content), mode
        self.tar.addfile(entry, io.BytesIO(content))

    def bytes(self) -> bytes:
        self.tar.close()
        return self.buffer.getvalue()


def libraries(program: Path) -> list[str]:
    """Paths of the shared libraries that a program is loaded with, its loader among them; none if it is static."""
    found = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        return []
    return [word for line in found.stdout.splitlines() for word in line.split() if word.startswith("/")]


def archive(path: Path, members: dict[str, bytes]) -> None:
    """Writes the members in one step: a reader never sees half an image."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with tarfile.open(new, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    new.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("name", help="REPOSITORY:TAG; a name without a registry is one of docker.io/library")
    parser.add_argument("files", nargs="+", help="SOURCE:PATH; a program brings its shared libraries along")
    parser.add_argument("--entrypoint", required=True, help="JSON list")
    parser.add_argument("--cmd", default="[]", help="JSON list")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE")
    parser.add_argument("--user", default="65532:65532")
    arguments = parser.parse_intermixed_args()

    layer = Layer()
    layer.folder("tmp", 0o1777)
    layer.file("etc/passwd", USERS, 0o644)
    layer.file("etc/group", GROUPS, 0o644)
    needed: set[str] = set()
    for pair in arguments.files:
        source, _, path = pair.rpartition(":")
        program = os.access(source, os.X_OK)
        layer.file(path, Path(source).read_bytes(), 0o755 if program else 0o644)
        if program:
            needed.update(libraries(Path(source)))
    for library in sorted(needed):
        layer.file(library, Path(library).read_bytes(), 0o755)

    content = layer.bytes()
    digest = hashlib.sha256(content).hexdigest()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": EPOCH,
            "config": {
                "Entrypoint": json.loads(arguments.entrypoint),
                "Cmd": json.loads(arguments.cmd),
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", *arguments.env],
                "User": arguments.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": EPOCH}],
        }
    ).encode()
    first = arguments.name.split("/")[0]
    named = "/" in arguments.name and ("." in first or ":" in first)
    name = arguments.name if named else f"docker.io/library/{arguments.name}"
    config_name, layer_name = f"{hashlib.sha256(config).hexdigest()}.json", f"{digest}/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]).encode()
    archive(arguments.out, {config_name: config, layer_name: content, "manifest.json": manifest})


if __name__ == "__main__":
    main()
