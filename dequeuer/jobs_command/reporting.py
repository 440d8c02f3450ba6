"""`dequeuer jobs list`, `status`, `stop`, `pause` and `resume`: one question, one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from dequeuer.client.job_status import job_status
from dequeuer.client.jobs import ApiJobs
from dequeuer.commands.output import Output
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options
from dequeuer.jobs_command.texts import job_lines, list_lines, list_row

_CHANGES: Final[Mapping[str, Callable[[ApiJobs, str], Awaitable[dict[str, Any]]]]] = {
    "stop": ApiJobs.stop,
    "pause": ApiJobs.pause,
    "resume": ApiJobs.resume,
}


async def list_jobs(jobs: ApiJobs, options: Options, output: Output) -> int:
    """Print the newest jobs."""
    if options.is_json:
        async for status in jobs.newest(options.limit):
            output.json(status.fields)
        return exit_statuses.OK
    rows = [list_row(status) async for status in jobs.newest(options.limit)]
    for line in list_lines(rows):
        output.line(line)
    return exit_statuses.OK


async def show_status(jobs: ApiJobs, options: Options, output: Output) -> int:
    """Print all that is known of a job."""
    report = await jobs.report(options.job)
    if options.is_json:
        output.json(report)
        return exit_statuses.OK
    for line in job_lines(job_status(report["job_status"])):
        output.line(line)
    return exit_statuses.OK


async def change(jobs: ApiJobs, options: Options, output: Output) -> int:
    """Stop, pause or resume a job."""
    answer = await _CHANGES[options.command](jobs, options.job)
    if options.is_json:
        output.json(answer)
    else:
        output.line(str(answer.get("message", "")))
    return exit_statuses.OK
