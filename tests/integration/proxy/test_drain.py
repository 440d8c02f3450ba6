"""SIGTERM at every state of a request; what `/drain` and `/wait-for-drain` do."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.integration.proxy.stand import Stand, stand, threaded
from tests.integration.servers import listens
from tests.integration.waiting import eventually
from tests.proxy.conftest import ContainerSide, answering, ok

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Gated:
    """A container that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Semaphore(0)

    async def __call__(self, side: ContainerSide) -> None:
        while True:
            await side.request()
            await self.answers.acquire()
            side.send(ok())


async def _listens_no_more(running: Stand) -> None:
    await threaded(eventually, lambda: not listens(running.proxy.port), "the listeners to be closed")


async def test_everything_is_served_as_ever_for_the_delay_while_healthz_fails() -> None:
    async with stand(answering(ok()), DEQUEUER_SHUTDOWN_DELAY="600") as running:
        idle = await running.ask(GET)
        assert b"Connection" not in await idle.head()
        await idle.exactly(5)
        running.proxy.terminate()
        await threaded(eventually, lambda: running.proxy.get("/healthz")[0] == 500, "/healthz to fail")
        for client in (idle, await running.connect()):
            for _ in range(3):
                await client.send(GET)
                assert b"Connection" not in await client.head()
                await client.exactly(5)
        running.proxy.process.send_signal(signal.SIGTERM)
        assert await threaded(running.proxy.wait) == 1


async def test_requests_that_are_executed_and_that_wait_end_and_their_connections_are_closed() -> None:
    container = Gated()
    async with stand(container, DEQUEUER_MAX_CONCURRENCY="1") as running:
        idle = await running.connect()
        clients = [await running.ask(GET)]
        await running.until("dequeuer_proxy_executing", 1)
        clients += [await running.ask(GET) for _ in range(5)]
        await running.until("dequeuer_proxy_queued", 5)
        running.proxy.terminate()
        await _listens_no_more(running)
        for _ in clients:
            container.answers.release()
        for client in clients:
            assert b"\r\nConnection: close\r\n" in await client.head()
            assert await client.rest() == b"hello"
        assert await idle.rest() == b""
        assert await threaded(running.proxy.wait) == 0


async def test_a_stream_may_end_within_the_grace_and_an_upload_too() -> None:
    async def serve(side: ContainerSide) -> None:
        if b"POST" in await side.head():
            await side.reader.readexactly(5)
            side.send(ok())
        else:
            side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            await ends.wait()
            side.send(b"1\r\nb\r\n0\r\n\r\n")
        await side.until_closed()

    ends = asyncio.Event()
    async with stand(serve) as running:
        stream = await running.ask(GET)
        await stream.head()
        assert await stream.exactly(6) == b"1\r\na\r\n"
        upload = await running.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
        await running.until("dequeuer_proxy_executing", 2)
        running.proxy.terminate()
        await _listens_no_more(running)
        ends.set()
        assert await stream.rest() == b"1\r\nb\r\n0\r\n\r\n"
        await upload.send(b"llo")
        assert b"\r\nConnection: close\r\n" in await upload.head()
        assert await threaded(running.proxy.wait) == 0


async def test_what_has_not_ended_after_the_grace_is_cut_and_the_status_is_0() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await side.until_closed()

    async with stand(serve, DEQUEUER_SHUTDOWN_GRACE="1") as running:
        client = await running.ask(GET)
        await client.head()
        running.proxy.terminate()
        assert await client.is_cut()
        assert await threaded(running.proxy.wait) == 0


async def test_a_second_signal_skips_the_wait() -> None:
    async with stand(Gated(), DEQUEUER_SHUTDOWN_DELAY="600") as running:
        client = await running.ask(GET)
        await running.until("dequeuer_proxy_executing", 1)
        running.proxy.terminate()
        await threaded(eventually, lambda: running.proxy.events("proxy_draining"), "the drain to begin")
        running.proxy.process.send_signal(signal.SIGTERM)
        assert await threaded(running.proxy.wait) == 1
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.head()


async def test_drain_and_wait_for_drain_of_the_admin_port() -> None:
    """`preStop` hooks: of the container the one that waits, of another one the one that begins it."""
    container = Gated()
    async with stand(container) as running:
        client = await running.ask(GET)
        await running.until("dequeuer_proxy_executing", 1)
        waiting = asyncio.create_task(threaded(running.proxy.get, "/wait-for-drain"))
        assert await threaded(running.proxy.get, "/drain") == (200, "draining\n")
        assert (await threaded(running.proxy.get, "/healthz"))[0] == 500
        await _listens_no_more(running)
        assert not waiting.done()
        container.answers.release()
        assert b"\r\nConnection: close\r\n" in await client.head()
        assert await waiting == (200, "drained\n")
        assert running.proxy.process.poll() is None  # until it is told to end
        running.proxy.terminate()
        assert await threaded(running.proxy.wait) == 0


async def test_a_proxy_that_is_killed_ends_the_connections_of_the_container() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.head()
        has_request.set()
        await side.until_closed()
        left.set()

    has_request, left = asyncio.Event(), asyncio.Event()
    async with stand(serve) as running:
        client = await running.ask(GET)
        await has_request.wait()  # the metric counts it before it is sent
        await threaded(running.proxy.kill)
        assert await client.rest() == b""
        async with asyncio.timeout(30):
            await left.wait()
