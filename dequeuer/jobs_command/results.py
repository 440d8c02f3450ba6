"""`dequeuer jobs results`: streams the results of a job. Results that were cut off are never taken for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from dequeuer.client.answers import Answer
from dequeuer.client.jobs import ApiJobs
from dequeuer.commands.output import Output
from dequeuer.commands.results import print_chunks, save_chunks
from dequeuer.core.errors import clip
from dequeuer.jobs.state import STATUS_HEADER, has_ended, parse_state
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options


async def write_results(jobs: ApiJobs, options: Options, output: Output) -> int:
    """Write the results to standard output or to a file; return the exit status."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncIterator[bytes]]:
        async with aclosing(await jobs.calls.results(options.job, options.only)) as answer:
            if options.output is None:
                _tell_state(answer, output)
            yield answer.chunks()
            if options.output is not None:  # it may have been written several times, and is told of once
                _tell_state(answer, output)

    if options.output is None:
        async with opened() as chunks:
            cut_off = "dequeuer jobs: the results are cut off here; --output FILE tries again"
            await print_chunks(chunks, output, cut_off=cut_off)
    else:
        await save_chunks(opened, Path(options.output), jobs.retries)
    return exit_statuses.OK


def _tell_state(answer: Answer, output: Output) -> None:
    """Say that there may be more results later. The gateway tells the status that the job had before it read them."""
    state = answer.field(STATUS_HEADER)
    if state and not has_ended(parse_state(state)):
        output.note(f"dequeuer jobs: the job has not ended ({clip(state)}): these are its results so far")
