"""Shows a job while it runs: rewritten in place in a terminal, as lines elsewhere, as JSON for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, Protocol

from dequeuer.client.errors import ClientError, GatewayUnavailableError, InvalidAnswerError
from dequeuer.client.following import follow
from dequeuer.client.job_status import JobStatus
from dequeuer.client.jobs import ApiJobs
from dequeuer.commands.output import Output
from dequeuer.core import clock
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options
from dequeuer.jobs_command.texts import change_line, error_lines, job_lines
from dequeuer.terminal.live import LiveBlock
from dequeuer.terminal.text import visible

LINE_INTERVAL_S: Final = 10.0
"""Lines that tell only of progress are this far apart."""


class View(Protocol):
    """Shows a job."""

    def show(self, status: JobStatus) -> None:
        """Show the status; it is called for each change."""

    def tell(self, text: str) -> None:
        """Tell what happens to the connection."""


async def watch(jobs: ApiJobs, job_id: str, options: Options, output: Output, *, was_submitted: bool) -> int:
    """Follow a job to its end; return the exit status. When it is cancelled, it says that the job goes on.

    `was_submitted`: this command has submitted the job. Then only its last status is printed as JSON.
    """
    view = _view(options, output, was_submitted=was_submitted)
    result = exit_statuses.GATEWAY_UNAVAILABLE
    is_known = was_submitted

    def tell(error: ClientError) -> None:
        view.tell(f"dequeuer jobs: {error}; trying again, the job goes on")

    try:
        async with asyncio.timeout(options.timeout_s) as limit:
            async with aclosing(follow(jobs.calls, job_id, jobs.retries, on_outage=tell)) as statuses:
                async for status in statuses:
                    view.show(status)
                    is_known, result = True, exit_statuses.of_job(status)
    except TimeoutError:
        if not limit.expired():
            raise
        output.note(f"dequeuer jobs: waited for {options.timeout_s} s. {_goes_on(options.api, job_id)}")
        return exit_statuses.WAITED_TOO_LONG
    except asyncio.CancelledError:
        output.note(f"dequeuer jobs: {_goes_on(options.api, job_id)}")
        raise
    except (GatewayUnavailableError, InvalidAnswerError):
        if is_known:
            output.note(f"dequeuer jobs: {_goes_on(options.api, job_id)}")
        raise
    return result


def _goes_on(api: str, job_id: str) -> str:
    return (
        f"Job {job_id} goes on: `dequeuer jobs watch {api} {job_id}` follows it, "
        f"`dequeuer jobs stop {api} {job_id}` ends it"
    )


def _view(options: Options, output: Output, *, was_submitted: bool) -> View:
    if options.is_json:
        return _JsonLines(output, only_last=was_submitted)
    return _Live(output) if output.is_live else _Lines(output, clock.monotonic)


class _JsonLines:
    def __init__(self, output: Output, *, only_last: bool) -> None:
        self._output = output
        self._only_last = only_last

    def show(self, status: JobStatus) -> None:
        """Print all of it as a line."""
        if status.has_ended or not self._only_last:
            self._output.json(status.fields)

    def tell(self, text: str) -> None:
        """Print it beside the output."""
        self._output.note(text)


class _Live:
    def __init__(self, output: Output) -> None:
        self._block = LiveBlock(output.stream)

    def show(self, status: JobStatus) -> None:
        """Rewrite the block."""
        self._block.show(job_lines(status))

    def tell(self, text: str) -> None:
        """Print it above the block, which other lines would shift."""
        self._block.print_above(visible(text))


class _Lines:
    def __init__(self, output: Output, now: Callable[[], float]) -> None:
        self._output = output
        self._now = now
        self._state: tuple[object, ...] = ()
        self._printed_at = 0.0

    def show(self, status: JobStatus) -> None:
        """Print a line when the state is another one, or when the last line is old."""
        state = (status.state, status.is_paused, status.is_stopping)
        if state != self._state or self._now() - self._printed_at >= LINE_INTERVAL_S:
            self._state, self._printed_at = state, self._now()
            self._output.line(f"{datetime.fromtimestamp(clock.wall(), UTC):%H:%M:%SZ}  {change_line(status)}")
        if status.has_ended:
            for line in error_lines(status):
                self._output.line(line)

    def tell(self, text: str) -> None:
        """Print it beside the output."""
        self._output.note(text)
