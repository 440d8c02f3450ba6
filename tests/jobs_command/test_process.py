"""The command as a process: exit statuses, standard output and standard error apart, signals, pipes."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import termios
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.client.stage import HOLD, answer, canned, chunked, events, refusal, status_fields
from tests.commands.stage import run_with_full_disk
from tests.integration.waiting import eventually
from tests.jobs.stage import JOB
from tests.jobs_command.stage import ROOT, ended, run, start

ENDS = {
    "succeeded": 0,
    "completed_with_failures": 3,
    "stopped": 4,
    "timed_out": 5,
    "enqueue_failed": 6,
    "worker_error": 6,
    "worker_oom": 6,
    "unexpected_error": 6,
}


@pytest.mark.parametrize(("state", "status"), ENDS.items())
async def test_the_exit_status_is_that_of_the_end_of_the_job(state: str, status: int) -> None:
    async with canned(events(status_fields(state))) as gateway:
        done = await run("watch", "sum", JOB, "--json", env={"DEQUEUER_GATEWAY_URL": gateway.url})
    assert (done.status, done.err) == (status, "")
    assert json.loads(done.out) == status_fields(state)


async def test_a_submission_comes_from_standard_input() -> None:
    async with canned(answer({"job_id": JOB})) as gateway:
        done = await run("submit", "sum", "-", "--gateway", gateway.url, stdin=b'{"workers":1}')
    assert (done.status, done.out, done.err) == (0, f"{JOB}\n", "")
    assert gateway.requests == [("POST /batch/sum", b'{"workers":1}')]


async def test_a_refusal_is_on_standard_error() -> None:
    async with canned(refusal("workers: no", "items: \x1b[2J")) as gateway:
        done = await run("submit", "sum", "-", "--gateway", gateway.url, stdin=b"{}")
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "dequeuer jobs: the gateway refused the submission: 2 faults\n  workers: no\n  items: \N{REPLACEMENT CHARACTER}[2J\n"
    )


async def test_no_gateway_is_said_at_once() -> None:
    async with canned(HOLD) as gateway:
        url = gateway.url
    for line in (["list", "sum"], ["watch", "sum", JOB], ["results", "sum", JOB], ["submit", "sum", os.devnull]):
        done = await run(*line, "--gateway", url)
        if line[0] == "submit":  # /dev/null is no regular file
            assert (done.status, "is no regular file" in done.err) == (2, True)
        else:
            assert (done.status, done.out) == (7, "")
            assert done.err.startswith(f"dequeuer jobs: nothing can be reached at {url} (")
    unset = await run("list", "sum")
    assert (unset.status, unset.out) == (2, "")
    assert unset.err.startswith("dequeuer jobs: DEQUEUER_GATEWAY_URL (or --gateway): is missing; allowed: a URL")
    wrong = await run("list", "sum", "--gateway", "ftp://x", env={"DEQUEUER_TYPO": "1"})
    assert wrong.status == 2
    assert len(wrong.err.splitlines()) == 2


async def test_ctrl_c_leaves_the_job_and_says_so() -> None:
    async with canned(HOLD) as gateway:
        process = await start("watch", "sum", JOB, "--gateway", gateway.url)
        await asyncio.wait_for(gateway.asked.wait(), 60)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert (done.status, done.out) == (130, "")
    assert done.err == (
        f"dequeuer jobs: Job {JOB} goes on: `dequeuer jobs watch sum {JOB}` follows it, "
        f"`dequeuer jobs stop sum {JOB}` ends it\n"
    )
    assert [line for line, _ in gateway.requests] == [f"GET /batch/sum/events?jobID={JOB}"]


async def test_ctrl_c_during_a_submission_says_that_it_may_be_accepted() -> None:
    async with canned(HOLD) as gateway:
        process = await start("submit", "sum", "-", "--gateway", gateway.url, stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(b"{}")
        process.stdin.write_eof()
        await asyncio.wait_for(gateway.asked.wait(), 60)
        process.send_signal(signal.SIGTERM)
        done = await ended(process)
    assert done.status == 143
    assert "the gateway may have accepted the job, or not" in done.err


def wait_for_reader(pid: int) -> None:
    """Wait until a process has a thread that reads."""
    eventually(lambda: len(list(Path(f"/proc/{pid}/task").iterdir())) > 1, "a thread")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_standard_input_that_never_ends_does_not_hold_a_signal(number: signal.Signals) -> None:
    process = await start("submit", "sum", "-", "--gateway", "http://127.0.0.1:1", stdin=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        await asyncio.to_thread(wait_for_reader, process.pid)
        process.send_signal(number)
        assert await process.wait() == 128 + number
    await process.communicate()


async def test_a_reader_that_has_gone_ends_the_command_quietly() -> None:
    line = b'{"index":0,"result":1}\n' * 1000
    async with canned(chunked(*[line] * 200)) as gateway:
        command = f"{sys.executable} -m dequeuer jobs results sum {JOB} --gateway {gateway.url}"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        done = await ended(process)
    assert (done.out, done.err) == ('{"index":0,"result":1}\n141\n', "")


async def test_a_list_for_a_reader_that_has_gone_ends_quietly() -> None:
    page = answer([status_fields(config={"x": "x" * 10_000})] * 20)
    async with canned(page) as gateway:
        process = await start("list", "sum", "--json", "--gateway", gateway.url)
        assert process.stdout is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        async with asyncio.timeout(60):
            assert await process.wait() == 141
        assert process.stderr is not None
        assert await process.stderr.read() == b""


@asynccontextmanager
async def unread(*line: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command whose standard output is a pipe that nobody reads, and that is full."""
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dequeuer", "jobs", *line),
            stdout=writing,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        os.close(writing)
        await asyncio.to_thread(eventually, lambda: is_full(reading), "the pipe to be full")
        yield process
        async with asyncio.timeout(60):
            await process.wait()
    finally:
        os.close(reading)


