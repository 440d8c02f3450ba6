"""`python -m dequeuer dev` as a process. Needs ministack: the `dev` extra, or on PATH."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dequeuer.process.ports import free_ports
from tests.process.test_child_process import is_alive

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 240
"""It takes about six seconds; a loaded machine may take much longer."""

CONTAINER = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        status = int(sys.argv[2])
        body = b'{"pid": %d, "answer": 42}' % os.getpid()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

print("account", os.environ["AWS_ACCESS_KEY_ID"], os.environ.get("AWS_PROFILE"), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    status: int
    out: str
    err: str

    def states(self) -> dict[str, list[str]]:
        """States by row, in the order in which they were shown."""
        found: dict[str, list[str]] = {}
        for name, state in re.findall(r"^  ([0-9a-f-]{16,36})  (\w+) +\d+\.\d s", self.out, re.MULTILINE):
            found.setdefault(name, []).append(state)
        return found


async def start(
    *line: str, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dequeuer", "dev", *line),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # From the source tree its processes find each other without this variable.
        env={**os.environ, "PYTHONPATH": "" if folder is None else str(ROOT), **(env or {})},
        cwd=folder or ROOT,
    )


async def dev(*line: str, env: Mapping[str, str] | None = None, folder: Path | None = None) -> Ended:
    process = await start(*line, env=env, folder=folder)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return Ended(status=process.returncode, out=out.decode(), err=err.decode())


@pytest.mark.parametrize("queue", ["fifo", "standard"])
async def test_requests_are_completed_by_the_container(queue: str) -> None:
    ended = await dev("--once", "--samples", "4", "--queue", queue)
    assert (ended.status, ended.err) == (0, "")
    states = ended.states()
    assert len(states) == 4
    for name, shown in states.items():
        assert re.fullmatch(r"[0-9a-f-]{36}", name)
        assert (shown[0], shown[-1]) == ("in_queue", "completed")
    assert re.search(r'completed +\d+\.\d s  \{"echo": \{"text": "good morning", "sample": 1\}', ended.out)
    assert "4 of 4 samples came out" in ended.out


async def test_a_job_runs_to_its_end() -> None:
    ended = await dev("--once", "--kind", "batch", "--samples", "2")
    assert (ended.status, ended.err) == (0, "")
    (states,) = ended.states().values()
    assert states[-1] == "completed_with_failures"
    assert "6 of 6 items, 1 failed" in ended.out
    found = re.findall(r'^  \{"index":(\d+),"(result|error)":', ended.out, re.MULTILINE)
    assert found == [(str(index), "error" if index == 2 else "result") for index in range(6)]
    assert len(re.findall(r"^sample worker-[01].api \| /on-job-complete", ended.out, re.MULTILINE)) == 1
    assert "the job ended as it should: 1 item asks for a failure" in ended.out


async def test_a_job_runs_with_the_users_command_in_the_folder_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(CONTAINER)
    command = (sys.executable, "server.py", "$(CORTEX_PORT)", "200")
    line = ("--once", "--kind", "batch", "--workers", "1", "--payload", "[1, 2]", "--", *command)
    ended = await dev(*line, folder=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert "the job ended as succeeded" in ended.out


async def test_a_job_whose_container_does_not_start_makes_it_fail_with_the_reason() -> None:
    command = (sys.executable, "-c", "print('no model file'); raise SystemExit(3)")
    ended = await dev("--once", "--kind", "batch", "--", *command)
    assert ended.status == 1
    assert "sample worker-0.api | no model file" in ended.out
    assert "the job ended as worker_error" in ended.out


async def test_the_users_container_is_started_used_and_stopped_and_knows_no_real_account() -> None:
    (port,) = free_ports(1)
    command = (sys.executable, "-c", CONTAINER, str(port), "200")
    production = {"AWS_PROFILE": "production", "AWS_ACCESS_KEY_ID": "AKIAPRODUCTION", "AWS_USE_FIPS_ENDPOINT": "true"}
    ended = await dev("--once", "--samples", "1", "--user-port", str(port), "--", *command, env=production)
    assert (ended.status, ended.err) == (0, "")
    assert "container | account test None" in ended.out
    pid = re.search(r'\{"pid": (\d+), "answer": 42\}', ended.out)
    assert pid is not None
    assert not is_alive(int(pid[1]))


async def test_a_container_that_fails_makes_it_fail() -> None:
    (port,) = free_ports(1)
    command = (sys.executable, "-c", CONTAINER, str(port), "500")
    ended = await dev("--once", "--samples", "2", "--user-port", str(port), "--", *command)
    assert ended.status == 1
    assert [shown[-1] for shown in ended.states().values()] == ["failed", "failed"]
    assert ended.out.count("the container answered 500, not 200") == 2
    assert "0 of 2 samples came out, 2 failed" in ended.out


async def test_a_container_that_exits_is_reported_with_its_last_lines() -> None:
    (port,) = free_ports(1)
    command = (sys.executable, "-c", "print('no model file'); raise SystemExit(3)")
    ended = await dev("--once", "--user-port", str(port), "--", *command)
    assert ended.status == 1
    assert ended.err == "dequeuer dev: container ended with exit status 3. Its last lines:\n    no model file\n"


async def test_a_port_in_use_is_reported_before_anything_starts() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ended = await dev("--once", "--port", str(port))
    assert (ended.status, ended.out) == (1, "")
    assert f"port {port} (the gateway's) is in use" in ended.err


async def test_it_runs_until_ctrl_c_and_no_process_remains() -> None:
    process = await start("--samples", "1")
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not lines or "Ctrl-C ends it" not in lines[-1]:
                raw = await process.stdout.readline()
                assert raw, lines
                lines.append(raw.decode())
            children = children_of(process.pid)
            assert len(children) == 6  # with the page and the watchdog
            process.send_signal(signal.SIGINT)
            rest, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.communicate()
        raise
    assert (process.returncode, err) == (0, b"")
    assert b"stopping" in rest
    assert any(line.startswith("  curl -X POST http://127.0.0.1:") for line in lines)
    assert not [pid for pid in children if is_alive(pid)]


def children_of(parent: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names, not paths
        try:
            with open(f"/proc/{int(entry)}/stat") as stat:  # noqa: PTH123 - a pseudo file
                fields = stat.read().rpartition(")")[2].split()
        except (ValueError, OSError):
            continue
        if int(fields[1]) == parent:
            found.append(int(entry))
    return found
