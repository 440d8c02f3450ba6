from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientSession

from dequeuer.core.errors import StoreDeniedError
from dequeuer.formats.go_time import parse_time
from dequeuer.gateway import job_body, job_dry_run, job_events
from dequeuer.jobs.job_id import created_ns
from dequeuer.jobs.spec import parse_spec
from dequeuer.sinks.base import ListedPage
from tests.fakes import MemoryStore
from tests.gateway.jobs import JobStage
from tests.jobs.stage import JOB, QUEUE, job_spec, seed_job

SUBMISSION = {"workers": 2, "item_list": {"items": [1.0, "<a>"], "batch_size": 1}, "config": {"b": 1, "a": 2}}
HINT = "\n\njob submission schema can be found at https://docs.cortexlabs.com/v/0.42/"
NOT_FOUND = f"failed to get job state: unable to find BatchAPI job {JOB} (sum api)"


pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def stage() -> JobStage:
    return JobStage()


async def call(http: ClientSession, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Return status, media type and text."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    async with http.request(method, path, data=data) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def error(http: ClientSession, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Return status, kind and message of an error in Cortex's form."""
    status, media_type, text = await call(http, method, path, body)
    assert media_type == "application/json"
    assert text.endswith("}\n")
    fields = json.loads(text)
    assert list(fields)[:2] == ["kind", "message"]
    if "faults" in fields:
        assert fields["faults"][0] == {"kind": fields["kind"], "message": fields["message"]}
    return status, fields["kind"], fields["message"]


async def problem(http: ClientSession, method: str, path: str) -> tuple[int, str]:
    """Return status and detail of an error in our form."""
    status, media_type, text = await call(http, method, path)
    assert media_type == "application/problem+json"
    fields = json.loads(text)
    assert fields["status"] == status
    return status, fields["detail"]


async def test_a_submission_is_answered_and_stored_as_cortex_does_it(stage: JobStage) -> None:
    async with stage.served() as http:
        status, media_type, text = await call(http, "POST", "/batch/sum", SUBMISSION)
    assert (status, media_type) == (200, "application/json")
    job_id = json.loads(text)["job_id"]
    assert re.fullmatch(r"6[0-9a-f]{15}", job_id)
    start_time = json.loads(text)["start_time"]
    assert text == (
        f'{{"job_id":"{job_id}","api_name":"sum","kind":"BatchAPI","workers":2,"sqs_dead_letter_queue":null,'
        f'"config":{{"a":2,"b":1}},"timeout":null,"api_id":"api-1","sqs_url":"","start_time":"{start_time}"}}'
    )
    assert parse_time(start_time) == created_ns(job_id)
    prefix = f"uid/jobs/BatchAPI/0.42.1/sum/{job_id}/"
    assert stage.store.objects == {
        f"{prefix}spec.json": (text.encode(), "application/json"),
        f"{prefix}payload.json": (
            (
                b'{"workers":2,"sqs_dead_letter_queue":null,"config":{"a":2,"b":1},"timeout":null,"item_list":'
                b'{"items":[1.0,"\\u003ca\\u003e"],"batch_size":1},"file_path_lister":null,"delimited_files":null}'
            ),
            "application/json",
        ),
        f"uid/jobs/BatchAPI/in_progress/sum/{job_id}": (b"", "text/plain"),
    }
    assert [key.rpartition("/")[2] for _, key in stage.store.journal] == ["spec.json", "payload.json", job_id]


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


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "error", f"unexpected end of JSON input{HINT}"),
        ({"workers": 1}, "job.specify_exactly_one_key", f"specify exactly one of the following keys: item_list, file_path_lister, or delimited_files{HINT}"),
        ({"workers": 1, "file_path_lister": {"s3_paths": ["s3://files/none"], "batch_size": 1}}, "batchapi.no_s3_files_found", "file_path_lister: no s3 files match search criteria"),
        ({"workers": 1, "delimited_files": {"s3_paths": ["s3://files/"], "excludes": ["**"], "batch_size": 1}}, "batchapi.no_s3_files_found", "delimited_files: no s3 files match search criteria"),
        ({"workers": 1, "delimited_files": {"s3_paths": ["s3://secret/"], "batch_size": 1}}, "error", "delimited_files: S3 refuses to list s3://secret/ (AccessDenied): check the buckets, and who may list them"),
        (b" " * (10 << 20) + b"{}", "error", "http: request body too large"),
    ],
)  # fmt: skip
async def test_a_refused_submission_stores_nothing(stage: JobStage, body: Any, kind: str, message: str) -> None:
    stage.buckets.add("files", "a/1.json", "folder/")
    async with stage.served() as http:
        assert await error(http, "POST", "/batch/sum", body) == (400, kind, message)
    assert stage.store.journal == []


