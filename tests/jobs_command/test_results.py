from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dequeuer.client.answers import Answer
from dequeuer.client.errors import GatewayAbsentError
from dequeuer.client.job_calls import JobCalls, Only
from dequeuer.commands.output import Output
from dequeuer.jobs_command.calling import run_call
from dequeuer.jobs_command.options import parse
from tests.client.stage import Held, answer, canned, chunked, refusal
from tests.commands.stage import needs_proc, peak_kib, size_of_parts
from tests.integration.waiting import eventually
from tests.jobs.stage import JOB
from tests.jobs_command.stage import Ended, call, ended, run, start

LINES = b"".join(b'{"index":%d,"result":"\xe2\x98\x83"}\n' % number for number in range(1000))
PIECES = [LINES[at : at + 999] for at in range(0, len(LINES), 999)]
WHOLE = chunked(*PIECES, media_type="application/x-ndjson")
CUT = chunked(*PIECES[:5], whole=False)
DEADLINE_S = 60


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The file of results; no other file is left beside it."""
    path = tmp_path / "results.jsonl"
    yield path
    assert [other for other in tmp_path.iterdir() if other != path] == []


def old(file: Path) -> None:
    file.write_bytes(b"old")


def content(file: Path) -> bytes:
    return file.read_bytes()


async def test_results_are_streamed_to_standard_output() -> None:
    async with canned(WHOLE) as gateway:
        done = await run("results", "sum", JOB, "--only", "results", "--gateway", gateway.url)
    assert (done.status, done.out.encode(), done.err) == (0, LINES, "")
    assert gateway.requests == [(f"GET /batch/sum/results?jobID={JOB}&only=results", b"")]


async def test_printed_results_that_are_cut_off_are_a_failure() -> None:
    async with canned(CUT) as gateway:
        done = await run("results", "sum", JOB, "--gateway", gateway.url)
    assert (done.status, done.out.encode()) == (7, b"".join(PIECES[:5]))
    assert "the results are cut off here" in done.err


async def test_a_file_is_replaced_when_it_is_whole(file: Path) -> None:
    old(file)
    async with canned(WHOLE) as gateway:
        assert await call(gateway.url, "results", "sum", JOB, "--output", str(file)) == Ended(0, "", "")
    assert content(file) == LINES


async def test_a_file_is_written_anew_after_a_cut(file: Path) -> None:
    busy = answer({"kind": "error", "message": "x"}, 503)
    async with canned(CUT, busy, WHOLE) as gateway:
        assert (await call(gateway.url, "results", "sum", JOB, "--output", str(file))).status == 0
    assert content(file) == LINES


@pytest.mark.parametrize(("response", "status"), [(CUT, 7), (refusal("no results", status=404), 1), (b"", 7)])
async def test_a_file_that_is_not_whole_replaces_nothing(file: Path, response: bytes, status: int) -> None:
    old(file)
    async with canned(response or b"HTTP/1.1") as gateway:
        assert (await call(gateway.url, "results", "sum", JOB, "--output", str(file))).status == status
    assert content(file) == b"old"


@pytest.mark.parametrize("first", [CUT, answer({"kind": "error", "message": "x"}, 503)], ids=["cut off", "busy"])
async def test_a_file_is_written_anew_when_the_gateway_is_restarted(
    file: Path, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    results, calls = JobCalls.results, 0

    async def away_at_the_second_call(jobs: JobCalls, job_id: str, only: Only | None) -> Answer:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise GatewayAbsentError("nothing listens")
        return await results(jobs, job_id, only)

    monkeypatch.setattr(JobCalls, "results", away_at_the_second_call)
    async with canned(first, WHOLE) as gateway:
        assert (await call(gateway.url, "results", "sum", JOB, "--output", str(file))).status == 0
    assert content(file) == LINES


async def test_an_address_at_which_nothing_listens_is_asked_once_for_a_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    async def absent(_jobs: JobCalls, _job_id: str, _only: Only | None) -> Answer:
        nonlocal calls
        calls += 1
        raise GatewayAbsentError("nothing listens")

    monkeypatch.setattr(JobCalls, "results", absent)
    done = await call("http://127.0.0.1:1", "results", "sum", JOB, "--output", str(file))
    assert (done.status, calls) == (7, 1)
    assert "is it the address of the gateway?" in done.err


@needs_proc
async def test_a_download_in_bounded_memory_that_is_interrupted_leaves_nothing(file: Path) -> None:
    old(file)
    pieces = [b"x" * (1 << 20)] * 100
    async with canned(Held(chunked(*pieces, whole=False))) as gateway:
        process = await start("results", "sum", JOB, "--gateway", gateway.url, "--output", str(file))
        await asyncio.to_thread(eventually, lambda: size_of_parts(file.parent) > 99 << 20, "nearly all of it")
        peak = peak_kib(process.pid)
        process.send_signal(signal.SIGINT)
        assert (await ended(process)).status == 130
    assert peak < 80 << 10  # of that, 41 MiB are Python and its libraries
    assert content(file) == b"old"


@pytest.mark.parametrize(("state", "told"), [("running", True), ("succeeded", False), ("stopped", False)])
@pytest.mark.parametrize("to_file", [False, True])
async def test_results_of_a_job_that_goes_on_are_called_so(file: Path, state: str, told: bool, to_file: bool) -> None:
    more = ["--output", str(file)] if to_file else []
    async with canned(chunked(LINES, X_Dequeuer_Job_Status=state)) as gateway:
        done = await run("results", "sum", JOB, "--gateway", gateway.url, *more)
    assert (done.status, content(file) if to_file else done.out.encode()) == (0, LINES)
    note = f"dequeuer jobs: the job has not ended ({state}): these are its results so far\n"
    assert done.err == (note if told else "")


async def test_a_full_disk_replaces_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    old(file)
    async with canned(WHOLE) as gateway:
        with pytest.raises(OSError, match=f"No space left on device: '{file}'"):
            await call(gateway.url, "results", "sum", JOB, "--output", str(file))
    assert content(file) == b"old"


async def test_a_slow_disk_does_not_hold_who_is_interrupted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, let_go, written = threading.Event(), threading.Event(), threading.Event()

    def slow(_descriptor: int) -> None:
        asked.set()
        let_go.wait(DEADLINE_S)
        written.set()

    monkeypatch.setattr(os, "fsync", slow)
    old(file)
    async with canned(WHOLE) as gateway:
        command = asyncio.create_task(call(gateway.url, "results", "sum", JOB, "--output", str(file)))
        try:
            assert await asyncio.to_thread(asked.wait, DEADLINE_S)
            command.cancel()
            with pytest.raises(asyncio.CancelledError):
                await command
            assert not written.is_set()
            assert [*file.parent.iterdir()] == [file]
        finally:
            let_go.set()
    assert content(file) == b"old"


async def test_the_file_may_have_the_longest_name_that_there_is(tmp_path: Path) -> None:
    file = tmp_path / ("\u00e9" * 127)
    async with canned(WHOLE) as gateway:
        await call(gateway.url, "results", "sum", JOB, "--output", str(file))
    assert content(file) == LINES


async def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link, target = tmp_path / "link", tmp_path / "folder" / "target"
    link.symlink_to(target)
    async with canned(WHOLE) as gateway:
        await call(gateway.url, "results", "sum", JOB, "--output", str(link))
    assert link.is_symlink()
    assert content(target) == LINES


@pytest.mark.parametrize(("name", "text"), [("", "no regular file"), ("none/x", "cannot be written (No such file")])
async def test_a_place_that_takes_no_file_is_said(tmp_path: Path, name: str, text: str) -> None:
    async with canned(WHOLE) as gateway:
        done = await run("results", "sum", JOB, "--gateway", gateway.url, "--output", str(tmp_path / name))
    assert done.status == 2
    assert text in done.err


async def test_results_in_a_terminal_cannot_act_on_it() -> None:
    controller, terminal = os.openpty()
    body = '{"a":"\x9b2J"}\n'.encode()
    with os.fdopen(controller, "rb", buffering=0) as reading, os.fdopen(terminal, "w") as stream:
        async with canned(chunked(body[:7], body[7:])) as gateway:
            output = Output(stream, io.StringIO())
            assert await run_call(parse(["results", "sum", JOB]), gateway.url, output) == 0
        shown = reading.read(1000)
    assert shown == b'{"a":"\\u009b2J"}\r\n'
