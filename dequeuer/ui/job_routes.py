"""The routes about jobs, as the gateway answers, and the items of a job."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from dequeuer.client.fields import object_of, whole_of
from dequeuer.client.gateway import Content
from dequeuer.formats.go_json import encode
from dequeuer.ui.bodies import Bodies
from dequeuer.ui.directory import Api, Directory
from dequeuer.ui.errors import UiError
from dequeuer.ui.job_items import MAX_ITEMS, items_of
from dequeuer.ui.job_page import job_page
from dequeuer.ui.link import GatewayLink
from dequeuer.ui.queries import job_id_of, query_of
from dequeuer.ui.request_routes import json_response


class JobRoutes:
    """The request handlers."""

    def __init__(self, link: GatewayLink, directory: Directory, bodies: Bodies) -> None:
        self._link = link
        self._directory = directory
        self._bodies = bodies

    def add(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        jobs = "/api/apis/{api}/jobs"
        router.add_get(jobs, self.list, allow_head=False)
        router.add_post(jobs, self.submit)
        router.add_get(f"{jobs}/{{id}}", self.report, allow_head=False)
        router.add_delete(f"{jobs}/{{id}}", self.stop)
        router.add_put(f"{jobs}/{{id}}", self.change)
        router.add_get(f"{jobs}/{{id}}/items", self.items, allow_head=False)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/jobs`."""
        api = await self._api(request)
        return json_response(encode(await job_page(self._link, api, query_of(request, "after", "limit"))).encode())

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """`POST /api/apis/<api>/jobs`."""
        api = await self._api(request)
        async with self._bodies.read(request) as body:
            content = Content(body=body, headers={"Content-Type": "application/json"})
            return json_response(await self._link.read("POST", api.jobs_path, content=content))

    async def report(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/jobs/<id>`."""
        api, query = await self._api(request), {"jobID": job_id_of(request)}
        return json_response(await self._link.read("GET", api.jobs_path, query))

    async def stop(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /api/apis/<api>/jobs/<id>`."""
        api, query = await self._api(request), {"jobID": job_id_of(request)}
        return json_response(await self._link.read("DELETE", api.jobs_path, query))

    async def change(self, request: web.Request) -> web.StreamResponse:
        """`PUT /api/apis/<api>/jobs/<id>?action=pause|resume`."""
        api = await self._api(request)
        query = {"jobID": job_id_of(request), **query_of(request, "action")}
        return json_response(await self._link.read("PUT", api.jobs_path, query))

    async def items(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/jobs/<id>/items?from=&limit=`."""
        api, job_id = (await self._api(request)).require("BatchAPI"), job_id_of(request)
        asked = query_of(request, "from", "limit")
        first, limit = int(asked.get("from", "0")), int(asked.get("limit", str(MAX_ITEMS)))
        if not 1 <= limit <= MAX_ITEMS:
            raise UiError(400, f"limit is {limit}; allowed: 1 to {MAX_ITEMS}")
        report = await self._link.fields(api.jobs_path, {"jobID": job_id})
        total = _total(report)
        async with self._link.open("GET", f"{api.jobs_path}/results", {"jobID": job_id}) as answer:
            return json_response(await items_of(answer.chunks(), first=first, limit=limit, total=total))

    async def _api(self, request: web.Request) -> Api:
        return (await self._directory.find(request.match_info["api"])).require("BatchAPI", "TaskAPI")


def _total(report: dict[str, Any]) -> int | None:
    """Return how many items a job has; None: not known yet."""
    return whole_of(object_of(object_of(report.get("job_status")).get("progress")).get("items_total"))
