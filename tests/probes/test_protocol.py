"""Which protocols are identified: with real servers."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from dequeuer.http.protocols import HTTP1
from dequeuer.probes import protocol
from dequeuer.probes.protocol import identify
from tests.tcp_server import Connection as Talk
from tests.tcp_server import tcp_server

LOOPBACK = ("127.0.0.1",)


def after_a_line(raw: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n")
        writer.write(raw)

    return talk


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP1),
        (b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n", HTTP1),
        (b"HTTP/1.0 501 Not Implemented\r\n\r\n", HTTP1),
        (b"HTTP/1.1 banana\r\n\r\n", "malformed HTTP/1"),
        (b"HTTP/3.0 200 OK\r\n\r\n", "another version of HTTP"),
        (b"\0\0\0\x04\0\0\0\0\0", "HTTP/2"),
        (bytes.fromhex("15030100020246"), "TLS"),
        (b"-ERR unknown command\r\n", "Redis"),
        (b"what?\r\n", "an unknown protocol"),
    ],
)
async def test_identified_by_its_response(raw: bytes, name: str) -> None:
    async with tcp_server(after_a_line(raw)) as port:
        assert await identify(LOOPBACK, port) == name


async def test_identified_by_its_greeting() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()

    async with tcp_server(greet) as port:
        assert await identify(LOOPBACK, port) == "SSH"


async def test_a_tls_server_that_hangs_up_on_a_plain_request_is_known_by_its_handshake(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(silent, ssl=context) as port:
        assert await identify(LOOPBACK, port) == "TLS"


async def test_an_http2_server_that_hangs_up_on_anything_else_is_known_by_its_settings() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            writer.write(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64")

    async with tcp_server(talk) as port:
        assert await identify(LOOPBACK, port) == "HTTP/2"


async def test_a_server_that_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "TIMEOUT_S", 0.05)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(silent) as port:
        assert await identify(LOOPBACK, port) == ""


async def test_a_port_without_a_listener() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert await identify(("127.0.0.1", "::1"), bound.getsockname()[1]) is None


async def test_the_other_loopback_address() -> None:
    async with tcp_server(after_a_line(b"HTTP/1.1 404 Not Found\r\n\r\n"), "::1") as port:
        assert await identify(("127.0.0.1", "::1"), port) == HTTP1


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b"])
async def test_a_host_that_cannot_be_resolved_sends_nothing(host: str) -> None:
    assert await identify((host,), 1) == ""
