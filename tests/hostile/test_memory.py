"""How much memory an attack costs, measured in a real process that does nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from tests.hostile.evidence import CANARY
from tests.hostile.measured_process import CONCURRENT_REQUESTS
from tests.hostile.server import HEAD, Script, answering, flooding, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

C = CANARY.encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB_BYTES = 24 * 2**20
MAX_MIB = 40
"""More than two parts of an upload (10 MiB), a window of brotli (16 MiB), and what Python keeps back."""
MAX_CONCURRENT_MIB = {
    "many gzip": 60,
    "many zstd": 40 + CONCURRENT_REQUESTS * 8,
    "many br": 40 + CONCURRENT_REQUESTS * 16,
}
"""Each response that is being read can have its own window: 32 KiB, 8 MiB, 16 MiB."""


def packed(make: Callable[[], Any]) -> bytes:
    packer = make()
    add = getattr(packer, "compress", None) or packer.process
    finish = getattr(packer, "flush", None) or packer.finish
    block = b" " * 2**20
    return b"".join(add(block) for _ in range(BOMB_BYTES // len(block))) + bytes(finish())


def encoded(name: bytes, body: bytes) -> Script:
    head = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (name, len(body))
    return answering(HEAD + head + body)


WIDE: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
BROTLI = packed(lambda: brotli.Compressor(quality=5, lgwin=24))
GZIP = packed(lambda: zlib.compressobj(wbits=31))
ZSTD = packed(zstd.ZstdCompressor)
WIDE_ZSTD = packed(lambda: zstd.ZstdCompressor(options=WIDE))
ATTACKS: dict[str, tuple[str, Script, str]] = {
    "warm-up": ("answer", answering(HEAD + b"Content-Length: 2\r\n\r\n{}"), "completed"),
    "gzip": ("answer", encoded(b"gzip", GZIP), "failed"),
    "deflate": ("answer", encoded(b"deflate", packed(zlib.compressobj)), "failed"),
    "br": ("answer", encoded(b"br", BROTLI), "failed"),
    "zstd": ("answer", encoded(b"zstd", ZSTD), "failed"),
    "zstd, wide window": ("answer", encoded(b"zstd", WIDE_ZSTD), "failed"),
    "many gzip": ("concurrent", encoded(b"gzip", GZIP), "failed"),
    "many zstd": ("concurrent", encoded(b"zstd", ZSTD), "failed"),
    "many zstd, wide window": ("concurrent", encoded(b"zstd", WIDE_ZSTD), "failed"),
    "many br": ("concurrent", encoded(b"br", BROTLI), "failed"),
    "endless body": ("answer", flooding(HEAD + b"\r\n", b" "), "failed"),
    "endless headers": ("answer", flooding(HEAD, b"X-A: " + C * 500 + b"\r\n"), "failed"),
    "endless interim": ("short_timeout", flooding(b"", b"HTTP/1.1 103 E\r\nA: " + C + b"\r\n\r\n"), "failed"),
    "endless extension": ("short_timeout", flooding(CHUNKED + b"5;", C), "failed"),
    "endless line ends": ("short_timeout", flooding(b"", b"\r\n"), "failed"),
    "probe: body": ("patient_probe", flooding(HEAD + b"\r\n", C), "True"),
    "probe: headers": ("probe", flooding(HEAD, b"X-A: " + C + b"\r\n"), "False"),
    "probe: large headers": ("probe", flooding(HEAD, b"X-A: " + C * 6000 + b"\r\n"), "False"),
    "probe: interim": ("probe", flooding(b"", b"HTTP/1.1 103 E\r\nA: " + C + b"\r\n\r\n"), "False"),
    "probe: extension": ("probe", flooding(CHUNKED + b"5;", C), "False"),
    "probe: location": ("probe", flooding(b"HTTP/1.1 302 F\r\nLocation: /", C), "False"),
}


@pytest.fixture
async def ports() -> AsyncIterator[list[int]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(script)) for _, script, _ in ATTACKS.values()]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is read from /proc")
async def test_no_response_takes_more_than_its_share_of_memory(ports: list[int]) -> None:
    arguments = [f"{kind}:{port}" for (kind, _, _), port in zip(ATTACKS.values(), ports, strict=True)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.hostile.measured_process", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        stdout, _ = await asyncio.wait_for(process.communicate(), 150)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    results = dict(zip(ATTACKS, map(json.loads, stdout.splitlines()), strict=True))
    assert {name: it["result"] for name, it in results.items()} == {
        name: want for name, (_, _, want) in ATTACKS.items()
    }
    assert [name for name, it in results.items() if it["leaked"]] == []
    mib = {name: it["mib"] for name, it in results.items()}
    assert {name: grown for name, grown in mib.items() if grown > MAX_CONCURRENT_MIB.get(name, MAX_MIB)} == {}
