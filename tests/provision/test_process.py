"""The command as a process: signals, and readers that read no more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.provision.stage import ASYNC, REGION
from tests.tcp_server import tcp_server

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(ROOT),
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_run_that_waits_for_aws(number: signal.Signals) -> None:
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await asyncio.Event().wait()

    async with tcp_server(hang) as port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dequeuer", "provision", *ASYNC),
            env={**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
            stderr=asyncio.subprocess.PIPE,
        )
        await asked.wait()
        process.send_signal(number)
        _, error = await process.communicate()
    assert process.returncode == 128 + number
    assert error == b"dequeuer provision: stopped; run it again, and it goes on\n"


async def test_a_reader_that_reads_no_more_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dequeuer", "provision", *ASYNC, "--format", "terraform"),
        env=ENVIRONMENT,
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    _, error = await process.communicate()
    assert (process.returncode, error) == (141, b"")
