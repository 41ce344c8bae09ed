"""HTTPS in front: the SDKs over TLS, HTTP/2 by ALPN, a certificate that is replaced while serving, and TLS to an upstream."""

from __future__ import annotations

import ssl
import subprocess

import httpx
import pytest
import trustme

from harness.config import backend, document, rule, single
from harness.process import until
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name


@pytest.fixture
def secured(start, scripted, tmp_path):
    """A gateway that serves HTTPS as `localhost`."""
    authority = trustme.CA()
    ca, certificate, key = tmp_path / "ca.pem", tmp_path / "tls.crt", tmp_path / "tls.key"
    authority.cert_pem.write_to_path(str(ca))

    def issue(signer: trustme.CA) -> None:
        issued = signer.issue_cert("localhost", "127.0.0.1")
        key.write_bytes(issued.private_key_pem.bytes())
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    issue(authority)
    upstream = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    listener = {"name": "https", "address": "127.0.0.1:0", "tls": {"certificate": str(certificate), "key": str(key)}}
    gateway = start(single(upstream.url) | {"listeners": [listener]}, listen=False)
    gateway.ca, gateway.issue = ca, issue
    gateway.url = f"https://{gateway.addresses['gateway']}"
    return gateway


def trusting(ca) -> httpx.Client:
    return httpx.Client(verify=ssl.create_default_context(cafile=str(ca)), timeout=20)


@pytest.mark.parametrize("client", BOTH, ids=by_name)
def test_requests_over_tls(secured, client):
    with trusting(secured.ca) as http:
        response = http.post(secured.url + client.path, json=client.body(), headers=client.headers)
    assert client.text_of(response.json())


def test_http2_is_negotiated(secured):
    command = ["curl", "-sS", "--http2", "--cacert", str(secured.ca), "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    result = subprocess.run([*command, secured.url + "/v1/models"], capture_output=True, text=True, timeout=20, check=False)
    assert result.stdout == "2 200", result.stdout + result.stderr


def test_plain_http_on_a_tls_port_harms_nobody(secured):
    with pytest.raises(httpx.HTTPError):
        httpx.get(secured.url.replace("https", "http") + "/v1/models", timeout=10)
    with trusting(secured.ca) as http:
        assert http.get(secured.url + "/v1/models").status_code == 200


def test_a_replaced_certificate_is_served_without_a_restart(secured, tmp_path):
    other = trustme.CA()
    other_ca = tmp_path / "other.pem"
    other.cert_pem.write_to_path(str(other_ca))
    secured.issue(other)

    def accepted():
        try:
            with trusting(other_ca) as http:
                return http.get(secured.url + "/v1/models").status_code == 200
        except httpx.ConnectError:
            return False

    until(accepted, "the new certificate is served", 20)


@pytest.mark.parametrize("upstream", BOTH, ids=by_name)
def test_tls_to_an_upstream_with_an_authority_of_its_own(start, tmp_path, upstream):
    """`tls.ca` and `tls.serverName`: the URL has an address, the certificate a name."""
    from harness.scripted import Scripted

    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("models.internal").configure_cert(context)

    def script(connection):
        connection.sock = context.wrap_socket(connection.sock, server_side=True)
        while True:
            connection.read()
            connection.answer(200, upstream.answer())

    server = Scripted(script)
    schema = "Anthropic" if upstream is ANTHROPIC else "OpenAI"
    url = server.url.replace("http://", "https://")
    tls = {"ca": str(ca), "serverName": "models.internal"}
    gateway = start(document([backend("only", url, schema, tls=tls)], [rule("*", "only")]))
    for client in BOTH:
        assert client.post(gateway.url, client.body()).status_code == 200
    server.close()
