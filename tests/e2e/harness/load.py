"""Requests that go on, and streams that stay open, while something happens to what serves them."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections import Counter

import httpx

END_SECONDS = 60


class Load:
    """Steady requests and open streams from entering to leaving the block; every failure is noted.

    `streams` streams are open at a time, each of `words` words at `pace` between two; one that has ended is followed by another.
    `rate` requests a second go beside them, every second one on a connection of its own. Leaving waits for all that has begun.
    """

    def __init__(self, url: str, model: str, *, streams: int = 100, words: int = 40, pace: str = "200ms", rate: float = 30):
        self.url = url + "/v1/chat/completions"
        self.model, self.words, self.pace, self.streams, self.rate = model, words, pace, streams, rate
        self.failures: list[str] = []
        self.done: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        deadline = time.monotonic() + 30
        while self.done["first events"] < self.streams:
            if self.failures or time.monotonic() > deadline:
                self._stop()
                raise AssertionError(f"not every stream began: {dict(self.done)}, {self.failures[:5]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            self.failures.append(f"requests did not end within {END_SECONDS} s")

    def check(self) -> None:
        """Fails when anything failed, or when nothing was tried."""
        assert not self.failures, f"{len(self.failures)} failed of {dict(self.done)}: {self.failures[:10]}"
        assert self.done["streams"] >= self.streams and self.done["requests"] > 0, dict(self.done)

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=10)
        async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client:
            await asyncio.gather(self._requests(client), *(self._keep_streaming(client) for _ in range(self.streams)))

    async def _requests(self, client: httpx.AsyncClient) -> None:
        running = set()
        for number in itertools.count():
            if self._stopping.is_set():
                break
            task = asyncio.create_task(self._noted("requests", self._request(client, fresh=number % 2 == 0)))
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.sleep(1 / self.rate)
        await asyncio.gather(*running)

    async def _keep_streaming(self, client: httpx.AsyncClient) -> None:
        while not self._stopping.is_set():
            if not await self._noted("streams", self._stream(client)):
                await asyncio.sleep(1)

    async def _noted(self, what: str, work) -> bool:
        began = time.monotonic()
        try:
            await work
        except Exception as error:  # noqa: BLE001: whatever it is, the client's request failed
            self.failures.append(f"{what} after {time.monotonic() - began:.1f} s: {type(error).__name__}: {error}")
            return False
        self.done[what] += 1
        return True

    async def _request(self, client: httpx.AsyncClient, *, fresh: bool) -> None:
        body = {"model": self.model, "messages": [{"role": "user", "content": "ping"}]}
        answer = await client.post(self.url, json=body, headers={"connection": "close"} if fresh else {})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
        assert answer.json()["choices"][0]["message"]["content"] == "pong", answer.text[:300]

    async def _stream(self, client: httpx.AsyncClient) -> None:
        body = {"model": self.model, "stream": True, "messages": [{"role": "user", "content": f"count to {self.words}"}]}
        async with client.stream("POST", self.url, json=body, headers={"x-mock-fault": f"pace={self.pace}"}) as answer:
            if answer.status_code != 200:
                raise AssertionError(f"{answer.status_code} {(await answer.aread())[:300]!r}")
            text, ended, counted = "", False, False
            async for line in answer.aiter_lines():
                if not counted and line:
                    counted = True
                    self.done["first events"] += 1
                if line == "data: [DONE]":
                    ended = True
                elif line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    assert "error" not in event, event
                    text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
        assert ended, f"cut after {text[-40:]!r}"
        assert text.split() == [str(number) for number in range(1, self.words + 1)], text[:100]
