"""Bodies as large as the limit allows: what the upstream gets is the client's, to the byte, on both versions of HTTP."""

from __future__ import annotations

import base64
import json
import os
import subprocess

import pytest

from harness.config import single
from harness.scripted import serve_all
from harness.shapes import ANTHROPIC, BOTH, OPENAI, by_name

LIMIT = 32 << 20


def multimodal(size: int) -> tuple[bytes, str]:
    """A request of exactly `size` bytes that shows an image, and that image as base64."""

    def body(image: str, text: str) -> bytes:
        parts = [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + image}},
        ]
        return json.dumps(OPENAI.body(max_tokens=64) | {"messages": [{"role": "user", "content": parts}]}).encode()

    room = size - len(body("", ""))
    image = base64.b64encode(os.urandom(room // 4 * 3)).decode()
    return body(image, "?" * (room - len(image))), image


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("upstream", BOTH, ids=by_name)
def test_an_image_up_to_the_limit(start, scripted, tmp_path, upstream, version):
    server = scripted(serve_all(lambda connection, _: connection.answer(200, upstream.answer())))
    gateway = start(single(server.url, "Anthropic" if upstream is ANTHROPIC else "OpenAI"))
    sent, image = multimodal(LIMIT)
    assert len(sent) == LIMIT
    path = tmp_path / "body.json"

    def post(body: bytes) -> list[str]:
        path.write_bytes(body)
        command = ["curl", "-sS", version, "-H", "content-type: application/json", "-H", "expect:", "--data-binary", f"@{path}"]
        result = subprocess.run(
            [*command, "-w", "\n%{http_version} %{http_code}", gateway.url + OPENAI.path],
            capture_output=True, text=True, timeout=90, check=False,
        )
        assert result.stdout, result
        return result.stdout.rsplit("\n", 1)

    spoken = "2" if "http2" in version else "1.1"
    answer, end = post(sent)
    assert end == f"{spoken} 200", answer[-500:]
    assert OPENAI.text_of(json.loads(answer)) == "hi there"
    got = server.requests[-1]
    if upstream is OPENAI:
        assert got.body == sent, "the same dialect: not a byte is changed"
    else:
        assert got.json["messages"][0]["content"][1]["source"]["data"] == image
    if spoken == "1.1":
        # Over HTTP/2 common versions of curl lose an answer that comes before they have sent their body.
        answer, end = post(sent + b" ")
        assert end == "1.1 413", answer[-500:]
        assert len(server.requests) == 1
