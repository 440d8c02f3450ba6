"""Clients that people use see no difference between the container and the proxy before it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from tests.integration.proxy.conftest import Pair
from tests.integration.proxy.conversation import converse
from tests.integration.proxy.stand import stand, threaded
from tests.proxy.conftest import ContainerSide

EVERY_SERVER = pytest.mark.parametrize("pair", ["uvicorn", "gunicorn"], indirect=True)
BODY = b"some bytes \x00\xff" * 30_000
ADDED = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "traceparent", "connection", "host"}
FRAMING = {"content-length", "transfer-encoding"}


def run(*command: str) -> str:
    """Run a program that may be missing, and return its output. It must succeed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian: curl, apache2-utils, wrk)")
    ended = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert ended.returncode == 0, (command, ended.stdout[-2000:], ended.stderr[-2000:])
    return ended.stdout.decode("latin-1")


def without_added(seen: dict[str, Any]) -> dict[str, Any]:
    """Return it without what the proxy adds, and with the framing, which the proxy writes anew, behind the other fields."""
    fields = [field for field in seen["headers"] if field[0] not in ADDED]
    return {**seen, "version": "", "headers": sorted(fields, key=lambda field: field[0] in FRAMING)}


@EVERY_SERVER
async def test_httpx(pair: Pair) -> None:
    async def pieces() -> Any:
        for start in range(0, len(BODY), 10_000):
            yield BODY[start : start + 10_000]

    seen = []
    for port in pair.ports:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            answers = [
                await client.get("/seen/a%2Fb//c?x=%2F", headers=[("X-A", "1"), ("X-A", "2")]),
                await client.post("/seen", content=BODY),
                await client.post("/seen", content=pieces()),
                await client.put("/seen", json={"a": 1}),
                await client.head("/seen"),
                await client.options("/seen"),
                await client.request("DELETE", "/status/404"),
            ]
        seen.append(
            [(answer.status_code, answer.headers.get_list("x-repeated"), _content(answer)) for answer in answers]
        )
    assert seen[0] == seen[1]
    assert _content(answers[2])["sha256"] == hashlib.sha256(BODY).hexdigest()


def _content(answer: httpx.Response) -> dict[str, Any]:
    return without_added(answer.json()) if answer.text.startswith('{"method') else {"text": answer.text}


@EVERY_SERVER
async def test_aiohttp(pair: Pair) -> None:
    seen = []
    for port in pair.ports:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            found = []
            for number in range(20):
                async with client.post("/seen", data=BODY, params={"n": number}, expect100=number % 2 == 0) as answer:
                    found.append((answer.status, answer.reason, without_added(await answer.json())))
            seen.append(found)
    assert seen[0] == seen[1]


CURLS = {
    "1.1": ["--http1.1"],
    "1.0": ["--http1.0"],
    "HEAD": ["--head"],
    "an upload by chunks": ["-T", "{file}", "-H", "Transfer-Encoding: chunked"],
    "an upload with a length": ["-T", "{file}"],
    "an upload by HTTP/1.0": ["-0", "-T", "{file}"],
    "a form that waits for 100": ["-F", "file=@{file}", "-H", "Expect: 100-continue", "--expect100-timeout", "30"],
    "a form with a boundary of its own": ["-d", "@{file}", "-H", "Expect:"],
    "any method": ["-X", "PROPFIND"],
    "a range": ["-r", "0-9"],
    "compressed": ["--compressed"],
    "path as it is": ["--path-as-is", "--request-target", "/seen/./../seen//%2e?"],
    "keep-alive": ["-H", "Connection: keep-alive", "-H", "Keep-Alive: timeout=5"],
    "an h2c upgrade": ["--http2"],
}


@EVERY_SERVER
@pytest.mark.parametrize("name", CURLS)
def test_curl(pair: Pair, name: str, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    options = [option.format(file=file) for option in CURLS[name]]
    seen = []
    for port in pair.ports:
        output = run(
            *("curl", "-sS", "-i", "--max-time", "60", *options, f"http://127.0.0.1:{port}/seen/a%2fb//?c=%20"),
            *([] if "-T" in options else [f"http://127.0.0.1:{port}/seen/again"]),
        )
        # Boundaries of forms are random; the length and the hash of the body are with them.
        seen.append(_comparable(output))
    assert seen[0] == seen[1]
    assert seen[0]


def _comparable(output: str) -> list[Any]:
    """Return status lines, the fields that the container wrote, and what it says it has seen."""
    found: list[Any] = []
    for line in output.replace("\r\n", "\n").splitlines():
        body = re.search(r'{"method".*?"sha256":"[0-9a-f]+"}', line)
        if body is not None:
            seen = without_added(json.loads(body[0]))
            seen["headers"] = [
                [name, re.sub("-{8,}[0-9A-Za-z]+", "", value)] for name, value in seen["headers"]
                if name not in {"content-length", "transfer-encoding", "keep-alive", "upgrade", "http2-settings"}
            ]  # fmt: skip
            if any("multipart" in value for _, value in seen["headers"]):
                seen["sha256"] = ""
            found.append(seen)
            line = line.replace(body[0], "")  # noqa: PLW2901 - a status line may follow
        if line.startswith("HTTP/"):
            # A server of HTTP/1.1 answers HTTP/1.0 with either.
            found.append(line.partition(" ")[2].strip())
        elif line.lower().startswith(("x-repeated", "set-cookie", "content-type")):
            found.append(line)
    return found


def test_http2_with_prior_knowledge_is_declined(pair: Pair) -> None:
    answer = converse(pair.proxy.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert answer.status.startswith("505 ")


async def test_curl_gets_the_trailers() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.request()
        side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 17\r\n\r\n")
        await side.until_closed()

    async with stand(serve) as running:
        # curl prints trailers with the fields of the head.
        outputs = [
            await threaded(run, "curl", "-sS", "-D", "-", f"http://127.0.0.1:{port}/")
            for port in (running.container_port, running.proxy.port)
        ]
    assert "X-Sum: 17" in outputs[0]
    assert outputs[0] == outputs[1]


@EVERY_SERVER
@pytest.mark.parametrize("options", [[], ["-k"], ["-k", "-i"]], ids=["close", "keep-alive", "head"])
def test_ab(pair: Pair, options: list[str]) -> None:
    output = run("ab", "-q", "-n", "500", "-c", "20", *options, f"http://127.0.0.1:{pair.proxy.port}/status/200")
    assert re.search(r"Complete requests: +500\n", output)
    assert re.search(r"Failed requests: +0\n", output)
    assert "Non-2xx" not in output


@EVERY_SERVER
def test_wrk(pair: Pair) -> None:
    output = run("wrk", "-d", "2s", "-c", "30", "-t", "1", f"http://127.0.0.1:{pair.proxy.port}/status/200")
    assert re.search(r"\n +([1-9][0-9]*) requests in", output)
    assert "Socket errors" not in output
    assert "Non-2xx" not in output