async def test_all_faults_are_told_with_those_of_the_files(stage: JobStage) -> None:
    stage.buckets.add("files")
    body = {"workers": 0, "delimited_files": {"s3_paths": ["s3://files/"], "batch_size": 0}, "priority": -1}
    async with stage.served() as http:
        status, _, text = await call(http, "POST", "/batch/sum", body)
    fields = json.loads(text)
    assert (status, list(fields)) == (400, ["kind", "message", "faults"])
    assert [fault["message"].partition("\n")[0] for fault in fields["faults"]] == [
        "delimited_files: batch_size: must be greater than or equal to 1 (got 0)",
        "workers: must be greater than or equal to 1 (got 0)",
        "priority: must be greater than or equal to 0 (got -1)",
        "delimited_files: no s3 files match search criteria",
    ]


async def test_a_body_of_the_largest_size_is_accepted(stage: JobStage) -> None:
    items = "[" + ",".join(['"' + "x" * 200_000 + '"'] * 52) + "]"
    body = f'{{"workers":1,"item_list":{{"batch_size":1,"items":{items}}}}}'.encode()
    body += b" " * ((10 << 20) - len(body))
    async with stage.served() as http:
        assert (await call(http, "POST", "/batch/sum", body))[0] == 200


async def test_large_submissions_wait_for_each_other(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_body, "MAX_LARGE", 0)
    monkeypatch.setattr(job_body, "TURN_TIMEOUT_S", 0.01)
    async with stage.served() as http:
        status, kind, message = await error(http, "POST", "/batch/sum", b" " * 300_000)
        assert (status, kind) == (503, "error")
        assert message == "0 large submissions are being read already: try again"
        assert (await call(http, "POST", "/batch/sum", SUBMISSION))[0] == 200


async def test_clients_that_announce_large_bodies_and_send_nothing_keep_no_one_waiting(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_body, "TURN_TIMEOUT_S", 0.01)
    async with stage.served() as http:
        base = http._base_url
        assert base is not None
        writers = []
        for _ in range(2 * job_body.MAX_LARGE):
            _, writer = await asyncio.open_connection(base.host, base.port)
            writer.write(b'POST /batch/sum HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"workers"')
            await writer.drain()
            writers.append(writer)
        body = json.dumps(SUBMISSION).encode() + b" " * 300_000
        assert (await call(http, "POST", "/batch/sum", body))[0] == 200
        for writer in writers:
            writer.close()


async def test_a_large_body_that_stops_arriving_gives_its_turn_away(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_body, "SLACK_S", 0.0)
    monkeypatch.setattr(job_body, "MIN_BYTES_PER_S", 1e9)

    async def stalled() -> AsyncIterator[bytes]:
        yield b" " * 300_000
        await asyncio.Event().wait()

    async with stage.served() as http, http.post("/batch/sum", data=stalled()) as answer:
        assert answer.status == 503
        assert json.loads(await answer.text())["message"] == "the body arrives too slowly"


DRY = "/batch/sum?dryRun="


