from __future__ import annotations

import json

import pytest

from dequeuer.client.following import RECONNECT_BACKOFF
from dequeuer.jobs_command import calling, following
from tests.client.stage import HOLD, answer, canned, chunked, event, events, status_fields
from tests.jobs.stage import JOB
from tests.jobs_command.stage import call


async def test_changes_are_lines_where_there_is_no_terminal() -> None:
    changes = [status_fields(batches_in_queue=count) for count in range(100)]
    async with canned(
        events(status_fields("pending"), *changes, status_fields(paused=True), status_fields("stopped"))
    ) as g:
        done = await call(g.url, "watch", "sum", JOB)
    assert done.status == 4
    assert [line[11:].partition(",")[0] for line in done.lines] == ["pending", "running", "running (paused)", "stopped"]


async def test_progress_is_a_line_when_the_last_one_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LINE_INTERVAL_S", 0.0)
    changes = [status_fields(batches_in_queue=count) for count in (3, 2, 1)]
    async with canned(events(*changes, status_fields("succeeded", batches_in_queue=0))) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB)
    running = [f"running, {count} in the queue" for count in (3, 2, 1)]
    assert [line[11:] for line in done.lines] == [*running, "succeeded"]


async def test_the_error_of_a_job_is_printed_at_its_end() -> None:
    failed = status_fields("worker_error", error={"message": "no worker starts\nno module named \x1btorch"})
    async with canned(events(status_fields(), failed)) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB)
    assert done.status == 6
    assert done.lines[-2:] == ["no worker starts", "  no module named \\x1btorch"]


async def test_a_terminal_shows_the_job_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    async with canned(events(status_fields("pending"), status_fields("succeeded"))) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB, terminal=True)
    first, second = done.out.split("\x1b[J")[:2]
    assert "\x1b[Kstatus     pending\n" in first
    assert second.startswith(f"\x1b[{first.count(chr(10))}F")
    assert "\x1b[Kstatus     succeeded\n" in second


async def test_programs_get_every_change() -> None:
    changes = [status_fields(batches_in_queue=count) for count in range(10)] + [status_fields("timed_out")]
    async with canned(events(*changes)) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB, "--json")
    assert done.status == 5
    assert [json.loads(line) for line in done.lines] == changes


async def test_an_outage_is_told_and_survived() -> None:
    busy = answer({"kind": "error", "message": "S3 is away"}, 503)
    cut = chunked(event(status_fields()), whole=False)
    async with canned(cut, busy, busy, events(status_fields("succeeded"))) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB)
    assert done.status == 0
    assert done.err == "dequeuer jobs: S3 is away; trying again, the job goes on\n"


async def test_an_outage_without_end_says_that_the_job_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "OUTAGE_LIMIT_S", 0.0)
    monkeypatch.setattr("dequeuer.client.following.RECONNECT_BACKOFF", RECONNECT_BACKOFF)
    busy = answer({"kind": "error", "message": "S3 is away"}, 503)
    async with canned(chunked(event(status_fields()), whole=False), busy) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB)
    assert done.status == 7
    assert "trying again" not in done.err
    assert f"Job {JOB} goes on" in done.err


async def test_waiting_has_a_limit() -> None:
    async with canned(HOLD) as gateway:
        done = await call(gateway.url, "watch", "sum", JOB, "--timeout", "1")
    assert done.status == 8
    assert "waited for 1 s" in done.err
    assert f"`dequeuer jobs stop sum {JOB}` ends it" in done.err
