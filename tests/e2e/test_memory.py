"""Memory stays flat whatever clients and upstreams do. Full sizes with AIGW_E2E_FULL=1."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time

import pytest

from harness import process
from harness.config import single
from harness.process import until
from harness.scripted import Gone, serve_all
from harness.shapes import OPENAI

FULL = bool(os.environ.get("AIGW_E2E_FULL"))
MIB = 1 << 20
ANSWER = 1024 * MIB if FULL else 128 * MIB
# Sockets' own buffers do not count as the gateway's memory, but bytes travel in its buffers too.
SLACK = 24 * MIB

pytestmark = [pytest.mark.memory, pytest.mark.timeout(600 if FULL else 180)]


def raw_post(port: int, path: str, body: bytes, content_type: str = "application/json") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)
    return sock


@pytest.mark.parametrize("translated", [False, True], ids=["passed-through", "translated"])
def test_a_slow_reader_of_a_large_stream(start, scripted, translated):
    """The reader stops: the gateway must stop reading too. Then it reads on: everything arrives."""
    from harness.shapes import ANTHROPIC

    upstream = ANTHROPIC if translated else OPENAI
    block = upstream.stream_more("x" * 1000) * 64
    blocks = (ANSWER if not translated else ANSWER // 4) // len(block)
    progress = {"sent": 0}

    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(upstream.stream_start())
        for _ in range(blocks):
            connection.chunk(block)
            progress["sent"] += len(block)
        connection.chunk(upstream.stream_end())
        connection.end()

    gateway = start(single(scripted(script).url, "Anthropic" if translated else "OpenAI"))
    gateway.get("/v1/models")
    before = gateway.rss
    sock = raw_post(gateway.port, OPENAI.path, json.dumps(OPENAI.body(stream=True)).encode())
    assert sock.recv(1000).startswith(b"HTTP/1.1 200")

    def stuck():
        sent = progress["sent"]
        time.sleep(0.5)
        return sent > 0 and progress["sent"] == sent

    until(stuck, "the upstream is held back by the slow reader", 30)
    held = progress["sent"]
    assert held < 32 * MIB, f"{held} bytes were taken for a reader that reads nothing"
    grown = gateway.rss - before
    assert grown < SLACK, f"a stopped reader cost {grown / MIB:.1f} MiB"
    received, tail, peak = 0, b"", 0
    while data := sock.recv(1 << 20):
        received += len(data)
        tail = (tail + data)[-200:]
        peak = max(peak, gateway.rss)
    assert b"[DONE]" in tail
    assert received > blocks * len(block) // 2
    assert peak - before < SLACK, f"streaming {received / MIB:.0f} MiB cost {(peak - before) / MIB:.1f} MiB"


def test_a_large_answer_that_is_no_stream(start, scripted):
    """A sound or a file is passed through as it comes, never gathered."""
    piece = b"\0" * MIB

    def script(connection):
        connection.read()
        connection.stream_head("audio/mpeg")
        for _ in range(ANSWER // MIB):
            connection.chunk(piece)
        connection.end()

    gateway = start(single(scripted(script).url))
    gateway.get("/v1/models")
    before = gateway.rss
    body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "x"}).encode()
    sock = raw_post(gateway.port, "/v1/audio/speech", body)
    received = peak = 0
    while data := sock.recv(1 << 20):
        received += len(data)
        peak = max(peak, gateway.rss)
    assert received >= ANSWER
    assert peak - before < SLACK, f"{(peak - before) / MIB:.1f} MiB for an answer of {ANSWER / MIB:.0f} MiB"


def test_a_slow_upstream_for_large_uploads(start, scripted):
    """Uploads wait in bounded memory while the upstream reads slowly, and all arrive whole."""
    count, size = (16, 24 * MIB) if FULL else (4, 24 * MIB)

    def script(connection):
        request = connection.read_head()
        length = int(request.headers["content-length"])
        seen = len(connection.buffer)
        connection.buffer = b""
        while seen < length:
            data = connection.sock.recv(256 * 1024)
            if not data:
                raise Gone
            seen += len(data)
            time.sleep(0.002)
        connection.answer(200, {"text": str(seen)})

    gateway = start(single(scripted(script, receive_buffer=64 * 1024).url))
    gateway.get("/v1/models")
    before = gateway.rss
    file = os.urandom(1024) * (size // 1024)
    form = (
        b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n' + file + b"\r\n--b--\r\n"
    )
    results: list[bytes] = []
    peaks: list[int] = []

    def upload():
        sock = raw_post(gateway.port, "/v1/audio/transcriptions", form, "multipart/form-data; boundary=b")
        answer = b""
        while data := sock.recv(65536):
            answer += data
        results.append(answer)

    threads = [threading.Thread(target=upload) for _ in range(count)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        peaks.append(gateway.rss)
        time.sleep(0.02)
    assert all(b"200 OK" in answer.split(b"\r\n")[0] for answer in results), results
    assert len(results) == count
    # One copy of each body, and as much again while pieces are put together.
    bound = 2 * count * len(form) + SLACK
    assert max(peaks) - before < bound, f"{(max(peaks) - before) / MIB:.0f} MiB for {count * len(form) / MIB:.0f} MiB of uploads"


def test_many_bodies_against_the_byte_budget(start, scripted):
    """Over the budget the answer is 503 with Retry-After, before the body is read; nothing dies; afterwards all is free again."""
    count, size, budget = (500, 8 * MIB, 1024 * MIB) if FULL else (100, 2 * MIB, 32 * MIB)
    release = threading.Event()
    held = threading.Semaphore(0)

    def script(connection):
        while True:
            connection.read()
            held.release()
            release.wait(120)
            connection.answer(200, OPENAI.answer())

    upstream = scripted(script)
    gateway = start(single(upstream.url, limits={"bytesInFlight": str(budget)}))
    gateway.get("/v1/models")
    before = gateway.rss
    body = json.dumps(OPENAI.body(pad="x" * (size - 200))).encode()
    head = f"POST {OPENAI.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    refused = 0

    async def one() -> bytes:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        # Envoy reads no further once it has answered, and cuts a second later: its clients have to listen while they write.
        listening = None if process.host == "native" else asyncio.create_task(reader.read(64 * 1024))
        try:
            writer.write(head)
            for at in range(0, len(body), 256 * 1024):
                if listening and listening.done():
                    break
                writer.write(body[at : at + 256 * 1024])
                await writer.drain()
        except ConnectionError:
            pass  # answered before the body was read
        try:
            answer = await (listening or reader.read(64 * 1024))
        except ConnectionError:
            answer = b""
        writer.close()
        if b" 503 " in answer.split(b"\r\n")[0]:
            refused += 1
            if refused >= count - budget // size - 2:
                release.set()
        return answer

    async def all_of_them() -> list[bytes]:
        tasks = [asyncio.create_task(one()) for _ in range(count)]
        done, pending = await asyncio.wait(tasks, timeout=60)
        release.set()
        if pending:
            await asyncio.wait(pending, timeout=60)
        return [task.result() for task in tasks]

    answers = asyncio.run(all_of_them())
    statuses = [answer.split(b"\r\n")[0] for answer in answers]
    served = [status for status in statuses if b" 200 " in status]
    full = [answer for answer, status in zip(answers, statuses) if b" 503 " in status]
    other = [status for status in statuses if b" 200 " not in status and b" 503 " not in status]
    assert not other, f"only 200 and 503 are expected, got {other[:5]}"
    assert served and full, (len(served), len(full))
    assert len(served) <= count
    for answer in full:
        lower = answer.lower()
        assert b"retry-after: " in lower and b"x-aigw-error: gateway_out_of_memory" in lower
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["message"]
    peak = gateway.rss - before
    # Between Envoy's workers and the processor there is as much as the windows of their connections hold.
    windows = 2 * 16 * MIB if process.host == "envoy" else 0
    assert peak < 2 * budget + SLACK + windows, f"{peak / MIB:.0f} MiB held under a budget of {budget / MIB:.0f} MiB"
    assert gateway.alive
    for _ in range(3):
        assert OPENAI.post(gateway.url, body).status_code == 200, "the budget is free again"
