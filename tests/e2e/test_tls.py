"""HTTPS in front: the SDKs over TLS, HTTP/2 by ALPN, a certificate that is replaced while serving, and TLS to an upstream."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import trustme
import yaml

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


class Named:
    """A gateway with certificates for `a.test` and `*.b.test`, and none for other names. In the native form the first is in files and
    the second in credentials; in manifests both are in Secrets."""

    def __init__(self, start, upstream: str, directory, form: str):
        self.authority, self.directory = trustme.CA(), directory
        self.ca = directory / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))
        self.issue("a", "a.test")
        self.issue("b", "x.b.test")
        # A Gateway has its port; `--listen` puts the only listener elsewhere.
        self.gateway = start(self.manifests(upstream)) if form == "manifests" else start(self.native(upstream), listen=False)
        self.address = self.gateway.addresses["gateway"]

    def native(self, upstream: str) -> dict:
        credentials = [{"name": f"b.{end}", "file": str(self.directory / f"b.{end}")} for end in ("crt", "key")]
        tls = {
            "certificates": [
                {"hostnames": ["a.test"], "certificate": str(self.directory / "a.crt"), "key": str(self.directory / "a.key")},
                {"hostnames": ["*.b.test"], "certificate": {"credential": "b.crt"}, "key": {"credential": "b.key"}},
            ]
        }
        listener = {"name": "https", "address": "127.0.0.1:0", "tls": tls}
        return single(upstream) | {"listeners": [listener], "credentials": credentials}

    def manifests(self, upstream: str) -> str:
        def secret(name: str) -> dict:
            files = {f"substitution.aigw.run/file/tls.{end}": str(self.directory / f"{name}.{end}") for end in ("crt", "key")}
            entries = {"type": "kubernetes.io/tls", "stringData": {"tls.crt": "-", "tls.key": "-"}}
            return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "annotations": files}} | entries

        def listener(name: str, hostname: str) -> dict:
            tls = {"certificateRefs": [{"name": name}]}
            return {"name": name, "protocol": "HTTPS", "port": 443, "hostname": hostname, "tls": tls}

        ours, helpers = "aigateway.envoyproxy.io", "gateway.envoyproxy.io"
        host, of_upstream = upstream.removeprefix("http://").rsplit(":", 1)
        endpoint = {"ip": {"address": host, "port": int(of_upstream)}}
        listeners = [listener("a", "a.test"), listener("b", "*.b.test")]
        objects = [
            ("gateway.networking.k8s.io/v1", "Gateway", {"gatewayClassName": "aigw", "listeners": listeners}),
            (f"{ours}/v1beta1", "AIGatewayRoute", {"parentRefs": [{"name": "tls"}], "rules": [{"backendRefs": [{"name": "tls"}]}]}),
            (
                f"{ours}/v1beta1",
                "AIServiceBackend",
                {"schema": {"name": "OpenAI"}, "backendRef": {"group": helpers, "kind": "Backend", "name": "tls"}},
            ),
            (f"{helpers}/v1alpha1", "Backend", {"endpoints": [endpoint]}),
        ]
        made = [
            {"apiVersion": version, "kind": kind, "metadata": {"name": "tls"}, "spec": spec} for version, kind, spec in objects
        ]
        return yaml.safe_dump_all([secret("a"), secret("b"), *made])

    def issue(self, file: str, name: str) -> None:
        issued = self.authority.issue_cert(name)
        for end, text in (("key", issued.private_key_pem.bytes()), ("crt", b"".join(pem.bytes() for pem in issued.cert_chain_pems))):
            partial = self.directory / f"{file}.{end}.partial"
            partial.write_bytes(text)
            partial.rename(self.directory / f"{file}.{end}")

    def shown(self, name: str) -> int:
        """Serial number of the certificate that a client is shown that asks for `name`."""
        host, port = self.address.rsplit(":", 1)
        context = ssl.create_default_context(cafile=str(self.ca))
        with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
            return int(tls.getpeercert()["serialNumber"], 16)

    def post(self, http: httpx.Client, name: str, client=OPENAI) -> httpx.Response:
        host = {"host": name, **client.headers}
        url = f"https://{self.address}{client.path}"
        return http.post(url, json=client.body(), headers=host, extensions={"sni_hostname": name})


@pytest.fixture(params=["native", "manifests"])
def named(request, start, scripted, tmp_path):
    upstream = scripted(serve_all(lambda connection, _: connection.answer(200, OPENAI.answer())))
    return Named(start, upstream.url, tmp_path, request.param)


def test_each_name_has_its_certificate(named):
    with trusting(named.ca) as http:
        for name in ("a.test", "x.b.test"):
            assert named.post(http, name).status_code == 200
            assert named.post(http, name, ANTHROPIC).status_code == 200
    assert named.shown("a.test") != named.shown("x.b.test")
    for name in ("b.test", "other.test"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            named.shown(name)
    command = ["curl", "-sS", "--http2", "--cacert", str(named.ca), "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    port = named.address.rsplit(":", 1)[1]
    command += ["--connect-to", f"x.b.test:443:127.0.0.1:{port}", "https://x.b.test/v1/models"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert result.stdout == "2 200", result.stdout + result.stderr


@pytest.mark.parametrize(("file", "name", "other"), [("a", "a.test", "x.b.test"), ("b", "x.b.test", "a.test")])
def test_a_certificate_is_renewed_while_requests_go_on(named, file, name, other):
    before, beside = named.shown(name), named.shown(other)
    with trusting(named.ca) as http, ThreadPoolExecutor(4) as pool:
        # Connections that were made before serve on: each thread keeps its own.
        renewed = threading.Event()

        def ask(which: str) -> int:
            count = 0
            with trusting(named.ca) as own:
                while not renewed.is_set() or not count:
                    assert named.post(own, which).status_code == 200
                    count += 1
                assert named.post(own, which).status_code == 200
            return count

        asking = [pool.submit(ask, which) for which in (name, other, name)]
        assert named.post(http, name).status_code == 200
        named.issue(file, name)
        until(lambda: named.shown(name) != before, "the new certificate is served", 20)
        renewed.set()
        assert all(one.result(30) > 0 for one in asking)
        assert named.post(http, name).status_code == 200
    assert named.shown(other) == beside


@pytest.mark.parametrize(("file", "name"), [("a", "a.test"), ("b", "x.b.test")])
def test_a_key_that_does_not_fit_leaves_the_last_good_certificate(named, file, name):
    before = named.shown(name)
    good = (named.directory / f"{file}.key").read_bytes()
    other = trustme.CA().issue_cert(name).private_key_pem.bytes()
    (named.directory / f"{file}.key").write_bytes(other)
    until(lambda: "do not work together" in named.gateway.log, "the log tells of it", 20)
    assert named.shown(name) == before
    for shown in (named.gateway.log, httpx.get(f"http://{named.gateway.addresses['admin']}/config").text):
        assert "PRIVATE KEY" not in shown and other.splitlines()[1].decode() not in shown
    (named.directory / f"{file}.key").write_bytes(good)
    named.issue(file, name)
    until(lambda: named.shown(name) != before, "the new certificate is served", 20)
