"""The calls about the jobs of one API: what is sent, and what the answers are."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, Literal, ParamSpec, TypeAlias, TypeVar

from dequeuer.client.answers import Answer, whole_within
from dequeuer.client.errors import (
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RequestRefusedError,
)
from dequeuer.client.events import EventReader, event_value
from dequeuer.client.gateway import Gateway
from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.client.retrying import Retries
from dequeuer.core.errors import clip
from dequeuer.core.retry import Backoff, RetryPolicy
from dequeuer.formats.go_json import Number
from dequeuer.jobs.layout import is_job_api_name, is_job_id

P = ParamSpec("P")
T = TypeVar("T")
Kind: TypeAlias = Literal["batch", "task"]
Only: TypeAlias = Literal["results", "errors"]

MAX_STATUS_BYTES: Final = 16 << 20
MAX_PAGE_BYTES: Final = 32 << 20
"""A page of a list: each of its jobs has its config, up to 1 MiB."""
PAGE_JOBS: Final = 20
MAX_PATH_BYTES: Final = 8192
"""Of a line of a dry run. A key has up to 1,024 bytes, and its bucket up to 63."""

CALL_IDLE_TIMEOUT_S: Final = 60.0
"""The gateway takes up to 30 s for a list."""
CALL_TIMEOUT_S: Final = 180.0
"""For a whole answer, which a server could send byte by byte."""
SUBMIT_IDLE_TIMEOUT_S: Final = 120.0
SUBMIT_TIMEOUT_S: Final = 600.0
"""The request is up to 10 MiB, and may go over a slow line."""
DRY_RUN_IDLE_TIMEOUT_S: Final = 960.0
"""The gateway lists files for up to 15 min, in which it may have nothing to send."""
EVENTS_IDLE_TIMEOUT_S: Final = 45.0
"""The gateway sends a comment every 15 s."""
RESULTS_IDLE_TIMEOUT_S: Final = 120.0

CALL_RETRIES: Final = RetryPolicy(backoff=Backoff(initial_s=0.5, max_s=4.0, min_share=0.5), max_duration_s=10.0)
"""For calls that may be done twice."""

_PATHS: Final[Mapping[Kind, str]] = {"batch": "/batch/", "task": "/tasks/"}
_WRONG_KIND: Final = "resources.operation_is_only_supported_for_kind"
_NEXT_PAGE: Final = re.compile(r'[?&]after=([a-z0-9-]{1,63})(?:&[^>]*)?>; *rel="?next')
_VALID: Final = b"validations passed"


class JobCalls:
    """Submits, reports and changes jobs; `client.jobs.ApiJobs` has what a client does around it.

    Every method raises the errors of `client.errors`.

    Ids of jobs are those that `jobs.layout.is_job_id` takes.

    Args:
        gateway: that serves the API.
        api_name: of the API.
        kind: of the API; None: the gateway is asked for a batch API, then for a task API.
        retries: of a client, in which is kept that the gateway has answered: from then on an address at which nothing
            listens is a gateway that is being restarted. None: it is an error at once, with each call.
    """

    def __init__(
        self, gateway: Gateway, api_name: str, kind: Kind | None = None, retries: Retries | None = None
    ) -> None:
        if not is_job_api_name(api_name):  # it becomes a part of paths
            raise ValueError(f'"{clip(api_name)}" is not the name of an API')
        self._gateway = gateway
        self._retries = retries
        self._api_name = api_name
        self._kind: Kind = kind or "batch"
        self._is_known = kind is not None

    async def submit(self, submission: bytes) -> dict[str, Any]:
        """Submit a job; return its specification. It is sent once: one that was lost may have been accepted."""
        async with whole_within(SUBMIT_TIMEOUT_S):
            answer = await self._open("POST", "", {}, idle_timeout_s=SUBMIT_IDLE_TIMEOUT_S, body=submission)
            async with aclosing(answer):
                fields = await answer.json(MAX_STATUS_BYTES)
        job_id = fields.get("job_id") if isinstance(fields, dict) else None
        if not isinstance(job_id, str) or isinstance(job_id, Number) or not is_job_id(job_id):
            raise InvalidAnswerError("the gateway answers a submission without the id of a job")
        found: dict[str, Any] = fields
        return found

    async def dry_run(self, submission: bytes) -> AsyncGenerator[str, None]:
        """Check a submission; yield the path of each of its files. It is valid once all of them came."""
        query = {"dryRun": "true"}
        answer = await self._open("POST", "", query, idle_timeout_s=DRY_RUN_IDLE_TIMEOUT_S, body=submission)
        async with aclosing(answer):
            rest = b""
            async for chunk in answer.chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > MAX_PATH_BYTES:
                    break
                for line in lines:
                    yield line.decode(errors="replace")
        if rest != _VALID:
            raise InvalidAnswerError("the gateway does not say that the submission is valid: has this API dry runs?")

    async def report(self, job_id: str) -> dict[str, Any]:
        """Return what the gateway reports of a job: `api_spec`, `job_status`, perhaps `metrics`, `endpoint`."""
        fields = await self._call("GET", {"jobID": job_id})
        job_status(fields.get("job_status"))
        return fields

    async def newest(self, limit: int) -> AsyncGenerator[JobStatus, None]:
        """Yield the newest jobs. `limit`: how many at most."""
        after = ""
        while limit > 0:
            query = {"limit": str(min(limit, PAGE_JOBS))} | ({"after": after} if after else {})
            page, following = await self._repeat(self._page, query)
            for status in page[:limit]:
                yield status
            limit -= len(page)
            # A server that leads to the same page again would be asked for ever.
            if not page or not following or following == after:
                return
            after = following

    async def _page(self, query: Mapping[str, str]) -> tuple[list[JobStatus], str]:
        async with (
            whole_within(CALL_TIMEOUT_S),
            aclosing(await self._open("GET", "", query, idle_timeout_s=CALL_IDLE_TIMEOUT_S)) as answer,
        ):
            values = await answer.json(MAX_PAGE_BYTES)
        if not isinstance(values, list):
            raise InvalidAnswerError("the gateway does not answer with a list of jobs")
        return [job_status(value) for value in values], next_page(answer.field("Link"))

    async def stop(self, job_id: str) -> dict[str, Any]:
        """Ask for the end of a job; return what the gateway says."""
        return await self._call("DELETE", {"jobID": job_id})

    async def pause(self, job_id: str) -> dict[str, Any]:
        """Ask for a pause of a job; return what the gateway says."""
        return await self._call("PUT", {"jobID": job_id, "action": "pause"})

    async def resume(self, job_id: str) -> dict[str, Any]:
        """Ask for the end of a pause; return what the gateway says."""
        return await self._call("PUT", {"jobID": job_id, "action": "resume"})

    async def events(self, job_id: str) -> AsyncGenerator[JobStatus, None]:
        """Yield the status of a job, then each one that differs. A gateway that drains ends it early."""
        query = {"jobID": job_id}
        answer = await self._open("GET", "/events", query, idle_timeout_s=EVENTS_IDLE_TIMEOUT_S)
        async with aclosing(answer):
            reader = EventReader()
            async for chunk in answer.chunks():
                for data in reader.feed(chunk):
                    yield job_status(event_value(data))

    async def results(self, job_id: str, only: Only | None) -> Answer:
        """Return the answer whose body are the results of a job, as JSON lines. The caller closes it."""
        query = {"jobID": job_id} | ({"only": only} if only else {})
        return await self._open("GET", "/results", query, idle_timeout_s=RESULTS_IDLE_TIMEOUT_S)

    async def _call(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        return await self._repeat(self._call_once, method, query)

    async def _call_once(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        async with (
            whole_within(CALL_TIMEOUT_S),
            aclosing(await self._open(method, "", query, idle_timeout_s=CALL_IDLE_TIMEOUT_S)) as answer,
        ):
            return await answer.object(MAX_STATUS_BYTES)

    async def _repeat(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call that may be done twice."""

        async def attempt() -> T:
            try:
                return await function(*args, **kwargs)
            except GatewayAbsentError as error:
                if self._retries is None or not self._retries.is_known:
                    raise
                raise GatewayLostError(str(error)) from error

        return await CALL_RETRIES.call((GatewayBusyError, GatewayLostError), attempt)

    async def _open(
        self, method: str, suffix: str, query: Mapping[str, str], *, idle_timeout_s: float, body: bytes | None = None
    ) -> Answer:
        """Send a request to the path of the API; find out its kind with the first one."""

        async def send() -> Answer:
            path = f"{_PATHS[self._kind]}{self._api_name}{suffix}"
            try:
                answer = await self._gateway.open(method, path, query, idle_timeout_s=idle_timeout_s, body=body)
            except (GatewayBusyError, GatewayLostError, RequestRefusedError):
                self._answered()
                raise
            self._answered()
            return answer

        try:
            answer = await send()
        except RequestRefusedError as error:
            if self._is_known or error.faults[0].kind != _WRONG_KIND or "of kind TaskAPI" not in str(error):
                raise
            self._kind = "task"
            answer = await send()
        self._is_known = True
        return answer

    def _answered(self) -> None:
        if self._retries is not None:
            self._retries.is_known = True


def next_page(link: str) -> str:
    """Return after which job the next page of a list begins, from its header `Link`; "": it was the last one."""
    found = _NEXT_PAGE.search(link)
    return found[1] if found else ""
