"""A forward proxy (CONNECT) that stands in for the internet: it ends TLS for any host with a certificate of its own authority
and answers by script, so that a test sees which host a gateway really meant."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from .scripted import Connection, Scripted


class TlsProxy(Scripted):
    """Every CONNECT is accepted; `respond(connection, host, request)` answers what comes inside."""

    def __init__(self, respond, directory: Path):
        self.authority = trustme.CA()
        self.ca_path = directory / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_path))
        self.hosts: list[str] = []
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._respond = respond
        super().__init__(self._serve_connect)

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            self.authority.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]

    def _serve_connect(self, connection: Connection) -> None:
        request = connection.read_head()
        assert request.method == "CONNECT", request
        self.hosts.append(request.path)
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host = request.path.rsplit(":", 1)[0]
        connection.sock = self._context(host).wrap_socket(connection.sock, server_side=True)
        while True:
            self._respond(connection, host, connection.read())
