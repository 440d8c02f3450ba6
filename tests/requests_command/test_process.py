"""The commands as processes: exit statuses, streams, signals, pipes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.client.stage import HOLD, Held, answer, canned
from tests.commands.stage import (
    ROOT,
    Ended,
    ended,
    needs_proc,
    peak_kib,
    run,
    run_with_full_disk,
    size_of_parts,
    start,
)
from tests.integration.waiting import eventually
from tests.requests_command.stage import ONE, document

RESULT = b'{"n": 1,\n "text": "\\u001b \xe2\x98\x83"}\n' + b" " * 200_000


def with_result(result: bytes) -> bytes:
    return answer(b'{"id":"%b","status":"completed","result":%b}' % (ONE.encode(), result))


async def test_a_result_is_byte_for_byte_that_of_the_container() -> None:
    async with canned(with_result(RESULT.strip())) as gateway:
        done = await run("result", "hello", ONE, "--gateway", gateway.url)
        assert (done.status, done.out.encode(), done.err) == (0, RESULT.strip(), "")
    async with canned(answer({"id": ONE}), with_result(b"[1]")) as gateway:
        done = await run("submit", "hello", "--wait", "--gateway", gateway.url, stdin=b"\x00")
    assert done == Ended(0, "[1]", f"dequeuer submit: submitted request {ONE}\n")
    assert gateway.requests[0] == ("POST /hello", b"\x00")


LARGE = answer(b'{"id":"%b","status":"completed","result_bytes":%d}' % (ONE.encode(), 64 << 20))


async def test_a_large_result_is_printed_as_it_comes() -> None:
    result = b'"' + b"x" * (300_000) + b'"'
    told = answer(document(result_bytes=len(result)))
    begin = b'{"id":"%b","status":"completed","result":' % ONE.encode()
    whole = answer(begin + result + b',"timestamp":"2026-11-27T18:32:47Z"}')
    async with canned(told, whole) as gateway:
        done = await run("result", "hello", ONE, "--gateway", gateway.url)
    assert (done.status, done.out.encode(), done.err) == (0, result, "")
    async with canned(told, whole[:-200_000]) as gateway:
        cut = await run("result", "hello", ONE, "--gateway", gateway.url)
    assert cut.status == 7
    assert result.startswith(cut.out.encode())
    again = f"`dequeuer result hello {ONE} --output FILE` tries again"
    assert cut.err.startswith(f"dequeuer result: the result is cut off here; {again}\n")


@needs_proc
async def test_a_large_result_is_in_memory_in_pieces_alone(tmp_path: Path) -> None:
    whole = answer(b'{"id":"%b","status":"completed","result":%b}' % (ONE.encode(), b"x" * (64 << 20)))
    async with canned(LARGE, Held(whole[: -(1 << 20)])) as gateway:
        process = await start("result", "hello", ONE, "--gateway", gateway.url, "--output", str(tmp_path / "result"))
        await asyncio.to_thread(eventually, lambda: size_of_parts(tmp_path) > 62 << 20, "nearly all of it")
        peak = peak_kib(process.pid)
        process.send_signal(signal.SIGINT)
        assert (await ended(process)).status == 130
    assert peak < 80 << 10  # of that, 41 MiB are Python and its libraries


async def test_each_status_is_printed_as_it_comes() -> None:
    async with canned(answer(document()), HOLD) as gateway:
        process = await start("status", "hello", ONE, ONE, "--json", "--gateway", gateway.url)
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert ONE.encode() in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert (await ended(process)).status == 130


async def test_no_gateway_is_said_at_once() -> None:
    async with canned(HOLD) as gateway:
        url = gateway.url
    done = await run("list", "hello", env={"DEQUEUER_GATEWAY_URL": url})
    assert (done.status, done.out) == (7, "")
    assert done.err.startswith(f"dequeuer list: nothing can be reached at {url} (")
    unset = await run("list", "hello")
    assert (unset.status, unset.out) == (2, "")
    assert unset.err.startswith("dequeuer list: DEQUEUER_GATEWAY_URL (or --gateway): is missing; allowed: a URL")


async def test_the_token_is_that_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    await asyncio.to_thread(file.write_text, "abc.def\n")
    async with canned(answer({"requests": []})) as gateway:
        env = {"DEQUEUER_GATEWAY_URL": gateway.url, "DEQUEUER_TOKEN_FILE": "/nonexistent"}
        missing = await run("list", "hello", env=env)
        assert (missing.status, gateway.requests) == (2, [])
        assert (await run("list", "hello", env=env | {"DEQUEUER_TOKEN_FILE": str(file)})).status == 0
    assert "\r\nAuthorization: Bearer abc.def\r\n" in gateway.heads[0]
    assert missing.err.startswith("dequeuer list: /nonexistent: cannot be read")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_during_a_wait_says_that_the_request_goes_on(number: signal.Signals) -> None:
    async with canned(HOLD) as gateway:
        process = await start("wait", "hello", ONE, "--gateway", gateway.url)
        await asyncio.wait_for(gateway.asked.wait(), 60)
        process.send_signal(number)
        done = await ended(process)
    assert (done.status, done.out) == (128 + number, "")
    assert done.err == (
        f"dequeuer wait: stopped waiting. Request {ONE} goes on: `dequeuer wait hello {ONE}` waits again, "
        f"`dequeuer cancel hello {ONE}` cancels\n"
    )


async def test_a_signal_during_a_submission_says_that_it_may_be_accepted() -> None:
    async with canned(HOLD) as gateway:
        process = await start("submit", "hello", "--data", "1", "--gateway", gateway.url)
        await asyncio.wait_for(gateway.asked.wait(), 60)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done.status == 130
    assert "may have accepted the request, or not: look at `dequeuer list hello`" in done.err


async def test_lines_that_never_end_are_submitted_as_they_come_and_do_not_hold_a_signal() -> None:
    async with canned(answer({"id": ONE})) as gateway:
        process = await start("submit", "hello", "--lines", "--gateway", gateway.url, stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"1\n2")
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == f"{ONE}\n".encode()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
        done = await ended(process)
    assert "1 request accepted by now, perhaps up to 8 more: `dequeuer list hello` shows them" in done.err
    assert [body for _, body in gateway.requests] == [b"1"]


@pytest.mark.parametrize("line", [f"result hello {ONE}", f"status hello {ONE} --json"])
async def test_a_full_disk_is_an_error(line: str) -> None:
    async with canned(with_result(RESULT)) as gateway:
        done = await run_with_full_disk(*line.split(), "--gateway", gateway.url)
    assert done.status == 1
    assert "No space left on device" in done.err


async def test_a_reader_that_has_gone_ends_the_command_quietly() -> None:
    async with canned(answer({"requests": [document(x="x" * 100_000)] * 20})) as gateway:
        process = await start("list", "hello", "--json", "--gateway", gateway.url)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        async with asyncio.timeout(60):
            assert await process.wait() == 141
        assert await process.stderr.read() == b""


async def test_help_needs_no_http_client() -> None:
    code = "import sys\nfrom dequeuer.cli import main\ntry:\n    main(['submit', '--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    done, _ = await process.communicate()
    assert b"aiohttp" not in done.split()
    assert b"dequeuer.requests_command.arguments" in done.split()
