"""The routes of jobs: `/batch/<api>`, `/tasks/<api>`, and the same at the endpoint of each API that has jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core.errors import clip
from dequeuer.formats.go_json import encode
from dequeuer.gateway.access.audit import note_id
from dequeuer.gateway.access.places import JOB_PATTERNS
from dequeuer.gateway.cors import refuse_pages, withhold_from_pages
from dequeuer.gateway.endpoints import JOB_PREFIXES
from dequeuer.gateway.job_body import SubmissionBodies
from dequeuer.gateway.job_dry_run import dry_run_response
from dequeuer.gateway.job_events import JobEvents
from dequeuer.gateway.job_responses import ErrorResponse, answer, cortex_error, json_text, problem
from dequeuer.gateway.job_results import ResultResponses
from dequeuer.gateway.job_service import Jobs
from dequeuer.gateway.list_limit import ALLOWED_LIMITS, read_limit
from dequeuer.gateway.metering import JOB_STREAMS
from dequeuer.gateway.own_url import own_url
from dequeuer.gateway.upload import defer_continue
from dequeuer.jobs.deployed_api import DeployedApi, api_spec_fields
from dequeuer.jobs.errors import Fault, JobRequestError, MissingParameterError
from dequeuer.jobs.layout import JobKind, is_job_id
from dequeuer.jobs.result_objects import FOLDERS
from dequeuer.jobs.spec import spec_fields
from dequeuer.jobs.status import JobStatus, status_fields

WRITE_TIMEOUT_S = 60.0
"""A client that reads nothing for this long has gone."""

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})

JobHandler: TypeAlias = Callable[[web.Request, DeployedApi], Awaitable[web.StreamResponse]]


class JobRoutes:
    """The request handlers."""

    def __init__(self, jobs: Jobs, is_draining: Callable[[], bool]) -> None:
        self._jobs = jobs
        self._bodies = SubmissionBodies()
        self._events = JobEvents(is_draining)
        self._results = ResultResponses(jobs)
        self._log = structlog.get_logger()

    @property
    def streams(self) -> int:
        """How many clients follow a job."""
        return self._events.followers

    async def submit(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`POST /batch/<api>[?dryRun=true]`, `POST /tasks/<api>`."""
        async with self._bodies.read(request) as body:
            parsed = await self._jobs.parse(api, body)
            if api.kind == "BatchAPI" and request.query.get("dryRun") in _TRUE and not parsed.is_unreadable:
                return await dry_run_response(request, self._jobs, parsed)
            spec = await self._jobs.submit(api, await self._jobs.check(parsed))
        note_id(request, spec.job_id)
        self._log.info("job_submitted", job_id=spec.job_id, api_name=api.name, kind=api.kind, bytes=len(body))
        return json_text(spec_fields(spec))

    async def report(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`GET /batch/<api>?jobID=`."""
        status = await self._jobs.status(api, _job_id(request))
        fields: dict[str, Any] = {
            "api_spec": api_spec_fields(api, self._jobs.cluster.uid, self._jobs.cluster.version),
            "job_status": status_fields(status),
        }
        if status.metrics is not None and api.kind == "BatchAPI":
            fields["metrics"] = status.metrics
        fields["endpoint"] = f"{own_url(request, api.endpoint)}?jobID={status.spec.job_id}"
        return json_text(fields)

    async def list(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`GET /batch/<api>[?limit=][&after=]`: the newest jobs. A `Link` header leads to those that follow."""
        withhold_from_pages(request)
        limit, after = _limit(request), request.query.get("after", "")
        if after and not is_job_id(after):
            raise _invalid("after", after, "the id of a job")
        statuses, following = await self._jobs.newest(api, limit, after)
        response = json_text([status_fields(status) for status in statuses])
        if following:
            response.headers["Link"] = f'<{request.rel_url.raw_path}?limit={limit}&after={following}>; rel="next"'
        return response

    async def stop(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`DELETE /batch/<api>?jobID=`."""
        job_id = _job_id(request)
        await self._jobs.stop(api, job_id)
        self._log.info("job_stop_requested", job_id=job_id, api_name=api.name, kind=api.kind)
        return json_text({"message": f"stopped job {job_id}"})

    async def change(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`PUT /batch/<api>?jobID=&action=pause|resume`."""
        refuse_pages(request)
        job_id, action = _job_id(request), request.query.get("action", "")
        if action == "pause":
            await self._jobs.pause(api, job_id)
            self._log.info("job_pause_requested", job_id=job_id, api_name=api.name, kind=api.kind)
            return json_text({"message": f"paused job {job_id}"})
        if action == "resume":
            await self._jobs.resume(api, job_id)
            self._log.info("job_resume_requested", job_id=job_id, api_name=api.name, kind=api.kind)
            return json_text({"message": f"resumed job {job_id}"})
        raise _invalid("action", action, "pause or resume") if action else MissingParameterError("action")

    async def events(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`GET /batch/<api>/events?jobID=`: server-sent events, each with the status of the job as its data."""
        job_id = _job_id(request)
        read = partial(self._jobs.status, api, job_id)
        async with aclosing(self._events.follow(self._jobs.keys(api, job_id), read)) as statuses:
            first = await anext(statuses)  # its errors still become responses
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            )
            try:
                await response.prepare(request)
                await _write(response, first)
                async for status in statuses:
                    await _write(response, status)
                await response.write_eof()
            except OSError:  # a timeout, too: the client has gone, or reads nothing
                if request.transport is not None:
                    request.transport.abort()
        return response

    async def results(self, request: web.Request, api: DeployedApi) -> web.StreamResponse:
        """`GET /batch/<api>/results?jobID=[&only=results|errors]`: the results that are there, one a line."""
        only = request.query.get("only")
        found = next((folder for folder in FOLDERS if folder == only), None)
        if only is not None and found is None:
            raise _invalid("only", only, " or ".join(FOLDERS))
        return await self._results.respond(request, api, _job_id(request), found)


def add_job_routes(
    app: web.Application, jobs: Jobs, is_draining: Callable[[], bool], taken: Iterable[str] = ()
) -> None:
    """Add the routes. `taken`: first segments of paths that belong to an API."""
    routes = JobRoutes(jobs, is_draining)
    app[JOB_STREAMS] = lambda: routes.streams
    app.router.add_get("/verifycortex", _verify_cortex)
    for kind, prefix in JOB_PREFIXES.items():
        if prefix not in taken:
            _add(app.router, JOB_PATTERNS[kind], routes, partial(_named_api, jobs, kind))
    for api in jobs.apis:
        _add(app.router, api.endpoint, routes, partial(_one_api, api))


def _named_api(jobs: Jobs, kind: JobKind, request: web.Request) -> DeployedApi:
    return jobs.api(kind, request.match_info["api_name"])


def _one_api(api: DeployedApi, _request: web.Request) -> DeployedApi:
    return api


def _add(router: web.UrlDispatcher, path: str, routes: JobRoutes, find: Callable[[web.Request], DeployedApi]) -> None:
    def handler(respond: JobHandler, error_response: ErrorResponse) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await answer(lambda: respond(request, find(request)), error_response)

        return handle

    report, listing = handler(routes.report, cortex_error), handler(routes.list, problem)

    async def report_or_list(request: web.Request) -> web.StreamResponse:
        return await (report if "jobID" in request.query else listing)(request)

    router.add_post(path, handler(routes.submit, cortex_error), expect_handler=defer_continue)
    router.add_get(path, report_or_list)
    router.add_delete(path, handler(routes.stop, cortex_error))
    router.add_put(path, handler(routes.change, problem))
    router.add_get(f"{path}/events", handler(routes.events, problem), allow_head=False)
    router.add_get(f"{path}/results", handler(routes.results, problem))


async def _verify_cortex(_request: web.Request) -> web.StreamResponse:
    """`GET /verifycortex`: Cortex's CLI asks it whether this is an operator."""
    return json_text({})


def _job_id(request: web.Request) -> str:
    job_id = request.query.get("jobID", "")
    if not job_id:
        raise MissingParameterError("jobID")
    return job_id


def _limit(request: web.Request) -> int:
    given = request.query.get("limit")
    limit = read_limit(given)
    if limit is None:
        raise _invalid("limit", given or "", ALLOWED_LIMITS)
    return limit


def _invalid(name: str, given: str, allowed: str) -> JobRequestError:
    return JobRequestError([Fault("endpoints.invalid_query_param", f'{name}: "{clip(given)}"; allowed: {allowed}')])


async def _write(response: web.StreamResponse, status: JobStatus | None) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(_event(status))


def _event(status: JobStatus | None) -> bytes:
    return b": waiting\n\n" if status is None else f"data: {encode(status_fields(status))}\n\n".encode()
