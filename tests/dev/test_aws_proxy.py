from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from dequeuer.dev.aws_faults import AwsFaults
from dequeuer.dev.aws_proxy import AwsProxy, service_of
from dequeuer.dev.chaos_plan import ChaosKind, Episode, Service
from dequeuer.process.ports import HOST, free_ports

SQS = {"X-Amz-Target": "AmazonSQS.ReceiveMessage", "Content-Type": "application/x-amz-json-1.0"}


def episode(kind: ChaosKind, service: Service, *, share: float = 1.0, delay_s: float = 0.0) -> Episode:
    return Episode(kind=kind, service=service, pause_s=0, lasts_s=1, share=share, delay_s=delay_s)


class Server:
    """Answers with what it was asked, and keeps it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.waits = asyncio.Event()
        self.gone = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/poll":
            self.waits.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.gone.set()
        body = await request.read()
        self.asked.append((request.method, request.raw_path, dict(request.headers), body))
        headers = {"ETag": '"1"', "Content-Type": "text/a", "Content-Encoding": "gzip"}
        return web.Response(status=206, reason="Part", body=body, headers=headers)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Server, AwsFaults, str, aiohttp.ClientSession]]:
    server, faults = Server(), AwsFaults(Random(1))
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    (port,) = free_ports(1)
    proxy = AwsProxy(runner.addresses[0][1], faults)
    await proxy.open(port)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield server, faults, f"http://{HOST}:{port}", session
    await proxy.stop(asyncio.Event())
    await runner.cleanup()


async def test_requests_and_answers_pass_as_they_are() -> None:
    async with running() as (server, _, url, session):
        body = b"\0" * 3_000_000
        target = URL(url + "/b/a%2Fb%20c//d?x=%2F&list-type=2", encoded=True)
        headers = {"Content-Encoding": "gzip", "Authorization": "AWS4", "X-Amz-Meta-A": "b"}
        async with session.put(target, data=body, headers=headers) as answer:
            assert (answer.status, answer.reason, answer.headers["ETag"]) == (206, "Part", '"1"')
            assert (answer.headers["Content-Type"], answer.headers["Content-Encoding"]) == ("text/a", "gzip")
            assert await answer.read() == body
        ((method, path, sent, received),) = server.asked
        assert (method, path, received) == ("PUT", "/b/a%2Fb%20c//d?x=%2F&list-type=2", body)
        assert sent["Host"] == url.removeprefix("http://")  # URLs of queues are made of it
        assert {name: sent[name] for name in headers} == headers
        assert sent["Content-Length"] == str(len(body))


async def test_a_head_without_a_body_passes() -> None:
    async with running() as (server, _, url, session), session.head(f"{url}/b/k") as answer:
        assert (answer.status, await answer.read()) == (206, b"")
        assert server.asked[0][0] == "HEAD"


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("throttling", {(400, "com.amazonaws.sqs#RequestThrottled")}),
        ("errors", {(500, "com.amazonaws.sqs#InternalFailure"), (503, "com.amazonaws.sqs#ServiceUnavailable")}),
    ],
)
async def test_sqs_refuses_as_aws_does_while_an_episode_lasts(kind: ChaosKind, codes: set[tuple[int, str]]) -> None:
    async with running() as (server, faults, url, session):
        one = episode(kind, "SQS")
        faults.begin(one)
        seen = set()
        for _ in range(20):
            async with session.post(url, data="{}", headers=SQS) as answer:
                seen.add((answer.status, json.loads(await answer.read())["__type"]))
        assert seen == codes
        assert not server.asked
        async with session.get(f"{url}/b/k") as answer:
            assert answer.status == 206  # S3 is well
        faults.end(one)
        async with session.post(url, data="{}", headers=SQS) as answer:
            assert answer.status == 206


async def test_s3_refuses_a_share_of_the_calls() -> None:
    async with running() as (server, faults, url, session):
        faults.begin(episode("throttling", "S3", share=0.5))
        texts = [await (await session.get(f"{url}/b/k")).text() for _ in range(100)]
        refused = [text for text in texts if "<Error><Code>SlowDown</Code>" in text]
        assert 25 < len(refused) < 75
        assert len(server.asked) == 100 - len(refused)


def test_a_refusal_has_the_form_that_old_clients_of_sqs_read() -> None:
    faults = AwsFaults(Random(1))
    faults.begin(episode("throttling", "SQS"))
    refusal = faults.refuse("SQS", "application/x-www-form-urlencoded")
    assert refusal is not None
    assert refusal.body.startswith("<ErrorResponse><Error><Code>RequestThrottled</Code>")


def test_only_s3_is_slow_and_only_while_it_lasts() -> None:
    faults = AwsFaults(Random(1))
    one = episode("slow-s3", "S3", share=0.0, delay_s=2.5)
    faults.begin(one)
    assert (faults.delay_s("S3"), faults.delay_s("SQS"), faults.refuse("S3", "")) == (2.5, 0, None)
    faults.end(one)
    assert faults.delay_s("S3") == 0


async def test_a_poll_whose_client_has_gone_ends_at_the_server_which_would_give_it_messages() -> None:
    async with running() as (server, _, url, session):
        poll = asyncio.create_task(session.post(f"{url}/poll", headers=SQS))
        await server.waits.wait()
        poll.cancel()
        async with asyncio.timeout(20):
            await server.gone.wait()


def test_services_are_told_apart_by_signature_and_target() -> None:
    signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host"
    assert service_of({"Authorization": signed.format("sqs")}, "") == "SQS"
    assert service_of({"Authorization": signed.format("s3")}, "") == "S3"
    assert service_of({}, "X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fsqs%2Faws4_request") == "SQS"
    assert service_of(SQS, "") == "SQS"
    assert service_of({}, "") == "S3"
