"""A server that speaks with the page as `dequeuer ui` does, and tells what a test makes up. It runs in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

import dequeuer
from dequeuer.ui.headers import add_headers
from dequeuer.ui.static_files import INDEX, LOGIN, load_static_files
from tests.integration.page.world import JOB_ID, Json, World

STATIC: Final = Path(dequeuer.__file__).parent / "ui" / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that changes something, as it came."""

    method: str
    path: str
    body: str
    content_type: str
    marker: str | None


class ContractServer:
    """The server. `world` may be changed at any time; `send` tells all pages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: list[Call] = []
        self.reads: list[str] = []
        self.refuses_streams = False
        self.wants_token = False
        self.is_silent = False
        self.url = ""
        self._files = load_static_files()
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="contract server", daemon=True)

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        assert self._started.wait(30), "the scripted server did not start"

    def stop(self) -> None:
        """Return when it has ended."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)

    def send(self, event: str, document: Json) -> None:
        """Send an event to all pages."""
        text = f"event: {event}\ndata: {json.dumps(document)}\n\n".encode()
        self._loop.call_soon_threadsafe(self._put, text)

    def end_streams(self) -> None:
        """End the streams of all pages."""
        self._loop.call_soon_threadsafe(self._put, None)

    @property
    def streams(self) -> int:
        """How many pages follow the events."""
        return len(self._streams)

    def _put(self, text: bytes | None) -> None:
        for stream in self._streams:
            stream.put_nowait(text)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.on_response_prepare.append(add_headers)
        app.router.add_get("/", self._page)
        app.router.add_get("/static/{name}", self._file)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/api/apis", self._apis)
        app.router.add_get("/api/apis/{api}/requests", self._requests)
        app.router.add_get("/api/apis/{api}/requests/{id}", self._request)
        app.router.add_get("/api/apis/{api}/requests/{id}/payload", self._payload)
        app.router.add_get("/api/apis/{api}/dead-letters", self._dead_letters)
        app.router.add_get("/api/apis/{api}/jobs", self._jobs)
        app.router.add_get("/api/apis/{api}/jobs/{id}", self._job)
        app.router.add_get("/api/apis/{api}/jobs/{id}/items", self._items)
        for method in ("POST", "PUT", "DELETE"):
            app.router.add_route(method, "/api/{rest:.*}", self._change)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._started.set()
        await self._stopping.wait()
        self._put(None)
        await runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        return self._files[LOGIN].response(401) if self.wants_token else self._files[INDEX].response()

    async def _file(self, request: web.Request) -> web.Response:
        return self._files[request.match_info["name"]].response()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.wants_token:
            return _fault(401, "the page needs its token: load it again")
        if self.refuses_streams:
            return _fault(503, "the gateway is away")
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        await answer.prepare(request)
        # The numbers stay those of one moment, but they come each second: without them the page takes the server for lost.
        last = json.dumps(self.world.snapshot())
        await answer.write(f"event: history\ndata: {json.dumps(self.world.history())}\n\n".encode())
        self._streams.add(stream)
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        if (text := await stream.get()) is None:
                            return answer
                        await answer.write(text)
                        continue
                if not self.is_silent:
                    await answer.write(f"event: snapshot\ndata: {last}\n\n".encode())
        except ConnectionError:
            return answer
        finally:
            self._streams.discard(stream)

    async def _apis(self, request: web.Request) -> web.Response:
        if self.wants_token:
            return _fault(401, "the page needs its token: load it again")
        apis = [{"name": api.name, "kind": api.kind, "endpoint": f"/{api.name}"} for api in self.world.apis]
        return web.json_response({"apis": apis})

    async def _requests(self, request: web.Request) -> web.Response:
        wanted = request.query.get("status")
        page, more = self._page_of(request, self.world.requests.get(request.match_info["api"], []))
        # As the gateway does: it lists a page and leaves out the others, so that a page may be empty with a next one.
        return web.json_response({"requests": [one for one in page if wanted in {None, one["status"]}], **more})

    async def _jobs(self, request: web.Request) -> web.Response:
        page, more = self._page_of(request, self.world.jobs.get(request.match_info["api"], []))
        return web.json_response({"jobs": page, **more})

    def _page_of(self, request: web.Request, found: list[Json]) -> tuple[list[Json], Json]:
        """Return the documents of a page, and the field for the next one."""
        self.reads.append(request.path_qs)
        first, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "20"))
        last = first + limit
        more: Json = {"next": str(last)} if last < len(found) else {}
        return found[first:last], more

    async def _request(self, request: web.Request) -> web.Response:
        found = self.world.detail(request.match_info["api"], request.match_info["id"])
        if found is None:
            return _fault(404, f"there is no request {request.match_info['id']}")
        return web.json_response(found)

    async def _payload(self, request: web.Request) -> web.Response:
        payload = self.world.payloads.get(request.match_info["id"])
        if payload is None:
            return _fault(404, "the payload is deleted: the request is complete")
        return web.Response(body=payload, content_type="text/plain", headers={"Content-Disposition": "attachment"})

    async def _dead_letters(self, request: web.Request) -> web.Response:
        letters = self.world.dead_letters
        return web.json_response({"queue": "transcribe-dead", "messages": len(letters), "dead_letters": letters})

    async def _job(self, request: web.Request) -> web.Response:
        found = [
            job
            for job in self.world.jobs.get(request.match_info["api"], [])
            if job["job_id"] == request.match_info["id"]
        ]
        if not found:
            return _fault(404, f"there is no job {request.match_info['id']}")
        return web.json_response({"job_status": found[0], "endpoint": "/sum"})

    async def _items(self, request: web.Request) -> web.Response:
        self.reads.append(request.path_qs)
        name = request.match_info["api"]
        [kind] = [api.kind for api in self.world.apis if api.name == name]
        if kind != "BatchAPI":
            return _fault(409, f"API {name} is of kind {kind}: this is for BatchAPI")
        items = self.world.items.get(request.match_info["id"], [])
        first, limit = int(request.query.get("from", "0")), int(request.query.get("limit", "100"))
        last = min(first + limit, len(items))
        more = {"next": last} if last < len(items) else {}
        return web.json_response({"total": len(items), "items": list(items[first:last]), **more})

    async def _change(self, request: web.Request) -> web.Response:
        body = await request.text()
        marker = request.headers.get("X-Dequeuer-UI")
        self.calls.append(
            Call(
                method=request.method, path=request.path_qs, body=body, content_type=request.content_type, marker=marker
            )
        )
        if marker != "1":
            return _fault(403, "the header X-Dequeuer-UI is missing")
        if request.path.endswith("/calls"):
            return web.json_response(self.world.answer)
        if request.path.endswith("/requests"):
            return web.json_response({"id": str(self.world.requests[request.path.split("/")[3]][0]["id"])})
        if request.path.endswith("/jobs"):
            return web.json_response({"job_id": JOB_ID})
        if "redrive" in request.query_string:
            return web.json_response({"moved": len(self.world.dead_letters), "left": 0})
        return web.json_response({"message": f"{request.query.get('action', 'stop')}d API"})


def _fault(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message}}, status=status)


@contextmanager
def running(world: World) -> Iterator[ContractServer]:
    """Run a server until the end of the block."""
    server = ContractServer(world)
    server.start()
    try:
        yield server
    finally:
        server.stop()
