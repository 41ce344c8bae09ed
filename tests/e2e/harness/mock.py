"""`aigw mock` as the tests see it: providers on one address, a record of what they were asked."""

from __future__ import annotations

from pathlib import Path

import httpx

from .process import Program


class Mock(Program):
    """Running mock providers."""

    def __init__(self, directory: Path):
        super().__init__("mock", directory, ["mock", "--listen", "127.0.0.1:0"])
        self.url = f"http://{next(iter(self.addresses.values()))}"

    def requests(self) -> list[dict]:
        """What the providers were asked since the last `forget`, oldest first."""
        recorded = httpx.get(self.url + "/__mock/requests", timeout=10).json()["requests"]
        return [one | {"headers": dict(one["headers"])} for one in recorded]

    def last(self) -> dict:
        recorded = self.requests()
        assert recorded, "the mock was asked nothing"
        return recorded[-1]

    def forget(self) -> None:
        httpx.delete(self.url + "/__mock/requests", timeout=10).raise_for_status()
