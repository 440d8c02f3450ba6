"""Submissions of jobs over HTTP: what is answered and stored, faults, bodies, dry runs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientPayloadError

from dequeuer.formats.go_time import parse_time
from dequeuer.gateway import job_body, job_dry_run
from dequeuer.jobs.job_id import created_ns
from dequeuer.jobs.spec import parse_spec
from dequeuer.sinks.base import ListedPage
from tests.fakes import MemoryStore
from tests.gateway.jobs import SUBMISSION, JobStage, call, error

HINT = "\n\njob submission schema can be found at https://docs.cortexlabs.com/v/0.42/"

pytestmark = pytest.mark.usefixtures("no_pauses")


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


async def test_many_submissions_at_once_have_an_id_each(stage: JobStage) -> None:
    async with stage.served() as http:
        found = await asyncio.gather(*(call(http, "POST", "/batch/sum", SUBMISSION) for _ in range(50)))
    ids = {json.loads(text)["job_id"] for _, _, text in found}
    assert len(ids) == 50
    assert {
        parse_spec(body).job_id for key, (body, _) in stage.store.objects.items() if key.endswith("spec.json")
    } == ids
