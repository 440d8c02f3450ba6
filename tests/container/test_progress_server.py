"""The server for reports of progress: on the loopback address alone, bounded, and clear about what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from dequeuer.container import progress_server
from dequeuer.container.progress_server import ProgressServer
from dequeuer.core.errors import InvalidInputError
from dequeuer.formats.progress import MAX_REPORT_BYTES


class Attempts:
    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    def report(self, secret: str, body: bytes) -> bool:
        if body == b"bad":
            raise InvalidInputError("the report is not JSON")
        self.got.append((secret, body))
        return secret == "known"


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


@pytest.fixture
async def server(attempts: Attempts) -> AsyncIterator[ProgressServer]:
    running = ProgressServer()
    await running.start(attempts.report)
    yield running
    await running.stop()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_report_is_taken(server: ProgressServer, attempts: Attempts, client: aiohttp.ClientSession) -> None:
    assert server.address("known").startswith("http://127.0.0.1:")
    async with client.post(server.address("known"), data=b"{}") as response:
        assert (response.status, await response.read()) == (204, b"")
    assert attempts.got == [("known", b"{}")]


@pytest.mark.parametrize(
    ("secret", "body", "status", "text"),
    [
        ("unknown", b"{}", 404, "its attempt is over"),
        ("known", b"bad", 400, "the report is not JSON"),
        ("known", b"x" * (MAX_REPORT_BYTES + 1), 413, f"larger than {MAX_REPORT_BYTES} bytes"),
    ],
)
async def test_what_is_refused_says_why(
    server: ProgressServer, client: aiohttp.ClientSession, secret: str, body: bytes, status: int, text: str
) -> None:
    async with client.post(server.address(secret), data=body) as response:
        assert response.status == status
        assert text in await response.text()


async def test_other_methods_and_paths_are_refused(server: ProgressServer, client: aiohttp.ClientSession) -> None:
    async with client.get(server.address("known")) as response:
        assert response.status == 405
    async with client.post(server.address("known/more"), data=b"{}") as response:
        assert response.status == 404


async def test_a_report_that_does_not_arrive_is_given_up(
    server: ProgressServer, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_server, "READ_TIMEOUT_S", 0.05)
    port = int(server.address("").split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /progress/known HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    assert b" 408 " in await reader.readline()
    writer.close()
    assert not attempts.got


async def test_a_stopped_server_is_gone(attempts: Attempts) -> None:
    server = ProgressServer()
    await server.start(attempts.report)
    port = int(server.address("").split(":")[2].split("/")[0])
    await server.stop()
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
