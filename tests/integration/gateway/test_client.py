"""The Python client with gateway, sidecar and container as processes; gateways are killed and restarted under it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from dequeuer.client import Client, SyncClient
from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import DEADLINE_S
from tests.tcp_server import tcp_server

WORKERS = 16
PAYLOADS = 500
LONG_DEADLINE_S = 150.0
"""Below that of tox for a test."""


@pytest.fixture
def sidecar(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> Iterator[Sidecar]:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS=str(WORKERS))
    with Sidecar(settings) as running:
        yield running


class Restarts:
    """Starts gateways, one after the other, on one port. Payloads are in their messages: that costs fewer calls."""

    def __init__(self, cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
        self._start = partial(Gateway, cloud.url, bucket, queue.url, more={"DEQUEUER_INLINE_BYTES": "1024"})
        self.gateway = self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    async def started(self) -> None:
        await asyncio.to_thread(self.gateway.wait_started)

    async def restart(self) -> None:
        """Start another one when this one has ended."""
        status = await asyncio.to_thread(self.gateway.wait)
        assert status in {0, -9}
        self.gateway = self._start(port=self.gateway.port)
        await self.started()


@pytest.fixture
def restarts(cloud: Cloud, queue: Queue, bucket: Bucket) -> Iterator[Restarts]:
    running = Restarts(cloud, queue, bucket)
    yield running
    running.gateway.kill()


async def test_a_submission_whose_gateway_is_killed_before_its_answer_arrives_is_one_request(
    restarts: Restarts, sidecar: Sidecar, container: Container
) -> None:
    await restarts.started()
    killed = asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on; kill the gateway when it answers the first one, and keep that answer back."""
        to_gateway = await asyncio.open_connection("127.0.0.1", restarts.gateway.port)
        passing = asyncio.create_task(pass_on(reader, to_gateway[1]))
        try:
            answer = await to_gateway[0].read(65_536)
            if not killed.is_set():
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                restarts.gateway.process.kill()
                killed.set()
                return
            writer.write(answer)
            await pass_on(to_gateway[0], writer)
        finally:
            passing.cancel()
            to_gateway[1].close()

    async with tcp_server(relay) as port, Client(f"http://127.0.0.1:{port}") as client:
        api = client.api("api")
        submitting = asyncio.create_task(api.submit({"n": 1}))
        async with asyncio.timeout(DEADLINE_S):
            await killed.wait()
            await restarts.restart()
            request = await submitting
            assert await request.result() == {"ok": True}
            assert [one.id async for one in api.list()] == [request.id]
    assert [one.body for one in container.requests] == [b'{"n":1}']
    assert len(restarts.gateway.events("request_resubmitted")) == 1


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def test_waits_and_events_outlive_a_gateway_that_drains_and_one_that_is_killed(
    restarts: Restarts, sidecar: Sidecar, held: Held, container: Container
) -> None:
    await restarts.started()
    async with Client(restarts.url) as client, asyncio.timeout(DEADLINE_S):
        api = client.api("api")
        running = asyncio.create_task(api.run(b"run"))
        request = await api.submit(b"submitted")
        waiting = asyncio.create_task(request.wait())
        states: list[str] = []
        told = asyncio.Event()

        async def follow() -> None:
            async for status in request.events():
                states.append(status.state)
                told.set()

        following = asyncio.create_task(follow())
        await told.wait()
        await asyncio.to_thread(held.began.wait, DEADLINE_S)
        restarts.gateway.terminate()
        await restarts.restart()
        restarts.gateway.process.kill()
        await restarts.restart()
        assert not {running, waiting, following} & {task for task in (running, waiting, following) if task.done()}
        held.may_answer.set()
        assert (await waiting).result() == (await running).result() == {"ok": True}
        await following
    assert states[-1] == "completed"
    assert sorted(one.body for one in container.requests) == [b"run", b"submitted"]


async def test_five_hundred_payloads_are_run_once_each_although_the_gateway_is_restarted(
    restarts: Restarts, sidecar: Sidecar, container: Container
) -> None:
    container.reply = lambda request: Reply(body=request.body)
    await restarts.started()
    results = {}
    restarting = None
    # Thousands of calls to servers that share two cores with other tests.
    async with Client(restarts.url) as client, asyncio.timeout(LONG_DEADLINE_S):
        async for outcome in client.api("api").map(range(PAYLOADS), concurrency=WORKERS, ordered=False):
            results[outcome.payload] = outcome.result()
            if len(results) == PAYLOADS // 4:
                restarts.gateway.terminate()
                restarting = asyncio.create_task(restarts.restart())
        assert restarting is not None
        await restarting
    assert results == {number: number for number in range(PAYLOADS)}
    assert Counter(int(one.body) for one in container.requests) == dict.fromkeys(range(PAYLOADS), 1)


def test_a_script_without_asyncio_does_the_same(gateway: Gateway, sidecar: Sidecar, container: Container) -> None:
    container.reply = lambda request: Reply(body=request.body)
    with SyncClient(f"http://127.0.0.1:{gateway.port}") as client:
        api = client.api("api")
        assert [one.result() for one in api.map(range(50), concurrency=8)] == [*range(50)]
        request = api.submit({"n": 1})
        assert [one.state for one in request.events()][-1] == "completed"
        assert request.result() == {"n": 1}
        assert len(list(api.list("completed"))) == 51
