"""The page of a run: `dequeuer ui` as a process that is started again when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import aiohttp

from dequeuer.dev import ready
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.dev.restarted_process import RestartedProcess
from dequeuer.dev.supervisor import Supervisor


class Page:
    """The page. Work goes on without it: it only shows what the others do.

    Args:
        specs: how processes are run.
        say: shows a text.
    """

    def __init__(self, specs: ProcessSpecs, say: Callable[[str], None]) -> None:
        self._specs = specs
        self._say = say
        self.url = specs.addresses.page_url

    def start(self, supervisor: Supervisor, metrics_urls: Mapping[str, str]) -> None:
        """Start it, in the background. `metrics_urls`: of sidecars and proxies, by the API's name."""
        process = RestartedProcess(self._specs.page(metrics_urls), self._say)
        process.start()
        supervisor.add(process)

    async def wait_ready(self, session: aiohttp.ClientSession) -> None:
        """Return when it answers. Raises `DevError`: it does not."""
        failure = f"the page does not answer on {self.url} (without it: --no-ui)"
        await ready.wait_until(partial(ready.responds_ok, session, self.url), failure)
