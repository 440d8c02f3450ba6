"""`dequeuer jobs submit`: reads a submission, submits it or only checks it."""

from __future__ import annotations

import asyncio
from typing import Final

from dequeuer.client.errors import GatewayBusyError, GatewayLostError
from dequeuer.client.jobs import ApiJobs
from dequeuer.commands.output import Output
from dequeuer.commands.reading import read_input
from dequeuer.jobs.submission import MAX_BODY_BYTES
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.following import watch
from dequeuer.jobs_command.options import Options


async def submit(jobs: ApiJobs, options: Options, output: Output) -> int:
    """Submit the job, and perhaps follow it; return the exit status."""
    submission = await read_input(options.file, MAX_BODY_BYTES, what="the file of the submission", smaller=_SMALLER)
    if options.is_dry_run:
        return await _check(jobs, submission, options, output)
    look = f"look at `dequeuer jobs list {options.api}` before you submit it again"
    try:
        spec = await jobs.submit(submission)
    except GatewayBusyError:
        output.note("dequeuer jobs: the job was not accepted; submit it again later")
        raise
    except (GatewayLostError, asyncio.CancelledError):
        output.note(f"dequeuer jobs: the gateway may have accepted the job, or not: {look}")
        raise
    job_id = str(spec["job_id"])
    if not options.is_json:
        output.line(job_id)
    elif not options.waits:
        output.json(spec)
    if options.waits:
        if options.is_json:  # a program that is interrupted knows the job nevertheless
            output.note(f"dequeuer jobs: submitted job {job_id}")
        return await watch(jobs, job_id, options, output, was_submitted=True)
    return exit_statuses.OK


async def _check(jobs: ApiJobs, submission: bytes, options: Options, output: Output) -> int:
    async for path in jobs.dry_run(submission):
        if options.is_json:
            output.json({"file": path})
        else:
            output.line(path)
    if options.is_json:
        output.json({"valid": True})
    else:
        output.note("dequeuer jobs: the submission is valid; nothing was submitted")
    return exit_statuses.OK


_SMALLER: Final = "put the items into files in S3 (file_path_lister, delimited_files)"
