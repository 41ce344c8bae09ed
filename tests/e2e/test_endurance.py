"""What lasts: thousands of slow streams at one time, and answers with long silences. Full sizes with AIGW_E2E_FULL=1."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import time

import httpx
import pytest

from harness.config import single
from harness.process import until
from harness.scripted import Gone, head, serve_all
from harness.shapes import OPENAI

FULL = bool(os.environ.get("AIGW_E2E_FULL"))
COUNT = 5000 if FULL else 500
# Pieces of each answer, and seconds between them.
PIECES, PAUSE = (10, 3.0) if FULL else (4, 1.0)
# Connections that are opened at one time.
RAMP = 100
# The longest silence that is allowed, one below it, and seconds that a busy machine may be late.
IDLE, GAP, LATE = (40, 35, 10) if FULL else (4, 2.5, 6)

pytestmark = pytest.mark.timeout(600 if FULL else 180)


@pytest.fixture
def many_files():
    """As many open files as the system allows, here and in what is started here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * COUNT:
        pytest.skip(f"{COUNT} requests need {3 * COUNT} open files; the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def joined(chunks: bytes) -> bytes:
    """The body behind chunks; what lacks its last one is no body."""
    body = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body
        body, chunks = body + chunks[:length], chunks[length + 2 :]
    return b""


class Slow:
    """An upstream that lets no answer go on before all requests have one."""

    def __init__(self, stream: bool):
        whole = json.dumps(OPENAI.answer("more " * PIECES)).encode()
        cut = len(whole) // PIECES
        self.begin = OPENAI.stream_start() if stream else b" "
        self.pieces = [OPENAI.stream_more("more ")] * PIECES if stream else [whole[at * cut :][:cut] for at in range(PIECES)]
        self.finish = OPENAI.stream_end() if stream else whole[PIECES * cut :] or b" "
        self.kind = "text/event-stream" if stream else "application/json"
        self.open = self.most = 0
        self.all_open = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length[15:]))
        writer.write(head(200, {"content-type": self.kind, "transfer-encoding": "chunked", "connection": "close"}))
        writer.write(chunk(self.begin))
        self.open += 1
        self.most = max(self.most, self.open)
        if self.open == COUNT:
            self.all_open.set()
        await self.all_open.wait()
        for piece in self.pieces:
            await asyncio.sleep(PAUSE)
            writer.write(chunk(piece))
        writer.write(chunk(self.finish) + b"0\r\n\r\n")
        self.open -= 1
        await writer.drain()
        writer.close()


async def ask(port: int, stream: bool, ramp: asyncio.Semaphore, slow: Slow) -> tuple[bytes, bytes]:
    """Head and body of one answer."""
    body = json.dumps(OPENAI.body(stream=stream)).encode()
    lines = f"POST {OPENAI.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    async with ramp:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(lines.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200"):
        slow.all_open.set()
    rest = await reader.read()
    writer.close()
    return answer, rest


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_many_slow_answers_at_one_time(start, many_files, stream):
    async def run() -> tuple[list[tuple[bytes, bytes]], Slow]:
        slow = Slow(stream)
        server = await asyncio.start_server(slow.serve, "127.0.0.1", 0, backlog=4096)
        port = server.sockets[0].getsockname()[1]
        gateway = await asyncio.to_thread(start, single(f"http://127.0.0.1:{port}"))
        ramp = asyncio.Semaphore(RAMP)
        try:
            answers = await asyncio.gather(*[ask(gateway.port, stream, ramp, slow) for _ in range(COUNT)])
        finally:
            slow.all_open.set()
            server.close()
        return answers, slow

    answers, slow = asyncio.run(run())
    bad = [answer for answer, _ in answers if not answer.startswith(b"HTTP/1.1 200")]
    assert not bad, f"{len(bad)} of {COUNT}: {bad[0]!r}"
    assert slow.most == COUNT, "all of them were under way at one time"
    end = b"[DONE]" if stream else b"}}"
    texts = [joined(rest) for _, rest in answers]
    broken = [text for text in texts if text.count(b"more ") != PIECES or not text.strip().endswith(end)]
    assert not broken, f"{len(broken)} of {COUNT} are not whole: {broken[0][-500:]!r}"


def curl(url: str, version: str, stream: bool, *more: str) -> subprocess.CompletedProcess[str]:
    command = ["curl", "-sS", "-N", version, "-H", "content-type: application/json", *more]
    command += ["--data-binary", json.dumps(OPENAI.body(stream=stream)), url + OPENAI.path]
    return subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)


def pausing(stream: bool, gaps: list[float]):
    """A script that is silent for these times within its answer."""

    def script(connection):
        connection.read()
        connection.stream_head("text/event-stream" if stream else "application/json")
        whole = json.dumps(OPENAI.answer("more")).encode()
        connection.chunk(OPENAI.stream_start() if stream else whole[:10])
        for gap in gaps:
            time.sleep(gap)
            connection.chunk(OPENAI.stream_more("more ") if stream else b" ")
        connection.chunk(OPENAI.stream_end() if stream else whole[10:])
        connection.end()

    return script


