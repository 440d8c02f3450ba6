"""The calls about the jobs of one API, each made once: what is sent, and what the answers are."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from dequeuer.client.answers import Answer, whole_within
from dequeuer.client.errors import InvalidAnswerError, RequestRefusedError
from dequeuer.client.events import EventReader, event_value
from dequeuer.client.gateway import Gateway
from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.core.errors import clip
from dequeuer.formats.go_json import Number
from dequeuer.jobs.layout import is_job_api_name, is_job_id

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

_PATHS: Final[Mapping[Kind, str]] = {"batch": "/batch/", "task": "/tasks/"}
_WRONG_KIND: Final = "resources.operation_is_only_supported_for_kind"
_NEXT_PAGE: Final = re.compile(r'[?&]after=([a-z0-9-]{1,63})(?:&[^>]*)?>; *rel="?next')
_VALID: Final = b"validations passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs of an API, the newest first. `following`: what the next page begins after; "": there is none."""

    jobs: tuple[JobStatus, ...]
    following: str


class JobCalls:
    """Submits, reports and changes jobs, each call made once; `client.jobs.ApiJobs` has what a client does around it.

    Every method raises the errors of `client.errors`.

    Ids of jobs are those that `jobs.layout.is_job_id` takes.

    Args:
        gateway: that serves the API.
        api_name: of the API.
        kind: of the API; None: the gateway is asked for a batch API, then for a task API.
        on_answer: is called when the gateway has answered and the call is not over.
    """

    def __init__(
        self,
        gateway: Gateway,
        api_name: str,
        kind: Kind | None = None,
        *,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        if not is_job_api_name(api_name):  # it becomes a part of paths
            raise ValueError(f'"{clip(api_name)}" is not the name of an API')
        self._gateway = gateway
        self._api_name = api_name
        self._on_answer = on_answer
        self._kind: Kind = kind or "batch"
        self._is_known = kind is not None

    async def submit(self, submission: bytes) -> dict[str, Any]:
        """Submit a job; return its specification. One that was lost may have been accepted."""
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
        self._on_answer()
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

    async def page(self, *, limit: int, after: str) -> JobPage:
        """Return some of the newest jobs. `after`: `following` of the page before; "": the first page."""
        query = {"limit": str(limit)} | ({"after": after} if after else {})
        async with (
            whole_within(CALL_TIMEOUT_S),
            aclosing(await self._open("GET", "", query, idle_timeout_s=CALL_IDLE_TIMEOUT_S)) as answer,
        ):
            values = await answer.json(MAX_PAGE_BYTES)
        if not isinstance(values, list):
            raise InvalidAnswerError("the gateway does not answer with a list of jobs")
        return JobPage(jobs=tuple(map(job_status, values)), following=next_page(answer.field("Link")))

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
        """Return the answer whose body are the results of a job, as JSON lines. The caller closes it.

        It is asked for once more when the connection ends without an answer.
        """
        query = {"jobID": job_id} | ({"only": only} if only else {})
        return await self._open("GET", "/results", query, idle_timeout_s=RESULTS_IDLE_TIMEOUT_S, resends=True)

    async def _call(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        async with (
            whole_within(CALL_TIMEOUT_S),
            aclosing(await self._open(method, "", query, idle_timeout_s=CALL_IDLE_TIMEOUT_S)) as answer,
        ):
            return await answer.object(MAX_STATUS_BYTES)

    async def _open(  # noqa: PLR0913 - two of them are left out mostly
        self,
        method: str,
        suffix: str,
        query: Mapping[str, str],
        *,
        idle_timeout_s: float,
        body: bytes | None = None,
        resends: bool = False,
    ) -> Answer:
        """Send a request to the path of the API; find out its kind with the first one."""

        async def send() -> Answer:
            path = f"{_PATHS[self._kind]}{self._api_name}{suffix}"
            return await self._gateway.open(
                method, path, query, idle_timeout_s=idle_timeout_s, body=body, resends=resends
            )

        try:
            answer = await send()
        except RequestRefusedError as error:
            if self._is_known or error.faults[0].kind != _WRONG_KIND or "of kind TaskAPI" not in str(error):
                raise
            self._on_answer()
            self._kind = "task"
            answer = await send()
        self._is_known = True
        return answer


def next_page(link: str) -> str:
    """Return after which job the next page of a list begins, from its header `Link`; "": it was the last one."""
    found = _NEXT_PAGE.search(link)
    return found[1] if found else ""
