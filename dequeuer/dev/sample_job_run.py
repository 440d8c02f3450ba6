"""`--kind batch`: runs a sample job through a project that accepts work."""

from __future__ import annotations

import asyncio

from dequeuer.core.plurals import counted
from dequeuer.dev import next_steps
from dequeuer.dev.batch_samples import SampleJob, make_sample, shown_lines, succeeded
from dequeuer.dev.display import Display
from dequeuer.dev.local_aws import API_NAME
from dequeuer.dev.options import Options
from dequeuer.dev.project_stack import ReadyProject
from dequeuer.dev.running import EXIT_FAILED, EXIT_OK


class SampleJobRun:
    """`Use` of a project."""

    def __init__(self, options: Options, display: Display) -> None:
        self._options = options
        self._display = display

    async def __call__(self, ready: ReadyProject) -> int:
        """Submit the job, show it until it has ended, then its results; return the exit status, or never."""
        options, say = self._options, self._display.print_text
        url = f"{ready.addresses.gateway_url}/batch/{API_NAME}"
        sample = make_sample(options)
        job = SampleJob(ready.session, url, self._display)
        items = len(sample.submission["item_list"]["items"])
        say(f"ready: POST {url}, {counted(items, 'item')} for {counted(options.workers, 'worker')}\n")
        await job.submit(sample)
        ready.followed.add(job.job_id)
        status = await job.follow()
        ready.logs.look()
        if sample.keeps_results:
            say(f"\nresults, one line for each item:\n{shown_lines(await job.results())}")
        is_success = succeeded(status, sample)
        say(_summary(status, sample.expected_failures, is_success=is_success))
        if not options.once:
            say(next_steps.after_batch(ready.addresses, url, job.job_id))
            say(next_steps.ending(ready.page_url))
            await asyncio.Event().wait()
        return EXIT_OK if is_success else EXIT_FAILED


def _summary(status: dict[str, object], expected_failures: int, *, is_success: bool) -> str:
    if is_success and expected_failures:
        return f"\nthe job ended as it should: {expected_failures} item asks for a failure"
    return f"\nthe job ended as {status['status']}"