VERSIONS = ["--http1.1", "--http2-prior-knowledge"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_silences_below_the_idle_timeout_add_up(start, scripted, stream, version):
    def whole(connection):
        connection.read()
        connection.stream_head("application/json")
        text = json.dumps(OPENAI.answer("more " * 3)).encode()
        cut = len(text) // 4
        for at in range(4):
            time.sleep(GAP if at else 0)
            connection.chunk(text[at * cut : (at + 1) * cut if at < 3 else None])
        connection.end()

    upstream = scripted(pausing(True, [GAP] * 3) if stream else whole)
    gateway = start(single(upstream.url, limits={"timeouts": {"idle": f"{IDLE}s"}}))
    began = time.monotonic()
    result = curl(gateway.url, version, stream)
    assert time.monotonic() - began > 3 * GAP > IDLE
    assert result.returncode == 0, result
    assert result.stdout.count("more ") == 3 and ("[DONE]" in result.stdout) == stream, result.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_silence_above_the_idle_timeout_ends_it_with_a_reason(start, scripted, stream, version):
    upstream = scripted(pausing(stream, [IDLE + 2 * LATE]))
    limits = {"timeouts": {"idle": f"{IDLE}s"}}
    gateway = start(single(upstream.url, limits=limits), arguments=["--log-format", "json"])
    began = time.monotonic()
    result = curl(gateway.url, version, stream, "-H", "x-request-id: the-one")
    lasted = time.monotonic() - began
    assert IDLE - 0.5 < lasted < IDLE + LATE, f"it ended after {lasted:.1f} s: {result}"
    if stream:
        # An event says so: what has begun has no status any more.
        assert '"upstream_cut"' in result.stdout and "[DONE]" not in result.stdout, result.stdout
        assert "fell silent" in result.stdout, result.stdout
    else:
        assert result.returncode != 0, "the client sees that its answer is not whole"
    lines = until(lambda: [line for line in gateway.log.splitlines() if "the-one" in line], "the request is logged")
    record = json.loads(lines[0])
    assert (record["outcome"], record["error_code"]) == ("upstream_cut", "upstream_cut"), record


def test_a_client_that_reads_nothing_is_left(start, scripted):
    """It would hold its upstream for ever; what is silent then is the client."""

    def script(connection):
        connection.read()
        connection.stream_head()
        connection.chunk(OPENAI.stream_start())
        more = OPENAI.stream_more("x" * 1000) * 64
        try:
            while True:
                connection.chunk(more)
        except Gone:
            connection.upstream.events.put(time.monotonic())

    upstream = scripted(script)
    limits = {"timeouts": {"idle": "2s"}}
    gateway = start(single(upstream.url, limits=limits), arguments=["--log-format", "json"])
    body = json.dumps(OPENAI.body(stream=True)).encode()
    lines = f"POST {OPENAI.path} HTTP/1.1\r\nhost: x\r\nx-request-id: the-one\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as sock:
        sock.sendall(lines.encode() + body)
        began = time.monotonic()
        lasted = upstream.event(40) - began
    assert 1.5 < lasted < 30, f"the upstream was left after {lasted:.1f} s"
    lines = until(lambda: [line for line in gateway.log.splitlines() if "the-one" in line], "the request is logged")
    assert json.loads(lines[0])["outcome"] == "client_gone", lines


def test_a_request_that_does_not_come_to_its_end_is_refused(start, scripted):
    """`limits.requestReceived` bounds the whole of a body, however steadily it comes."""
    upstream = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    gateway = start(single(upstream.url, limits={"requestReceived": "2s"}))
    body = json.dumps(OPENAI.body()).encode()
    head = f"POST {OPENAI.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body) + 1000}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as sock:
        sock.sendall(head.encode())
        sock.setblocking(False)
        began, answer = time.monotonic(), b""
        while not answer and time.monotonic() - began < 15:
            sock.send(b" ")
            time.sleep(0.2)
            try:
                answer = sock.recv(65536)
            except BlockingIOError:
                pass
        lasted = time.monotonic() - began
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"requestReceived" in answer
    assert 1.5 < lasted < 12, lasted
    assert not upstream.requests
    assert httpx.post(gateway.url + OPENAI.path, json=OPENAI.body(), timeout=10).status_code == 200


def test_a_connection_without_a_request_is_closed(start, scripted):
    """`limits.clientIdle`."""
    upstream = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    gateway = start(single(upstream.url, limits={"clientIdle": "1500ms"}))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as sock:
        body = json.dumps(OPENAI.body()).encode()
        sock.sendall(f"POST {OPENAI.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        while sock.recv(65536):
            pass
        assert 0.8 < time.monotonic() - began < 12
