"""Deliveries over real sockets: which address is connected to, and which answers are one."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dequeuer.formats.receiver_rules import InvalidReceiverError, Receiver, ReceiverRules
from dequeuer.webhooks.sending import MAX_BODY_BYTES, Answer, DeliveryFailedError, HttpSender
from tests.certificates import self_signed

LOOPBACK = ReceiverRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),), allows_http=True)
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Server:
    """A receiver; `requests` has what it got, `connections` how many came."""

    response: bytes = NO_CONTENT
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head + await reader.readexactly(2))
            writer.write(self.response)
            await writer.drain()
            if self.response:
                writer.close()
            else:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(response: bytes = NO_CONTENT, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(response)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server
        listener.close()


def receiver(host: str, port: int, *, is_tls: bool = False) -> Receiver:
    return Receiver(is_tls=is_tls, host=host, port=port, target="/hook?a=b")


async def send(to: Receiver, rules: ReceiverRules = LOOPBACK, timeout_s: float = 5.0) -> Answer:
    return await HttpSender(rules, timeout_s).send(to, [("webhook-id", "msg_1")], b"{}")


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> Callable[[], int]:
    """Let names resolve to these addresses, in turn; return what tells how often was asked."""
    left, asked = list(answers), [0]

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked[0] += 1
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    return lambda: asked[0]


async def test_a_post_arrives_with_its_fields_and_its_body() -> None:
    async with listening() as server:
        assert await send(receiver("127.0.0.1", server.port)) == Answer(status=204, retry_after=None)
    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /hook?a=b HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"Content-Length: 2",
        b"Connection: close",
        b"webhook-id: msg_1",
    ]
    assert body == b"{}"


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "::ffff:127.0.0.1", "localhost"])
async def test_an_address_of_the_inside_is_not_connected_to(host: str) -> None:
    async with listening() as server:
        with pytest.raises(InvalidReceiverError, match="not allowed"):
            await send(receiver(host, server.port), ReceiverRules(allows_http=True))
    assert server.connections == 0


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1", "8.8.8.8"], ["::ffff:7f00:1"]])
async def test_a_name_that_leads_inside_is_not_connected_to(answer: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as server:
        resolving(monkeypatch, answer)
        with pytest.raises(InvalidReceiverError, match="loopback"):
            await send(receiver("hook.example", server.port), ReceiverRules(allows_http=True))
    assert server.connections == 0


async def test_a_name_whose_answer_changes_is_asked_once_and_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    only = ReceiverRules(allowed=(ipaddress.ip_network("127.0.0.2/32"),), allows_http=True)
    async with listening() as server:
        # The first answer is allowed, and nobody listens there; the later ones lead to the server inside.
        asked = resolving(monkeypatch, ["127.0.0.2"], ["127.0.0.1"])
        with pytest.raises(DeliveryFailedError):
            await send(receiver("hook.example", server.port), only)
        assert asked() == 1
        with pytest.raises(InvalidReceiverError):
            await send(receiver("hook.example", server.port), only)
    assert server.connections == 0


async def test_the_address_that_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as server:
        asked = resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.9"])
        await send(receiver("hook.example", server.port))
        assert asked() == 1
    assert b"Host: hook.example:%d\r\n" % server.port in server.requests[0]


async def test_a_redirect_is_not_followed() -> None:
    async with listening() as inside:
        location = b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % inside.port
        async with listening(location) as server:
            assert (await send(receiver("127.0.0.1", server.port))).status == 307
    assert inside.connections == 0


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await send(receiver("127.0.0.1", server.port))
    assert (proxy.connections, server.connections) == (0, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 4\r\n\r\nfine",
        b"Content-Length: 999999999999\r\n\r\n" + b"x" * 2 * MAX_BODY_BYTES,
        b"Content-Length: 10\r\n\r\nbroken",
        b"Transfer-Encoding: chunked\r\n\r\nnonsense",
    ],
)
async def test_the_status_counts_whatever_the_body_is(body: bytes) -> None:
    async with listening(b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\n" + body) as server:
        assert await send(receiver("127.0.0.1", server.port)) == Answer(status=200, retry_after="7")


@pytest.mark.parametrize("response", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000])
async def test_what_is_no_answer_is_a_failure(response: bytes) -> None:
    async with listening(response) as server:
        with pytest.raises(DeliveryFailedError):
            await send(receiver("127.0.0.1", server.port))


async def test_a_receiver_that_does_not_answer_is_left() -> None:
    async with listening(b"") as server:
        with pytest.raises(DeliveryFailedError):
            await send(receiver("127.0.0.1", server.port), timeout_s=0.2)


async def test_the_time_of_a_delivery_begins_with_the_look_up_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    with pytest.raises(DeliveryFailedError, match=r"no answer within 0\.2 s"):
        await send(receiver("hook.example", 443), timeout_s=0.2)


async def test_over_tls_the_name_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = self_signed(tmp_path / "server.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(file)
    async with listening(tls=tls) as server:
        with pytest.raises(DeliveryFailedError):
            await send(receiver("127.0.0.1", server.port, is_tls=True))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert (await send(receiver("127.0.0.1", server.port, is_tls=True))).status == 204
        resolving(monkeypatch, ["127.0.0.1"])
        with pytest.raises(DeliveryFailedError):
            await send(receiver("another.example", server.port, is_tls=True))
    assert len(server.requests) == 1