async def test_a_reader_that_reads_nothing_does_not_hold_a_signal() -> None:
    line = b'{"index":0,"result":1}\n' * 1000
    async with (
        canned(chunked(*[line] * 200)) as gateway,
        unread("results", "sum", JOB, "--gateway", gateway.url) as process,
    ):
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130


async def test_a_second_signal_ends_a_list_that_nobody_reads() -> None:
    page = answer([status_fields(config={"x": "x" * 100_000})] * 20)
    async with canned(page) as gateway, unread("list", "sum", "--json", "--gateway", gateway.url) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
    assert process.returncode in {130, 143}


HELD_BY_A_WRITE = """
import inspect, os, signal, threading, time
from dequeuer.commands.running import run_until_signal

reading, writing = os.pipe()

async def command():
    threading.Thread(target=interrupt, daemon=True).start()
    os.write(writing, bytes(1_000_000))
    return 0

def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    seen = inspect.getclosurevars(signal.getsignal(signal.SIGINT)).nonlocals["seen"]
    while not seen:
        time.sleep(0.001)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(1000)

os._exit(run_until_signal(command()))
"""


async def test_a_second_signal_that_the_kernel_gives_to_another_thread_ends_a_write_that_blocks() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HELD_BY_A_WRITE), env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        async with asyncio.timeout(60):
            assert await process.wait() == 143
    finally:
        if process.returncode is None:
            process.kill()


def is_full(descriptor: int) -> bool:
    """Return whether a pipe holds as much as it can: 64 KiB, less what does not fit whole."""
    size = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, size)
    return size[0] >= 60 * 1024


async def test_standard_input_that_is_closed_is_empty() -> None:
    async with canned(refusal("EOF")) as gateway:
        command = f"{sys.executable} -m dequeuer jobs submit sum - --gateway {gateway.url} <&-"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        done = await ended(process)
    assert (done.status, done.err) == (1, "dequeuer jobs: the gateway refused the submission: 1 fault\n  EOF\n")
    assert gateway.requests == [("POST /batch/sum", b"")]


async def test_a_full_disk_is_an_error() -> None:
    async with canned(chunked(b"x\n" * 1000)) as gateway:
        done = await run_with_full_disk("jobs", "results", "sum", JOB, "--gateway", gateway.url)
    assert done.status == 1
    assert "No space left on device" in done.err


async def test_a_stream_that_knows_few_characters_gets_escapes() -> None:
    async with canned(answer({"message": "paused \N{SNOWMAN}"})) as gateway:
        done = await run("pause", "sum", JOB, "--gateway", gateway.url, env={"PYTHONIOENCODING": "ascii"})
    assert (done.status, done.out, done.err) == (0, "paused \\u2603\n", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
async def test_json_is_json_on_a_stream_that_knows_few_characters(encoding: str) -> None:
    value = {"message": "gr\xfc\xdfe \N{SNOWMAN} \N{SNAKE}"}
    async with canned(answer(value)) as gateway:
        line = ("pause", "sum", JOB, "--json", "--gateway", gateway.url)
        done = await run(*line, env={"PYTHONIOENCODING": encoding})
    assert (done.status, json.loads(done.out), done.err) == (0, value, "")


async def test_help_needs_no_http_client_and_other_programs_do_not_load_the_command() -> None:
    code = "import sys\nsys.argv[1:] = {line!r}\nfrom dequeuer.cli import main\ntry:\n    main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    loaded = {}
    for line in (["jobs", "--help"], ["jobs", "logs", "sum", "1"], ["--help"], ["gateway", "--help"]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code.format(line=line)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        loaded[" ".join(line)] = (await ended_quietly(process)).split()
    assert "aiohttp" not in loaded["jobs --help"] + loaded["jobs logs sum 1"]
    for other in ("--help", "gateway --help"):
        assert not [
            name for name in loaded[other] if name.startswith(("dequeuer.jobs_command", "dequeuer.client.", "argparse"))
        ]


async def ended_quietly(process: asyncio.subprocess.Process) -> str:
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
