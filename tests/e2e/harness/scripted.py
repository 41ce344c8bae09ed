"""An upstream that does exactly what a test says, down to the bytes: for faults that no well-behaved server can show."""

from __future__ import annotations

import json
import queue
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator


@dataclass
class Request:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Gone(Exception):
    """The peer closed or reset the connection."""


@dataclass
class Connection:
    """One accepted connection, in its own thread."""

    sock: socket.socket
    upstream: "Scripted"
    buffer: bytes = b""
    sent: int = 0
    requests: list[Request] = field(default_factory=list)

    def _fill(self, size: int = 65536) -> None:
        try:
            data = self.sock.recv(size)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self.buffer += data

    def read_head(self) -> Request:
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines)
        return Request(method, path, {name.strip().lower(): value.strip() for name, value in pairs}, b"")

    def read_body(self, request: Request) -> Request:
        if "content-length" in request.headers:
            request.body = self._exactly(int(request.headers["content-length"]))
        elif request.headers.get("transfer-encoding", "").lower() == "chunked":
            request.body = self._chunked()
        return request

    def _exactly(self, size: int) -> bytes:
        parts = [self.buffer[:size]]
        self.buffer = self.buffer[size:]
        have = len(parts[0])
        while have < size:
            try:
                data = self.sock.recv(min(1 << 20, size - have))
            except OSError as error:
                raise Gone from error
            if not data:
                raise Gone
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def _chunked(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self._fill()
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            size = int(line.split(b";")[0], 16)
            data = self._exactly(size + 2)
            if size == 0:
                return body
            body += data[:-2]

    def read(self) -> Request:
        """A whole request."""
        request = self.read_body(self.read_head())
        self.requests.append(request)
        self.upstream.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error
        self.sent += len(data)

    def answer(self, status: int, body: bytes | dict, headers: dict[str, str] | None = None) -> None:
        """A whole answer with a length; the connection stays open."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        fields = {"content-type": "application/json", "content-length": str(len(body))} | (headers or {})
        self.send(head(status, fields) + body)

    def stream_head(self, content_type: str = "text/event-stream") -> None:
        """The head of a chunked answer."""
        self.send(head(200, {"content-type": content_type, "transfer-encoding": "chunked"}))

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_gone(self, seconds: float) -> float:
        """Seconds until the peer closed; fails when it does not."""
        start = time.monotonic()
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            raise AssertionError(f"the peer kept the connection open for {seconds} s") from None
        except OSError:
            pass
        return time.monotonic() - start


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode("latin-1")


class Scripted:
    """Listens on a free port, or on the Unix socket `path`; every connection is handled by `script`, which ends by returning or by `Gone`."""

    def __init__(self, script: Callable[[Connection], None], receive_buffer: int | None = None, path: str | None = None):
        self.script = script
        self.requests: list[Request] = []
        self.connections: list[Connection] = []
        self.events: queue.Queue = queue.Queue()
        self.failures: list[BaseException] = []
        self._listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(path or ("127.0.0.1", 0))
        self._listener.listen(1024)
        if not path:
            self.port = self._listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, self)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            self.script(connection)
        except Gone:
            pass
        except BaseException as error:  # shown by close()
            self.failures.append(error)
        finally:
            connection.sock.close()

    def event(self, seconds: float = 10.0):
        """The next thing the script reported with `upstream.events.put`."""
        try:
            return self.events.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the upstream reported nothing within {seconds} s") from None

    def close(self) -> None:
        self._listener.close()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self.failures:
            raise AssertionError(f"the upstream's script failed: {self.failures[0]!r}") from self.failures[0]


def refused_port() -> int:
    """A port on which nobody listens: bound, never listened on, and kept for the life of the tests."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    _kept.append(sock)
    return sock.getsockname()[1]


_kept: list[socket.socket] = []


def serve_all(respond: Callable[[Connection, Request], None]) -> Callable[[Connection], None]:
    """A script that answers every request of a connection with `respond`."""

    def script(connection: Connection) -> None:
        while True:
            respond(connection, connection.read())

    return script


@contextmanager
def held(upstream: Scripted, release: threading.Event, ask: Callable[[], Any]) -> Iterator[list]:
    """While it lasts one request, which `ask` sends, waits at an upstream that is `holding`; what comes of it is in the list then."""
    answers: list = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    assert upstream.event() == "asked"
    try:
        yield answers
    finally:
        release.set()
        thread.join()


def holding(release: threading.Event, answer: dict) -> Callable[[Connection], None]:
    """Says that it was asked, and answers when it is let go of."""

    def script(connection):
        connection.read()
        connection.upstream.events.put("asked")
        release.wait(20)
        connection.answer(200, answer)

    return script
