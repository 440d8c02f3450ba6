"""`--kind realtime`: sends samples through a project that accepts work."""

from __future__ import annotations

import asyncio

from dequeuer.dev import next_steps
from dequeuer.dev.display import FAILED, Display
from dequeuer.dev.local_aws import API_NAME
from dequeuer.dev.options import Options
from dequeuer.dev.project_stack import ReadyProject
from dequeuer.dev.realtime_samples import RealtimeSamples
from dequeuer.dev.running import EXIT_FAILED, EXIT_OK


class SampleRealtimeRun:
    """`Use` of a project."""

    def __init__(self, options: Options, display: Display) -> None:
        self._options = options
        self._display = display

    async def __call__(self, ready: ReadyProject) -> int:
        """Send the samples and show what comes back; return the exit status, or never."""
        options, say = self._options, self._display.print_text
        url = f"{ready.addresses.gateway_url}/{API_NAME}"
        say(f"ready: {url}\n")
        rows = await RealtimeSamples(ready.session, url, self._display).run(options)
        failed = sum(row.status in FAILED for row in rows)
        say(f"\n{len(rows) - failed} of {len(rows)} samples came back" + (f", {failed} failed" if failed else ""))
        if not options.once:
            say(next_steps.after_realtime(url, is_sample_container=not options.command))
            say(next_steps.ending(ready.page_url))
            await asyncio.Event().wait()
        return EXIT_FAILED if failed else EXIT_OK
