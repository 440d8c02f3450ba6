"""`--demo`: samples of every kind of API at the same time, then a little traffic, so that the page moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from dequeuer.core.plurals import counted
from dequeuer.dev.announcement import apis_of
from dequeuer.dev.async_samples import SampleRequests
from dequeuer.dev.batch_samples import SampleJob, make_sample, succeeded
from dequeuer.dev.demo_traffic import DESCRIPTION, post, send_traffic
from dequeuer.dev.display import Display, SampleRow
from dequeuer.dev.errors import DevError
from dequeuer.dev.joined_display import JoinedDisplay
from dequeuer.dev.next_steps import ending
from dequeuer.dev.options import Options
from dequeuer.dev.project_stack import ReadyProject
from dequeuer.dev.realtime_samples import RealtimeSamples
from dequeuer.dev.running import EXIT_FAILED, EXIT_OK
from dequeuer.dev.sample_container import ALWAYS, FAILS, ONCE
from dequeuer.dev.sample_project import DEMO_ASYNC, DEMO_BATCH, DEMO_REALTIME

REQUESTS: Final = (
    ("a request", {"text": "good morning"}, "completed"),
    ("a request that fails once", {"text": "once more", FAILS: ONCE}, "completed"),
    ("a request that always fails", {"text": "no luck", FAILS: ALWAYS}, "failed"),
)
"""What each request of the demo is, its payload, and the status that it must get."""

CALLS: Final = ("a call", "server-sent events", "a WebSocket")
"""What each sample of the realtime API is."""


class DemoRun:
    """`Use` of a demo.

    Args:
        options: the command line.
        display: for the user.
        in_order: see `JoinedDisplay`.
    """

    def __init__(self, options: Options, display: Display, *, in_order: bool) -> None:
        self._options = options
        self._display = display
        self._joined = JoinedDisplay(display, in_order=in_order)

    async def __call__(self, ready: ReadyProject) -> int:
        """Run all samples and say where the page is; return the exit status, or never."""
        say = self._display.print_text
        say("\n".join((f"ready: {ready.addresses.gateway_url}", *apis_of(ready.addresses, ready.project), "")))
        is_success = await self._run_samples(ready)
        say("\nall of it as it should be" if is_success else "\nnot all of it is as it should be")
        if self._options.once:
            say(f"page: {ready.page_url} (it ends now; --stay keeps it until Ctrl-C)")
            return EXIT_OK if is_success else EXIT_FAILED
        say(f"{DESCRIPTION}\n{ending(ready.page_url)}")
        await send_traffic(partial(post, ready.session, ready.addresses.gateway_url))
        await asyncio.Event().wait()
        return EXIT_OK

    async def _run_samples(self, ready: ReadyProject) -> bool:
        """Return whether all came out as they should."""
        joined = self._joined
        options = replace(self._options, samples=1)
        sample = make_sample(self._options)
        items = counted(len(sample.submission["item_list"]["items"]), "item")
        base = ready.addresses.gateway_url
        realtime = RealtimeSamples(ready.session, f"{base}/{DEMO_REALTIME}", joined.part(DEMO_REALTIME, CALLS))
        names = [what for what, _, _ in REQUESTS]
        requests = SampleRequests(ready.session, f"{base}/{DEMO_ASYNC}", joined.part(f"{DEMO_ASYNC} ", names))
        job = SampleJob(ready.session, f"{base}/batch/{DEMO_BATCH}", joined.part(DEMO_BATCH, [f"a job of {items}"]))

        async def run_job() -> bool:
            await job.submit(sample)
            ready.followed.add(job.job_id)
            return succeeded(await job.follow(), sample)

        with joined.live():
            try:
                async with asyncio.TaskGroup() as tasks:
                    called = tasks.create_task(realtime.run(options))
                    requested = tasks.create_task(requests.run([json.dumps(payload) for _, payload, _ in REQUESTS]))
                    submitted = tasks.create_task(run_job())
            except* DevError as group:
                raise group.exceptions[0] from None
        return _completed(called.result()) and _as_expected(requested.result()) and submitted.result()


def _completed(rows: Sequence[SampleRow]) -> bool:
    return all(row.status == "completed" for row in rows)


def _as_expected(rows: Sequence[SampleRow]) -> bool:
    return [row.status for row in rows] == [status for _, _, status in REQUESTS]
