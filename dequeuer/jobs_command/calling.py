"""Calls the gateway for a command, and says in words what it refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from dequeuer.client.errors import GatewayUnavailableError, InvalidAnswerError, RequestRefusedError
from dequeuer.client.gateway import open_gateway
from dequeuer.client.jobs import ApiJobs
from dequeuer.core.plurals import counted
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.following import watch
from dequeuer.jobs_command.options import Command, Options
from dequeuer.jobs_command.output import Output
from dequeuer.jobs_command.reporting import change, list_jobs, show_status
from dequeuer.jobs_command.results import write_results
from dequeuer.jobs_command.submitting import submit

_Call: TypeAlias = Callable[[ApiJobs, Options, Output], Awaitable[int]]


async def run_call(options: Options, gateway_url: str, output: Output, token: str | None = None) -> int:
    """Run a command that calls the gateway; return its exit status. `token`: of the caller."""
    try:
        async with open_gateway(gateway_url, token) as gateway:
            return await _CALLS[options.command](ApiJobs(gateway, options.api, options.kind), options, output)
    except RequestRefusedError as error:
        _tell_refusal(error, options, output)
        return exit_statuses.REFUSED
    except InvalidAnswerError as error:
        _tell(str(error), options, output)
        return exit_statuses.REFUSED
    except GatewayUnavailableError as error:
        _tell(str(error), options, output)
        return exit_statuses.GATEWAY_UNAVAILABLE


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


def _tell_refusal(error: RequestRefusedError, options: Options, output: Output) -> None:
    what = "the submission" if options.command == "submit" else "the request"
    output.note(f"dequeuer jobs: the gateway refused {what}: {counted(len(error.faults), 'fault')}")
    for fault in error.faults:
        output.note(f"  {fault.message}")
    if options.is_json:
        output.json({"faults": [{"kind": fault.kind, "message": fault.message} for fault in error.faults]})


def _tell(text: str, options: Options, output: Output) -> None:
    output.note(f"dequeuer jobs: {text}")
    if options.is_json:
        output.json({"faults": [{"kind": "error", "message": text}]})
