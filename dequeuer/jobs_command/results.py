"""`dequeuer jobs results`: streams the results of a job. Results that were cut off are never taken for all of them."""

from __future__ import annotations

import codecs
from contextlib import aclosing
from pathlib import Path
from typing import Final

from dequeuer.client.answers import Answer
from dequeuer.client.errors import GatewayAbsentError, GatewayBusyError, GatewayLostError
from dequeuer.client.jobs import ApiJobs
from dequeuer.commands.output import Output, RawOutput
from dequeuer.commands.replacing import replacing
from dequeuer.core.errors import clip
from dequeuer.core.retry import Backoff, RetryPolicy
from dequeuer.jobs.state import STATUS_HEADER, has_ended, parse_state
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options
from dequeuer.terminal.text import visible_json

FILE_RETRIES: Final = RetryPolicy(backoff=Backoff(initial_s=1.0, max_s=16.0, min_share=0.5), max_attempts=10)
"""A file is written anew when the connection breaks. What was printed cannot be taken back."""


async def write_results(jobs: ApiJobs, options: Options, output: Output) -> int:
    """Write the results to standard output or to a file; return the exit status."""
    if options.output is None:
        await _print(jobs, options, output)
    else:
        await _save(jobs, options, Path(options.output), output)
    return exit_statuses.OK


async def _print(jobs: ApiJobs, options: Options, output: Output) -> None:
    out = RawOutput(output.stream)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async with aclosing(await jobs.results(options.job, options.only)) as answer:
        _tell_state(answer, output)
        try:
            async for chunk in answer.chunks():
                await out.write(visible_json(decoder.decode(chunk)).encode() if out.is_terminal else chunk)
        except GatewayLostError:
            output.note("dequeuer jobs: the results are cut off here; --output FILE tries again")
            raise


def _tell_state(answer: Answer, output: Output) -> None:
    """Say that there may be more results later. The gateway tells the status that the job had before it read them."""
    state = answer.field(STATUS_HEADER)
    if state and not has_ended(parse_state(state)):
        output.note(f"dequeuer jobs: the job has not ended ({clip(state)}): these are its results so far")


async def _save(jobs: ApiJobs, options: Options, path: Path, output: Output) -> None:
    was_reached = False

    async def attempt() -> None:
        nonlocal was_reached
        try:
            answer = await jobs.results(options.job, options.only)
        except GatewayAbsentError as error:
            if was_reached:  # it is being restarted
                raise GatewayLostError(str(error)) from error
            raise
        was_reached = True
        async with aclosing(answer):
            with replacing(path) as file:
                async for chunk in answer.chunks():
                    file.write(chunk)
            _tell_state(answer, output)

    await FILE_RETRIES.call((GatewayBusyError, GatewayLostError), attempt)
