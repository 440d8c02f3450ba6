"""Calls the gateway for a command, and says in words what it refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from dequeuer.client.client import Client
from dequeuer.client.jobs import ApiJobs
from dequeuer.client.retrying import QUESTION_RETRY_LIMIT_S
from dequeuer.commands.output import Output
from dequeuer.commands.refusals import status_of
from dequeuer.jobs_command.following import watch
from dequeuer.jobs_command.options import Command, Options
from dequeuer.jobs_command.reporting import change, list_jobs, show_status
from dequeuer.jobs_command.results import write_results
from dequeuer.jobs_command.submitting import submit

_Call: TypeAlias = Callable[[ApiJobs, Options, Output], Awaitable[int]]

OUTAGE_LIMIT_S: Final = 300.0
"""Of a gateway while a job is followed."""


async def run_call(options: Options, gateway_url: str, output: Output, token: str | None = None) -> int:
    """Run a command that calls the gateway; return its exit status. `token`: of the caller."""
    what = "the submission" if options.command == "submit" else "the request"
    call = _call(options, gateway_url, output, token)
    return await status_of(call, "dequeuer jobs", output, is_json=options.is_json, what=what)


async def _call(options: Options, gateway_url: str, output: Output, token: str | None) -> int:
    is_question = options.command not in _PATIENT
    limit_s = QUESTION_RETRY_LIMIT_S if is_question else OUTAGE_LIMIT_S
    client = Client(gateway_url, token=token, retry_limit_s=limit_s, retry_limit_from_begin=is_question)
    async with client:
        return await _CALLS[options.command](client.jobs(options.api, options.kind), options, output)


async def _watch(jobs: ApiJobs, options: Options, output: Output) -> int:
    return await watch(jobs, options.job, options, output, was_submitted=False)


_CALLS: Final[Mapping[Command, _Call]] = {
    "submit": submit,
    "list": list_jobs,
    "status": show_status,
    "watch": _watch,
    "results": write_results,
    "stop": change,
    "pause": change,
    "resume": change,
}
_PATIENT: Final[frozenset[Command]] = frozenset({"submit", "watch"})
