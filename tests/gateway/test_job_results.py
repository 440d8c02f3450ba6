"""`GET /batch/<api>/results?jobID=`: results over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientSession

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.gateway import job_results
from dequeuer.jobs.layout import JobKeys
from dequeuer.sinks.base import Payload
from dequeuer.sinks.layout import output_keys
from tests.gateway.jobs import JobStage, call, problem
from tests.jobs.stage import JOB, job_spec, seed_job

KEYS = output_keys("out", JOB)
PATH = f"/batch/sum/results?jobID={JOB}"

pytestmark = pytest.mark.usefixtures("no_pauses")


def seed(stage: JobStage, state: str = "succeeded", path: str = "s3://bucket/out", **fields: Any) -> JobKeys:
    """Add a job with two batches, one of which failed."""
    keys = seed_job(stage.store, "running", state, spec=replace(job_spec(), output_s3_path=path, **fields))
    store = stage.store if path.startswith("s3://bucket/") else stage.buckets.add_once(path.split("/")[2])
    store.seed(
        [
            (KEYS.results("00000000"), b'{"index":0,"result":1}\n{"index":2,"result":3}\n'),
            (KEYS.errors("00000000"), b'{"index":1,"error":{"code":"item_failed"}}\n'),
            (KEYS.results("00000001"), b'{"index":3,"result":4}\n'),
        ]
    )
    return keys


def large(stage: JobStage, batches: int = 40, size: int = 300_000) -> bytes:
    """Add a job with large results; return them."""
    seed_job(stage.store, "running", "succeeded", spec=replace(job_spec(), output_s3_path="s3://bucket/out"))
    bodies = [b'{"index":%d,"result":"%s"}\n' % (at, b"x" * size) for at in range(batches)]
    stage.store.seed([(KEYS.results(f"{at:08}"), body) for at, body in enumerate(bodies)])
    return b"".join(bodies)


@pytest.mark.parametrize("path", [PATH, f"/sum/results?jobID={JOB}"])
async def test_results_and_errors_come_in_the_order_of_the_items(stage: JobStage, path: str) -> None:
    seed(stage)
    async with stage.served() as http, http.get(path) as answer:
        assert (answer.status, answer.content_type) == (200, "application/jsonl")
        assert answer.headers["X-Dequeuer-Job-Status"] == "succeeded"
        assert answer.headers["Transfer-Encoding"] == "chunked"
        found = [json.loads(line) for line in (await answer.read()).splitlines()]
    assert [line["index"] for line in found] == [0, 1, 2, 3]
    assert ["error" in line for line in found] == [False, True, False, False]


@pytest.mark.parametrize(("only", "indexes"), [("results", [0, 2, 3]), ("errors", [1])])
async def test_one_kind_of_lines_can_be_asked_for(stage: JobStage, only: str, indexes: list[int]) -> None:
    seed(stage)
    async with stage.served() as http:
        _, _, text = await call(http, "GET", f"{PATH}&only={only}")
    assert [json.loads(line)["index"] for line in text.splitlines()] == indexes


async def test_what_is_there_of_a_running_job_is_sent(stage: JobStage) -> None:
    seed(stage, "enqueuing")
    async with stage.served() as http, http.get(PATH) as answer:
        assert answer.headers["X-Dequeuer-Job-Status"] == "running"
        assert len((await answer.read()).splitlines()) == 4


async def test_a_job_without_any_results_yet_has_none(stage: JobStage) -> None:
    seed_job(stage.store, "running", spec=replace(job_spec(), output_s3_path="s3://bucket/out"))
    async with stage.served() as http:
        assert await call(http, "GET", PATH) == (200, "application/jsonl", "")


async def test_skipped_items_come_last(stage: JobStage) -> None:
    keys = seed(stage, on_bad_item="skip")
    stage.store.seed([(keys.skipped(0), b'{"error":{"offset":7}}\n')])
    async with stage.served() as http:
        _, _, text = await call(http, "GET", f"{PATH}&only=errors")
    assert [list(json.loads(line)) for line in text.splitlines()] == [["index", "error"], ["error"]]


async def test_a_bucket_of_somebody_else_is_opened_and_closed(stage: JobStage) -> None:
    seed(stage, path="s3://elsewhere/out")
    async with stage.served() as http:
        assert len((await call(http, "GET", PATH))[2].splitlines()) == 4
    assert stage.buckets.closed == [stage.buckets.stores["elsewhere"]]


async def test_head_tells_the_status_and_reads_nothing(stage: JobStage) -> None:
    seed(stage)
    async with stage.served() as http, http.head(PATH) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "application/jsonl", b"")
        assert answer.headers["X-Dequeuer-Job-Status"] == "succeeded"


async def test_refusals_are_problems(stage: JobStage) -> None:
    seed_job(stage.store, "running")
    async with stage.served() as http:
        detail = f"{JOB} (sum api): results of this BatchAPI job are not kept: it was submitted without output"
        assert await problem(http, "GET", PATH) == (409, detail)
        assert (await problem(http, "GET", "/batch/sum/results?jobID=67e3b0f1a2c4d5e7"))[0] == 404
        assert (await problem(http, "GET", f"/batch/nope/results?jobID={JOB}"))[0] == 404
        assert await problem(http, "GET", "/batch/sum/results") == (400, "query param required: jobID")
        given = await problem(http, "GET", f"{PATH}&only=all")
        assert given == (400, 'only: "all"; allowed: results or errors')


async def test_a_task_has_no_results(stage: JobStage) -> None:
    seed_job(stage.store, "running", spec=replace(job_spec(kind="TaskAPI"), api_name="sum"))
    async with stage.served() as http:
        assert (await problem(http, "GET", f"/tasks/train/results?jobID={JOB}"))[0] in {404, 409}


async def test_a_store_that_refuses_is_told_before_anything_is_sent(stage: JobStage) -> None:
    seed(stage, path="s3://elsewhere/out")
    stage.buckets.stores["elsewhere"].refuse("list_page")
    async with stage.served() as http:
        assert (await problem(http, "GET", PATH))[0] == 503


async def test_results_that_are_cut_off_never_look_whole(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    large(stage)
    get = stage.store.get

    async def break_at_the_end(key: str) -> Payload:
        if key == KEYS.results("00000039"):
            raise StoreUnavailableError("away")
        return await get(key)

    monkeypatch.setattr(stage.store, "get", break_at_the_end)
    async with stage.served() as http, http.get(PATH) as answer:
        assert answer.status == 200
        with pytest.raises((ClientPayloadError, ConnectionError)):
            await answer.read()


async def test_large_results_arrive_whole(stage: JobStage) -> None:
    body = large(stage)
    async with stage.served() as http, http.get(PATH) as answer:
        assert await answer.read() == body


async def raw_connection(http: ClientSession) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    base = http._base_url
    assert base is not None
    assert base.host is not None
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (base.host, base.port))
    return await asyncio.open_connection(sock=sock, limit=4096)


async def test_a_client_of_http_1_0_could_not_tell_a_cut(stage: JobStage) -> None:
    seed(stage)
    async with stage.served() as http:
        reader, writer = await raw_connection(http)
        writer.write(f"GET {PATH} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    assert b" 505 " in answer.splitlines()[0]
    assert b"use HTTP/1.1" in answer


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the reading of results was ended before its end."""
    event = asyncio.Event()
    pieces = job_results._pieces

    async def watched(chunks: Any) -> AsyncIterator[bytes]:
        inner = pieces(chunks)
        try:
            async for piece in inner:
                yield piece
        finally:
            await inner.aclose()
            event.set()

    monkeypatch.setattr(job_results, "_pieces", watched)
    return event


async def test_a_client_that_reads_nothing_is_cut_off(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch, closed: asyncio.Event
) -> None:
    monkeypatch.setattr(job_results, "WRITE_TIMEOUT_S", 0.2)
    large(stage)
    async with stage.served() as http:
        reader, writer = await raw_connection(http)
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(30):
            await closed.wait()
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65536):
                received += chunk
        assert not received.endswith(b"\r\n0\r\n\r\n")
        writer.close()


async def test_a_client_that_goes_away_ends_the_reading(stage: JobStage, closed: asyncio.Event) -> None:
    large(stage)
    async with stage.served() as http:
        reader, writer = await raw_connection(http)
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        async with asyncio.timeout(30):
            await closed.wait()


async def test_the_number_of_streams_is_limited(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_results, "MAX_STREAMS", 1)
    body = large(stage)
    async with stage.served() as http:
        async with http.get(PATH) as first:
            status, detail = await problem(http, "GET", PATH)
            assert (status, "1 clients already" in detail) == (503, True)
            assert await first.read() == body
        assert (await call(http, "GET", PATH))[0] == 200
