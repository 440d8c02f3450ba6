"""What the page asks of jobs, with the gateway itself behind it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.sinks.layout import output_keys
from dequeuer.ui.job_items import MAX_ITEMS
from tests.gateway.fakes import FakeQueue, Store, make_gateway
from tests.gateway.jobs import APIS, SUBMISSION, JobStage
from tests.jobs.stage import JOB, job_spec, seed_job
from tests.ui.stage import page_before


def gateway_of(stage: JobStage) -> web.Application:
    store = Store()
    endpoints = [Endpoint(api_name=api.name, kind=api.kind, path=api.endpoint, job_api=api) for api in APIS]
    return make_app(make_gateway(store, FakeQueue(store)), {}, endpoints=Endpoints(endpoints), jobs=stage.jobs())


def seed_results(stage: JobStage, **progress: Any) -> None:
    seed_job(stage.store, "running", "succeeded", spec=replace(job_spec(), output_s3_path="s3://bucket/out"))
    keys = output_keys("out", JOB)
    stage.store.seed(
        [
            (keys.results("00000000"), b'{"index":0,"result":1}\n{"index":2,"result":3}\n'),
            (keys.errors("00000000"), b'{"index":1,"error":{"code":"item_failed"}}\n'),
        ]
    )


async def test_a_job_is_submitted_listed_shown_paused_and_stopped() -> None:
    stage = JobStage()
    async with page_before(gateway_of(stage)) as browser:
        submitted = await browser.change("POST", "/api/apis/sum/jobs", json.dumps(SUBMISSION).encode())
        job_id = submitted.json["job_id"]
        listed = (await browser.get("/api/apis/sum/jobs?limit=5")).json
        assert ([one["job_id"] for one in listed["jobs"]], "next" in listed) == ([job_id], False)
        shown = (await browser.get(f"/api/apis/sum/jobs/{job_id}")).json
        assert shown["job_status"]["job_id"] == job_id
        assert (await browser.change("PUT", f"/api/apis/sum/jobs/{job_id}?action=pause")).status == 200
        assert (await browser.get(f"/api/apis/sum/jobs/{job_id}")).json["job_status"]["paused"] is True
        assert (await browser.change("PUT", f"/api/apis/sum/jobs/{job_id}?action=resume")).status == 200
        stopped = await browser.change("DELETE", f"/api/apis/sum/jobs/{job_id}")
        assert stopped.json == {"message": f"stopped job {job_id}"}


async def test_the_list_of_jobs_has_pages() -> None:
    stage = JobStage()
    async with page_before(gateway_of(stage)) as browser:
        ids = set()
        for _ in range(3):
            submitted = await browser.change("POST", "/api/apis/train/jobs", b"{}")
            ids.add(submitted.json["job_id"])
        first = (await browser.get("/api/apis/train/jobs?limit=2")).json
        rest = (await browser.get(f"/api/apis/train/jobs?limit=2&after={first['next']}")).json
    assert {one["job_id"] for one in [*first["jobs"], *rest["jobs"]]} == ids
    assert "next" not in rest


async def test_the_items_of_a_job_are_shown() -> None:
    stage = JobStage()
    seed_results(stage)
    async with page_before(gateway_of(stage)) as browser:
        found = await browser.get(f"/api/apis/sum/jobs/{JOB}/items?from=0&limit=3")
        assert found.status == 200
        assert [one["state"] for one in found.json["items"]] == ["completed", "failed", "completed"]
        assert (await browser.get(f"/api/apis/sum/jobs/{JOB}/items?limit={MAX_ITEMS}")).status == 200
        refused = await browser.get(f"/api/apis/sum/jobs/{JOB}/items?limit={MAX_ITEMS + 1}")
        assert (refused.status, refused.error) == (400, "limit is 1001; allowed: 1 to 1000")


async def test_a_job_that_keeps_no_results_says_so() -> None:
    stage = JobStage()
    seed_job(stage.store, "running", "succeeded")
    async with page_before(gateway_of(stage)) as browser:
        found = await browser.get(f"/api/apis/sum/jobs/{JOB}/items")
        assert (found.status, "output" in found.error) == (409, True)
        assert (await browser.get(f"/api/apis/train/jobs/{JOB}/items")).status == 409
        assert (await browser.get(f"/api/apis/sum/jobs/{JOB}/items?limit=0")).status == 400
        assert (await browser.get(f"/api/apis/sum/jobs/{JOB}/items?from=-1")).status == 400


async def test_a_submission_that_is_refused_is_told_in_the_words_of_the_gateway() -> None:
    async with page_before(gateway_of(JobStage())) as browser:
        answer = await browser.change("POST", "/api/apis/sum/jobs", b'{"workers": 0}')
        assert (answer.status, bool(answer.error)) == (400, True)


@pytest.mark.parametrize(
    "job_id", ["..", "%2e%2e%2fx", "A", "a%26jobID=b", "a%00", "x" * 64, "-a", "%3Cb%3E", "a%0d%0aX:y"]
)
async def test_a_hostile_id_never_reaches_the_gateway(job_id: str) -> None:
    async with page_before(gateway_of(JobStage())) as browser:
        for method, more in (("GET", ""), ("GET", "/items"), ("DELETE", ""), ("PUT", "?action=pause")):
            answer = await browser.change(method, f"/api/apis/sum/jobs/{job_id}{more}")
            assert (answer.status in {400, 404, 405}, answer.headers["Content-Type"]) == (True, "application/json")
