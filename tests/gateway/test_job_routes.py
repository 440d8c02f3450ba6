"""Jobs over HTTP: their paths, status, stops, lists and events; submissions are in `test_job_submission`."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import pytest

from dequeuer.core.errors import StoreDeniedError
from dequeuer.gateway import job_events
from tests.gateway.jobs import SUBMISSION, JobStage, call, error, problem
from tests.jobs.stage import JOB, QUEUE, job_spec, seed_job

NOT_FOUND = f"failed to get job state: unable to find BatchAPI job {JOB} (sum api)"

pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.mark.parametrize("path", ["/batch/mean", "/v1/mean"])
async def test_an_api_has_its_jobs_at_its_endpoint_too(stage: JobStage, path: str) -> None:
    async with stage.served() as http:
        status, _, text = await call(http, "POST", path, SUBMISSION)
        assert status == 200
        job_id = json.loads(text)["job_id"]
        status, _, text = await call(http, "GET", f"{path}?jobID={job_id}")
        assert (status, json.loads(text)["job_status"]["status"]) == (200, "pending")
        assert (await call(http, "DELETE", f"{path}?jobID={job_id}"))[0] == 200


async def test_a_task_is_submitted_and_reported(stage: JobStage) -> None:
    async with stage.served() as http:
        status, _, text = await call(http, "POST", "/tasks/train", b'{"timeout":60,"dryRun":1}')
        job_id, start_time = json.loads(text)["job_id"], json.loads(text)["start_time"]
        assert status == 200
        assert text == (
            f'{{"job_id":"{job_id}","api_name":"train","kind":"TaskAPI","workers":1,"config":null,"timeout":60,'
            f'"api_id":"api-1","spec_id":"spec-1","pod_id":"pod-1","start_time":"{start_time}"}}'
        )
        assert [key.removeprefix("uid/jobs/TaskAPI/") for _, key in stage.store.journal] == [
            f"0.42.1/train/{job_id}/spec.json",
            f"in_progress/train/{job_id}",
        ]
        _, _, status_text = await call(http, "GET", f"/tasks/train?jobID={job_id}")
        assert status_text.partition('"job_status":')[2].startswith(f'{text[:-1]},"status":"pending"}},"endpoint":')
        message = "workers: invalid value (got 2, must be 1)"
        assert await error(http, "POST", "/tasks/train", {"workers": 2}) == (400, "configreader.invalid_int", message)


async def test_the_status_has_the_fields_of_cortex(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running", spec=replace(job_spec(), sqs_url=QUEUE))
    stage.store.seed([(keys.metrics, b'{"succeeded":3,"failed":0,"average_time_per_batch":null}')])
    stage.counts.messages[QUEUE] = 3
    async with stage.served() as http:
        status, media_type, text = await call(http, "GET", f"/batch/sum?jobID={JOB}")
        host = f"{http._base_url.host}:{http._base_url.port}"  # type: ignore[union-attr]
    assert (status, media_type) == (200, "application/json")
    assert text == (
        '{"api_spec":{"name":"sum","kind":"BatchAPI","id":"api-1","spec_id":"spec-1","pod_id":"pod-1","deployment_id":"",'
        '"key":"uid/apis/sum/api/api-1/0.42.1-spec.json","initial_deployment_time":0,"last_updated":0,"metadata_root":"uid/apis/sum/metadata"},'
        '"job_status":{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"BatchAPI","workers":2,"sqs_dead_letter_queue":null,"config":null,'
        f'"timeout":null,"api_id":"api-1","sqs_url":"{QUEUE}","start_time":"2026-11-26T16:38:16.123456789Z","status":"running","batches_in_queue":2,'
        '"progress":{"items_total":null,"items_done":null,"items_failed":null,"batches_total":null,"batches_done":null,"rate":null,"eta_seconds":null}},'
        '"metrics":{"succeeded":3,"failed":0,"average_time_per_batch":null},'
        f'"endpoint":"http://{host}/sum?jobID={JOB}"}}'
    )


async def test_a_host_that_is_none_is_not_repeated(stage: JobStage) -> None:
    seed_job(stage.store, "running")
    async with stage.served() as http, http.get(f"/batch/sum?jobID={JOB}", headers={"Host": 'a"b/c'}) as answer:
        assert (await answer.json())["endpoint"] == f"http://localhost/sum?jobID={JOB}"


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("/batch/nope", "resources.api_not_deployed", "nope is not deployed"),
        ("/batch/Sum%2F..", "resources.api_not_deployed", "Sum/.. is not deployed"),
        ("/batch/train", "resources.operation_is_only_supported_for_kind", "this operation is only allowed for BatchAPI kind and is not supported for train of kind TaskAPI"),
        ("/batch/text", "resources.operation_is_only_supported_for_kind", "this operation is only allowed for BatchAPI kind and is not supported for text of kind AsyncAPI"),
        ("/tasks/sum", "resources.operation_is_only_supported_for_kind", "this operation is only allowed for TaskAPI kind and is not supported for sum of kind BatchAPI"),
    ],
)  # fmt: skip
async def test_an_api_without_such_jobs_is_told(stage: JobStage, path: str, kind: str, message: str) -> None:
    async with stage.served() as http:
        for method in ("POST", "GET", "DELETE"):
            assert await error(http, method, f"{path}?jobID={JOB}", b"{}") == (400, kind, message)
    assert stage.store.journal == []


async def test_without_a_file_of_apis_no_api_is_deployed(stage: JobStage) -> None:
    async with stage.served([]) as http:
        for prefix in ("batch", "tasks"):
            found = await error(http, "POST", f"/{prefix}/sum", SUBMISSION)
            assert found == (400, "resources.api_not_deployed", "sum is not deployed")


async def test_an_async_api_keeps_a_name_that_is_a_path_of_jobs(stage: JobStage) -> None:
    async with stage.served([], {"batch": QUEUE}) as http:
        assert (await call(http, "GET", "/batch/some-id"))[::2] == (404, "error: id some-id not found")
        assert (await error(http, "GET", "/tasks/some?jobID=x"))[1] == "resources.api_not_deployed"


async def test_a_missing_or_unknown_job_is_told(stage: JobStage) -> None:
    seed_job(stage.store, "running")
    async with stage.served() as http:
        for method in ("GET", "DELETE"):
            path = "/batch/sum?jobID=" if method == "GET" else "/batch/sum"
            assert await error(http, method, path) == (
                400,
                "endpoints.query_param_required",
                "query param required: jobID",
            )
            for job_id in ("67e3b0f1a2c4d5e7", "..%2F..", "x" * 500):
                assert (await error(http, method, f"/batch/sum?jobID={job_id}"))[1] == "job.not_found"
            # The job of another API is not this API's.
            message = NOT_FOUND.replace("sum", "mean")
            assert await error(http, method, f"/batch/mean?jobID={JOB}") == (400, "job.not_found", message)


async def test_a_stop_is_recorded_once(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running")
    async with stage.served() as http:
        for _ in range(2):
            found = await call(http, "DELETE", f"/batch/sum?jobID={JOB}")
            assert found == (200, "application/json", f'{{"message":"stopped job {JOB}"}}')
    assert stage.store.journal == [("put", keys.stop)]


@pytest.mark.parametrize("state", ["succeeded", "stopped", "timed_out"])
async def test_stopping_a_job_that_has_ended_changes_nothing(stage: JobStage, state: str) -> None:
    seed_job(stage.store, "running", state)
    seed_job(stage.store, "running", state, spec=replace(job_spec(kind="TaskAPI"), api_name="sum"))
    async with stage.served() as http:
        assert (await call(http, "DELETE", f"/batch/sum?jobID={JOB}"))[0] == 200
    assert stage.store.journal == []


async def test_a_task_that_has_ended_cannot_be_stopped(stage: JobStage) -> None:
    prefix = f"uid/jobs/TaskAPI/0.42.1/train/{JOB}/"
    spec = replace(job_spec(kind="TaskAPI"), api_name="train")
    stage.store.seed([(f"{prefix}spec.json", b""), (f"{prefix}succeeded", b"")])
    seed_job(stage.store, spec=spec)
    keys = f"uid/jobs/TaskAPI/0.42.1/sum/{JOB}/"
    stage.store.seed([(f"{prefix}spec.json", stage.store.objects[f"{keys}spec.json"][0])])
    message = f"{JOB} (train api): cannot stop TaskAPI job because it is not in progress"
    async with stage.served() as http:
        found = await error(http, "DELETE", f"/tasks/train?jobID={JOB}")
    assert found == (400, "job.job_is_not_in_progress", message)


async def test_pause_and_resume_are_recorded(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running")
    async with stage.served() as http:
        path = f"/batch/sum?jobID={JOB}&action="
        assert (await call(http, "PUT", f"{path}pause"))[::2] == (200, f'{{"message":"paused job {JOB}"}}')
        assert keys.pause in stage.store.objects
        assert '"paused":true' in (await call(http, "GET", f"/batch/sum?jobID={JOB}"))[2]
        assert (await call(http, "PUT", f"{path}resume"))[::2] == (200, f'{{"message":"resumed job {JOB}"}}')
        assert keys.pause not in stage.store.objects
        assert await problem(http, "PUT", f"{path}halt") == (400, 'action: "halt"; allowed: pause or resume')
        assert await problem(http, "PUT", path) == (400, "query param required: action")
        assert await problem(http, "PUT", f"/batch/sum?jobID=x{JOB}&action=pause") == (
            404,
            NOT_FOUND.replace(JOB, f"x{JOB}"),
        )
        stage.store.seed([(keys.marker("succeeded"), b"")])
        detail = f"{JOB} (sum api): cannot pause BatchAPI job because it is not in progress"
        assert await problem(http, "PUT", f"{path}pause") == (409, detail)


async def test_no_page_pauses_jobs_or_reads_a_list_of_them_unless_its_origin_is_configured(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running")
    page, allow = {"Origin": "https://app.example.com"}, "Access-Control-Allow-Origin"
    for origins, status in ((None, 403), (["https://other.example.com"], 403), ([page["Origin"]], 200)):
        async with stage.served(cors_origins=origins) as http:
            for action in ("pause", "resume"):
                async with http.put(f"/batch/sum?jobID={JOB}&action={action}", headers=page) as answer:
                    fields = await answer.json(content_type=None)
                    assert (answer.status, fields.get("code")) == (
                        status,
                        "origin_not_allowed" if status == 403 else None,
                    )
                assert (keys.pause in stage.store.objects) is (status == 200 and action == "pause")
            async with http.get("/batch/sum", headers=page) as answer:
                assert (answer.status, answer.headers.get(allow)) == (200, page["Origin"] if status == 200 else None)
            async with http.get(f"/batch/sum?jobID={JOB}", headers=page) as answer:
                assert (allow in answer.headers) is (origins is None or status == 200)


async def test_jobs_are_listed_in_pages_the_newest_first(stage: JobStage) -> None:
    ids = [f"67e3b0f1a2c4d5e{digit}" for digit in "12345"]
    for job_id in ids:
        seed_job(stage.store, "running", spec=job_spec(job_id))
    del stage.store.objects[f"uid/jobs/BatchAPI/0.42.1/sum/{ids[1]}/spec.json"]
    found, path = [], "/batch/sum?limit=2"
    async with stage.served() as http:
        while path:
            async with http.get(path) as answer:
                assert answer.status == 200
                page = await answer.json()
                found += [(status["job_id"], status["status"]) for status in page]
                assert len(page) <= 2
                link = re.fullmatch(r'<(.*)>; rel="next"', answer.headers.get("Link", ""))
                path = link[1] if link else ""
        assert found == [(job_id, "running") for job_id in (ids[0], *ids[2:])]
        assert (await call(http, "GET", "/tasks/train"))[2] == "[]"
        for query in ("limit=0", "limit=101", "limit=x", "limit=", "limit=\u0665", "after=../x"):
            assert (await problem(http, "GET", f"/batch/sum?{query}"))[0] == 400
        assert await problem(http, "GET", "/batch/nope") == (404, "nope is not deployed")


async def test_a_stored_specification_that_is_none_is_told_and_left_out_of_a_list(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running")
    stage.store.seed([(keys.spec, b"{}")])
    async with stage.served() as http:
        status, kind, _ = await error(http, "GET", f"/batch/sum?jobID={JOB}")
        assert (status, kind) == (500, "error")
        assert (await call(http, "GET", "/batch/sum"))[2] == "[]"


async def test_a_store_that_is_away_or_refuses_is_a_503_without_its_details(stage: JobStage) -> None:
    seed_job(stage.store, "running")
    async with stage.served() as http:
        stage.store.fail(100)
        found = await error(http, "GET", f"/batch/sum?jobID={JOB}")
        assert found == (503, "error", "the store or the queue is not available: try again")
        assert (await error(http, "POST", "/batch/sum", SUBMISSION))[0] == 503
        stage.store.failures = [StoreDeniedError("secret-bucket", "AccessDenied")] * 2
        found = await error(http, "DELETE", f"/batch/sum?jobID={JOB}")
        assert found == (503, "error", "the store refuses the gateway: its bucket or permissions are wrong")
        assert (await problem(http, "GET", "/batch/sum"))[0] == 503


async def test_the_operator_is_verified(stage: JobStage) -> None:
    async with stage.served() as http:
        assert await call(http, "GET", "/verifycortex") == (200, "application/json", "{}")
        assert (await call(http, "POST", "/batch/sum/nothing"))[0] == 404
        async with http.patch("/batch/sum") as answer:
            assert answer.status == 405


async def test_events_tell_each_change_and_end_with_the_job(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_events, "INTERVAL_S", 0.01)
    keys = seed_job(stage.store, "enqueuing")
    async with stage.served() as http:
        async with http.get(f"/batch/sum/events?jobID={JOB}") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/event-stream"
            states = []
            async for line in answer.content:
                if line.startswith(b"data: "):
                    states.append(json.loads(line[6:])["status"])
                    following = {"enqueuing": "running", "running": "succeeded"}.get(states[-1])
                    if following is not None:
                        stage.store.seed([(keys.marker(following), b"")])
        assert states == ["enqueuing", "running", "succeeded"]
        assert (await problem(http, "GET", "/batch/sum/events?jobID=67e3b0f1a2c4d5e7"))[0] == 404
        assert await problem(http, "GET", "/batch/sum/events") == (400, "query param required: jobID")
        async with http.head(f"/batch/sum/events?jobID={JOB}") as answer:
            assert answer.status == 405


async def test_streams_end_when_the_gateway_drains(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_events, "INTERVAL_S", 0.01)
    seed_job(stage.store, "running")
    async with stage.served() as http, http.get(f"/batch/sum/events?jobID={JOB}") as answer:
        assert (await answer.content.readline()).startswith(b"data: ")
        stage.is_draining = True
        async with asyncio.timeout(5):
            assert (await answer.content.read()) == b"\n"
