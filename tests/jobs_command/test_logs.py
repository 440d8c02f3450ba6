from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from dequeuer.controller.launchers.local.log_file import LogFile
from tests.jobs.stage import JOB
from tests.jobs_command.stage import ended, run, start

FILES = {"enqueuer": "sent\n", "worker-0.api": "a\nb", "worker-0.sidecar": "c\n", "worker-1.api": "d\x1b[2J\xff\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "BatchAPI" / "sum" / JOB / "logs"
    path.mkdir(parents=True)
    for name, text in FILES.items():
        (path / f"{name}.log").write_bytes(text.encode("latin-1"))
    return path


async def test_the_logs_of_all_processes_are_printed(folder: Path, tmp_path: Path) -> None:
    process = await start("logs", "sum", JOB, env={"DEQUEUER_WORK_FOLDER": str(tmp_path)})
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out == (
        b"enqueuer | sent\nworker-0.api | a\nworker-0.api | b\nworker-0.sidecar | c\nworker-1.api | d\x1b[2J\xff\n"
    )


async def test_one_worker_is_chosen_and_its_last_lines(folder: Path, tmp_path: Path) -> None:
    done = await run("logs", "sum", JOB, "--worker", "0", "--tail", "1", "--work-folder", str(tmp_path))
    assert (done.status, done.out) == (0, "worker-0.api | b\nworker-0.sidecar | c\n")
    none = await run("logs", "sum", JOB, "--worker", "7", "--work-folder", str(tmp_path))
    assert (none.status, none.out) == (1, "")
    assert "has the worker been started?" in none.err


async def test_hostile_logs_cannot_act_on_a_terminal(folder: Path, tmp_path: Path) -> None:
    controller, terminal = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dequeuer", "jobs", "logs", "sum", JOB, "--worker", "1", "--work-folder", tmp_path),
        stdout=terminal,
    )
    os.close(terminal)
    with os.fdopen(controller, "rb", buffering=0) as reading:
        shown = await asyncio.to_thread(reading.read, 1000)
    assert await process.wait() == 0
    assert shown.decode() == "worker-1.api | d\\x1b[2J\N{REPLACEMENT CHARACTER}\r\n"


async def test_logs_are_followed_until_they_are_interrupted(folder: Path, tmp_path: Path) -> None:
    process = await start("logs", "sum", JOB, "-f", "--tail", "1", "--work-folder", str(tmp_path))
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"enqueuer | sent\n"
        log = LogFile(folder / "worker-2.api.log")
        log.write("new")
        log.write("newer")
        while (line := await process.stdout.readline()) != b"worker-2.api | new\n":
            assert line
        assert await process.stdout.readline() == b"worker-2.api | newer\n"
        LogFile(folder / "enqueuer.log").write("more")
        assert await process.stdout.readline() == b"enqueuer | more\n"
    process.send_signal(signal.SIGINT)
    assert (await ended(process)).status == 130


async def test_logs_of_another_machine_are_not_here(tmp_path: Path) -> None:
    done = await run("logs", "sum", JOB, "--work-folder", str(tmp_path))
    assert (done.status, done.out) == (2, "")
    assert f"has no logs of the job {JOB} of sum" in done.err
    assert "on its own machine" in done.err
    missing = await run("logs", "sum", JOB)
    assert missing.status == 2
    assert "DEQUEUER_WORK_FOLDER (or --work-folder): is missing" in missing.err
