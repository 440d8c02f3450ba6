"""Commands that ask once, against the gateway itself and against canned answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.client.stage import answer, canned, events, refusal, status_fields
from tests.gateway.jobs import SUBMISSION, JobStage
from tests.jobs.stage import JOB, job_spec, seed_job
from tests.jobs_command.stage import call

EVIL = "\x1b[2J\x9b\u202e"


@asynccontextmanager
async def served(stage: JobStage) -> AsyncIterator[str]:
    async with stage.served() as http:
        yield str(http._base_url).rstrip("/")


@pytest.fixture
def submission(tmp_path: Path) -> str:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(SUBMISSION))
    return str(path)


async def test_a_submission_prints_the_id_of_the_job(stage: JobStage, submission: str) -> None:
    async with served(stage) as url:
        done = await call(url, "submit", "sum", submission)
        assert (done.status, done.err) == (0, "")
        status = await call(url, "status", "sum", done.out.strip(), "--json")
        assert json.loads(status.out)["job_status"]["job_id"] == done.out.strip()
        spec = json.loads((await call(url, "submit", "sum", submission, "--json")).out)
        assert spec["api_name"] == "sum"


async def test_each_fault_of_a_submission_is_a_line(stage: JobStage, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text('{"workers": 0, "timeout": 0, "item_list": {"items": [1], "batch_size": 0}}')
    async with served(stage) as url:
        done = await call(url, "submit", "sum", str(file), "--json")
    assert done.status == 1
    first, *faults = done.err.splitlines()
    assert first == "dequeuer jobs: the gateway refused the submission: 3 faults"
    assert [fault.partition(":")[0] for fault in faults] == ["  item_list", "  workers", "  timeout"]
    assert [fault["message"] for fault in json.loads(done.out)["faults"]] == [fault[2:] for fault in faults]


async def test_a_dry_run_lists_the_files(stage: JobStage, tmp_path: Path) -> None:
    stage.buckets.add("b", "1", "2\x1b")
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"workers": 1, "file_path_lister": {"s3_paths": ["s3://b/"], "batch_size": 1}}))
    async with served(stage) as url:
        done = await call(url, "submit", "sum", str(file), "--dry-run")
        assert done.lines == ["s3://b/1", "s3://b/2\\x1b"]
        assert done.err == "dequeuer jobs: the submission is valid; nothing was submitted\n"
        programs = await call(url, "submit", "sum", str(file), "--dry-run", "--json")
    assert [json.loads(line) for line in programs.lines] == [
        {"file": "s3://b/1"},
        {"file": "s3://b/2\x1b"},
        {"valid": True},
    ]


async def test_jobs_are_listed_for_people_and_for_programs(stage: JobStage) -> None:
    for number in range(3):
        seed_job(stage.store, "pending", spec=job_spec(f"67e3b0f1a2c4d5e{number}"))
    async with served(stage) as url:
        people = await call(url, "list", "sum", "--limit", "2")
        programs = await call(url, "list", "sum", "--json")
    assert [line.split()[:2] for line in people.lines] == [
        ["JOB", "STATUS"],
        ["67e3b0f1a2c4d5e0", "pending"],
        ["67e3b0f1a2c4d5e1", "pending"],
    ]
    assert [json.loads(line)["job_id"][-1] for line in programs.lines] == ["0", "1", "2"]


async def test_a_job_is_paused_resumed_and_stopped(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running")
    async with served(stage) as url:
        assert (await call(url, "pause", "sum", JOB)).out == f"paused job {JOB}\n"
        assert "running (paused)" in (await call(url, "status", "sum", JOB)).out
        assert json.loads((await call(url, "resume", "sum", JOB, "--json")).out) == {"message": f"resumed job {JOB}"}
        assert (await call(url, "stop", "sum", JOB)).out == f"stopped job {JOB}\n"
        assert keys.stop in stage.store.objects
        unknown = await call(url, "stop", "sum", "67e3b0f1a2c4d5ff", "--json")
    assert unknown.status == 1
    assert "unable to find BatchAPI job" in unknown.err
    assert json.loads(unknown.out)["faults"][0]["kind"] == "job.not_found"


async def test_a_task_has_the_same_commands(stage: JobStage, tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text("{}")
    async with served(stage) as url:
        job_id = (await call(url, "submit", "train", str(file))).out.strip()
        assert "train (TaskAPI)" in (await call(url, "status", "train", job_id)).out
        assert (await call(url, "list", "train", "--kind", "task")).lines[1].startswith(job_id)
        assert (await call(url, "status", "train", job_id, "--kind", "batch")).status == 1


@pytest.mark.parametrize("terminal", [False, True])
async def test_text_of_a_hostile_server_cannot_act_on_a_terminal(submission: str, terminal: bool) -> None:
    refused = refusal(EVIL, f"workers {EVIL}", kind=EVIL)
    listed = answer([status_fields(EVIL, api_name=EVIL, error={"message": EVIL})])
    reported = answer({"job_status": status_fields(EVIL, kind=EVIL), "message": EVIL, "x": EVIL})
    for response in (refused, listed, reported, answer(b"", 302, Location="\x9b")):
        async with canned(response) as gateway:
            for line in (["list", "sum"], ["status", "sum", JOB], ["pause", "sum", JOB], ["submit", "sum", submission]):
                for more in ([], ["--json"]) if terminal else ([],):
                    done = await call(gateway.url, *line, *more, terminal=terminal)
                    assert all(shown.isprintable() for shown in done.lines + done.err.splitlines())


async def test_a_submission_that_was_lost_is_not_called_refused(submission: str) -> None:
    async with canned(b"HTTP/1.1 2") as gateway:
        lost = await call(gateway.url, "submit", "sum", submission)
    assert (lost.status, lost.out) == (7, "")
    assert "may have accepted the job, or not: look at `dequeuer jobs list sum` before" in lost.err
    async with canned(answer({"kind": "error", "message": "S3 is away"}, 503)) as gateway:
        busy = await call(gateway.url, "submit", "sum", submission)
    assert busy.status == 7
    assert "the job was not accepted; submit it again later\ndequeuer jobs: S3 is away\n" in busy.err


async def test_a_job_that_is_submitted_is_followed_to_its_end(submission: str) -> None:
    spec, followed = answer({"job_id": JOB}), events(status_fields(), status_fields("completed_with_failures"))
    async with canned(spec, followed) as gateway:
        people = await call(gateway.url, "submit", "sum", submission, "--wait")
    assert people.status == 3
    first, *lines = people.lines
    assert first == JOB
    assert [line[11:] for line in lines] == ["running, 3 in the queue", "completed_with_failures, 3 in the queue"]
    async with canned(spec, followed) as gateway:
        programs = await call(gateway.url, "submit", "sum", submission, "--wait", "--json")
    assert programs.status == 3
    assert json.loads(programs.out) == status_fields("completed_with_failures")
    assert programs.err == f"dequeuer jobs: submitted job {JOB}\n"
