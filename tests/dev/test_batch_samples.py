from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dequeuer.dev.batch_samples import SampleJob, make_sample, shown_lines, succeeded
from dequeuer.dev.display import PlainDisplay
from dequeuer.dev.errors import DevError
from dequeuer.dev.local_aws import queue_name
from dequeuer.dev.options import parse


def test_the_built_in_job_has_an_item_that_is_tried_again_and_one_that_fails() -> None:
    sample = make_sample(parse(["--kind", "batch"]))
    items = sample.submission["item_list"]["items"]
    assert [item["item"] for item in items] == list(range(1, 10))
    assert [item.get("fails") for item in items[:4]] == [None, "once", "always", None]
    assert sample.submission["workers"] == 2
    assert sample.submission["output"] == {"s3_path": "s3://dequeuer-dev/output"}
    assert sample.expected_failures == 1


def test_a_payload_is_the_items_of_each_batch() -> None:
    sample = make_sample(parse(["--kind", "batch", "--samples", "2", "--payload", "[1, 2]"]))
    assert sample.submission["item_list"] == {"items": [1, 2, 1, 2], "batch_size": 2}
    assert sample.expected_failures == 0
    one = make_sample(parse(["--kind", "batch", "--payload", '{"a": 1}', "--samples", "1"]))
    assert one.submission["item_list"] == {"items": [{"a": 1}], "batch_size": 1}


def test_results_of_the_users_container_are_not_kept() -> None:
    sample = make_sample(parse(["--kind", "batch", "--", "serve"]))
    assert "output" not in sample.submission
    assert sample.expected_failures == 0


@pytest.mark.parametrize(
    ("status", "failed", "line", "is_success"),
    [
        ("completed_with_failures", 1, [], True),
        ("completed_with_failures", 2, [], False),
        ("completed_with_failures", None, [], False),
        ("succeeded", 0, [], False),
        ("succeeded", 0, ["--", "serve"], True),
        ("completed_with_failures", 1, ["--", "serve"], False),
        ("worker_error", 1, [], False),
    ],
)
def test_only_the_expected_end_is_a_success(status: str, failed: int | None, line: list[str], is_success: bool) -> None:
    sample = make_sample(parse(["--kind", "batch", *line]))
    found = {"status": status, "progress": None if failed is None else {"items_failed": failed}}
    assert succeeded(found, sample) is is_success


class Gateway:
    """Takes one job; each look at it is one status further. Without a status it is not available."""

    def __init__(self, *statuses: dict[str, Any]) -> None:
        self._statuses = list(statuses)
        self.submitted: list[Any] = []

    async def submit(self, request: web.Request) -> web.Response:
        self.submitted.append(json.loads(await request.read()))
        return web.json_response({"job_id": "67a0"})

    async def status(self, request: web.Request) -> web.Response:
        assert request.query["jobID"] == "67a0"
        found = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return web.json_response({"job_status": found}) if found else web.Response(status=503)

    async def results(self, request: web.Request) -> web.Response:
        assert request.query["jobID"] == "67a0"
        return web.Response(text='{"index":0,"result":"\u2028"}\n{"index":1,"error":{}}\n')

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/batch/sample", self.submit)
        app.router.add_get("/batch/sample", self.status)
        app.router.add_get("/batch/sample/results", self.results)
        return app


async def test_a_job_is_submitted_and_shown_until_it_has_ended() -> None:
    gateway = Gateway(
        {"status": "pending"},
        {},
        {"status": "running", "progress": {"items_total": None, "items_done": 3, "items_failed": 0}},
        {"status": "running", "progress": {"items_total": 1, "items_done": 0}},
        {"status": "running", "progress": {"items_total": 9, "items_done": 6, "items_failed": 1}},
        {"status": "worker_error", "error": {"message": "no torch"}},
    )
    stream = io.StringIO()
    async with TestServer(gateway.app(), host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        job = SampleJob(session, str(server.make_url("/batch/sample")), PlainDisplay(stream))
        sample = make_sample(parse(["--kind", "batch"]))
        await job.submit(sample)
        status = await job.follow()
        assert await job.results() == ['{"index":0,"result":"\u2028"}', '{"index":1,"error":{}}']
    assert gateway.submitted == [sample.submission]
    assert status["status"] == "worker_error"
    shown = [" ".join(line.split()[1:2] + line.split()[4:]) for line in stream.getvalue().splitlines()]
    assert shown == [
        "pending",
        "running 3 items",
        "running 0 of 1 item",
        "running 6 of 9 items, 1 failed",
        "worker_error no torch",
    ]


async def test_a_refused_job_is_an_error_with_its_reason() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"kind": "error", "message": "no such API"}, status=400)

    app = web.Application()
    app.router.add_post("/batch/sample", refuse)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        job = SampleJob(session, str(server.make_url("/batch/sample")), PlainDisplay(io.StringIO()))
        with pytest.raises(DevError, match=r"answered 400 to the sample job: .*no such API"):
            await job.submit(make_sample(parse(["--kind", "batch"])))


def test_of_many_results_some_are_shown() -> None:
    shown = shown_lines([str(number) for number in range(50)]).splitlines()
    assert shown[:2] == ["  0", "  1"]
    assert shown[20:] == ["  ... and 30 more"]
    assert shown_lines(["0"]) == "  0"


def test_names_of_queues_are_in_cortex_layout_and_good_for_sqs() -> None:
    assert queue_name("sample", fifo=True) == "cx_dev_a_sample_1.fifo"
    assert queue_name("sample", fifo=False) == "cx_dev_a_sample_1"
