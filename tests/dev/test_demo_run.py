from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dequeuer.dev import sample_realtime_container
from dequeuer.dev.addresses import Addresses
from dequeuer.dev.demo_run import DemoRun
from dequeuer.dev.display import DEMO_WIDTHS, PlainDisplay
from dequeuer.dev.errors import DevError
from dequeuer.dev.job_logs import JobLogs
from dequeuer.dev.options import parse
from dequeuer.dev.project import load_project
from dequeuer.dev.project_stack import ReadyProject
from dequeuer.dev.sample_project import write_demo_project


class Gateway:
    """Ends each request and the job as told, and answers calls as the sample container does."""

    def __init__(self, *ends: str, job: str = "completed_with_failures") -> None:
        self.ends = ends
        self.job = job
        self.payloads: list[Any] = []
        self.submitted = asyncio.Event()

    async def submit(self, request: web.Request) -> web.Response:
        self.payloads.append(await request.json())
        if len(self.payloads) > len(self.ends):
            self.submitted.set()
        return web.json_response({"id": str(len(self.payloads) - 1)})

    async def report(self, request: web.Request) -> web.Response:
        end = self.ends[int(request.match_info["id"])]
        what = {"result": 1} if end == "completed" else {"error": {"message": "no luck"}}
        return web.json_response({"status": end, "attempts": [{}, {}], **what})

    async def submit_job(self, request: web.Request) -> web.Response:
        assert len((await request.json())["item_list"]["items"]) == 9
        return web.json_response({"job_id": "1" * 16})

    async def report_job(self, _request: web.Request) -> web.Response:
        progress = {"items_done": 9, "items_total": 9, "items_failed": 1}
        return web.json_response({"job_status": {"status": self.job, "progress": progress}})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/text", self.submit)
        app.router.add_get("/text/{id}", self.report)
        app.router.add_post("/batch/items", self.submit_job)
        app.router.add_get("/batch/items", self.report_job)
        app.add_subapp("/hello", sample_realtime_container.make_app())
        return app


async def run(gateway: Gateway, folder: Path, *arguments: str) -> tuple[int, list[str]]:
    stream = io.StringIO()
    options = parse(["--demo", *arguments])
    project = load_project(str(write_demo_project(folder, options.workers)), lambda _: None)
    demo = DemoRun(options, PlainDisplay(stream, DEMO_WIDTHS), in_order=True)
    async with TestServer(gateway.app(), host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        assert server.port is not None
        ready = ReadyProject(
            project=project,
            addresses=Addresses(aws=1, gateway=server.port, admin=2, gateway_admin=3, ui=5, user=4),
            session=session,
            logs=JobLogs(folder, lambda *_: None),
            work_folder=folder,
            followed=set(),
            page_url="http://127.0.0.1:5/",
        )
        running = asyncio.create_task(demo(ready))
        ended = asyncio.create_task(gateway.submitted.wait())
        await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not running.done():  # its traffic has begun
            running.cancel()
            await asyncio.wait({running})
            return -1, stream.getvalue().splitlines()
        return running.result(), stream.getvalue().splitlines()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_realtime_container, "PAUSE_S", 0.0)


EXPECTED = ("completed", "completed", "failed")


async def test_all_kinds_are_shown_in_order_and_it_ends_with_status_0(tmp_path: Path) -> None:
    gateway = Gateway(*EXPECTED)
    status, lines = await run(gateway, tmp_path, "--once")
    assert status == 0
    assert [payload.get("fails") for payload in gateway.payloads] == [None, "once", "always"]
    rows = [line for line in lines if " s  " in line]
    assert [row.split("  ")[1] for row in rows] == ["hello", "hello", "hello", "text", "text", "text", "items"]
    assert re.fullmatch(r"  text   a request that always fails  failed +\d+\.\d s  2 attempts: no luck", rows[5])
    assert lines[-2:] == [
        "all of it as it should be",
        "page: http://127.0.0.1:5/ (it ends now; --stay keeps it until Ctrl-C)",
    ]


@pytest.mark.parametrize(
    ("ends", "job"),
    [
        (("completed", "completed", "completed"), "completed_with_failures"),
        (("completed", "failed", "failed"), "completed_with_failures"),
        (EXPECTED, "succeeded"),
    ],
)
async def test_what_does_not_come_out_as_it_should_is_said_with_status_1(
    ends: tuple[str, ...], job: str, tmp_path: Path
) -> None:
    status, lines = await run(Gateway(*ends, job=job), tmp_path, "--once")
    assert (status, lines[-2]) == (1, "not all of it is as it should be")


async def test_it_stays_and_sends_traffic(tmp_path: Path) -> None:
    gateway = Gateway(*EXPECTED)
    status, lines = await run(gateway, tmp_path)
    assert status == -1
    assert gateway.payloads[3] == {"text": "hello", "number": 1}
    assert "from now on, for 1 hour: a request to text each 4 s" in lines[-3]
    assert lines[-2:] == ["Ctrl-C ends it.", "page: http://127.0.0.1:5/"]


async def test_a_gateway_that_refuses_is_one_error(tmp_path: Path) -> None:
    class Refusing(Gateway):
        async def submit_job(self, request: web.Request) -> web.Response:
            return web.Response(status=400, text="no")

    gateway = Refusing(*EXPECTED)
    with pytest.raises(DevError, match="the gateway answered 400 to the sample job: no"):
        await run(gateway, tmp_path, "--once")
