"""Requests that the server's library refuses before the gate sees them."""

from __future__ import annotations

import asyncio
import logging

import pytest
from structlog.testing import capture_logs

from tests.gateway.access.stage import access_stage, entry, make_tokens


@pytest.mark.parametrize(
    "head",
    [
        b"POST /text HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\x00\r\n\r\n",
        b"POST /text HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer s3cret\r\n\r\n",
        b"POST /text HTTP/1.1\r\nHost: x\r\nAuthorization\xff: Bearer s3cret\r\n\r\n",
        b"BREW /text HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n\r\n",
        b"POST /text HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret" + b"a" * 40_000 + b"\r\n\r\n",
        b"POST /text HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_a_head_that_is_refused_leaves_no_token_in_the_log(head: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        async with access_stage(make_tokens(entry("web")), is_audited=True) as stage:
            base = stage.http._base_url
            assert base is not None
            reader, writer = await asyncio.open_connection(base.host, base.port)
            writer.write(head)
            async with asyncio.timeout(60):
                assert (await reader.readuntil(b"\r\n"))[9:12] in {b"400", b"401"}
            writer.transport.abort()
    assert "s3cret" not in str(logs)
    assert "s3cret" not in caplog.text
    assert stage.queue.sent == []