@pytest.mark.parametrize("value", ["1", "t", "T", "true", "TRUE", "True"])
async def test_a_dry_run_lists_the_files_and_stores_nothing(stage: JobStage, value: str) -> None:
    stage.buckets.add("files", "a/1.json", "a/2.txt", "b", "folder/")
    files = {"s3_paths": ["s3://files/b", "s3://files"], "excludes": ["**.txt"], "batch_size": 1}
    async with stage.served() as http:
        found = await call(http, "POST", f"{DRY}{value}", {"workers": 1, "file_path_lister": files})
        assert found == (200, "text/plain", "s3://files/b\ns3://files/a/1.json\ns3://files/b\nvalidations passed")
        assert await call(http, "POST", f"{DRY}{value}", SUBMISSION) == (200, "text/plain", "validations passed")
    assert stage.store.journal == []


async def test_a_dry_run_of_many_files_is_streamed(stage: JobStage) -> None:
    keys = [f"{'k' * 200}{number:05}" for number in range(2000)]
    stage.buckets.add("files", *keys)
    body = {"workers": 1, "delimited_files": {"s3_paths": ["s3://files"], "batch_size": 1}}
    async with stage.served() as http:
        status, _, text = await call(http, "POST", f"{DRY}true", body)
    assert status == 200
    assert text == "".join(f"s3://files/{key}\n" for key in keys) + "validations passed"


class EndlessStore(MemoryStore):
    """A store with one page of files, and any number of pages without one after it."""

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        await asyncio.sleep(0)
        page = await super().list_page(prefix)
        return ListedPage(objects=() if token else page.objects, next_token="more")


@pytest.mark.parametrize("is_long", [False, True])
async def test_a_dry_run_without_end_is_given_up(
    stage: JobStage, is_long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_dry_run, "TIMEOUT_S", 0.05)
    stage.buckets.stores["files"] = EndlessStore()
    stage.buckets.stores["files"].seed([("k" * 900 + str(number), b"x") for number in range(100 if is_long else 1)])
    body = {"workers": 1, "delimited_files": {"s3_paths": ["s3://files"], "batch_size": 1}}
    async with asyncio.timeout(10), stage.served() as http:
        if is_long:
            with pytest.raises(ClientPayloadError):
                await call(http, "POST", f"{DRY}true", body)
        else:
            message = "the files could not be listed in 0.05 s: name longer prefixes in s3_paths"
            assert await error(http, "POST", f"{DRY}true", body) == (503, "error", message)


async def test_a_fault_of_a_dry_run_is_plain_text(stage: JobStage) -> None:
    stage.buckets.add("files")
    body = {"workers": 1, "delimited_files": {"s3_paths": ["s3://files"], "batch_size": 1}}
    async with stage.served() as http:
        text = "\ndelimited_files: no s3 files match search criteria\n"
        assert await call(http, "POST", f"{DRY}true", body) == (400, "text/plain", text)
        text = f"\nworkers: must be greater than or equal to 1 (got 0){HINT}\n"
        assert await call(http, "POST", f"{DRY}true", SUBMISSION | {"workers": 0}) == (400, "text/plain", text)
        assert (await error(http, "POST", f"{DRY}true", b"{"))[1] == "error"


@pytest.mark.parametrize("value", ["", "yes", "0", "TRUE "])
async def test_other_values_are_no_dry_run(stage: JobStage, value: str) -> None:
    async with stage.served() as http:
        assert (await call(http, "POST", f"{DRY}{value}", SUBMISSION))[1] == "application/json"
    assert len(stage.store.journal) == 3


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


async def test_many_submissions_at_once_have_an_id_each(stage: JobStage) -> None:
    async with stage.served() as http:
        found = await asyncio.gather(*(call(http, "POST", "/batch/sum", SUBMISSION) for _ in range(50)))
    ids = {json.loads(text)["job_id"] for _, _, text in found}
    assert len(ids) == 50
    assert {
        parse_spec(body).job_id for key, (body, _) in stage.store.objects.items() if key.endswith("spec.json")
    } == ids
