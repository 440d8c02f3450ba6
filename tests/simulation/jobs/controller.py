"""A controller of real parts, as a process that can be killed, stopped and drained."""

from __future__ import annotations

import asyncio

from dequeuer.controller.controller import Controller
from dequeuer.controller.objects import JobObjects
from dequeuer.controller.runner import Services
from dequeuer.core.drain import Drain
from dequeuer.core.events import ignore
from dequeuer.sources.sqs.management import Queues
from tests.simulation.jobs.launcher import MakePod, SimLauncher
from tests.simulation.jobs.pods import SimPod
from tests.simulation.jobs.process import Servers, SimCloud

VERSION = "0.42.1"
CLUSTER = "uid"
BUCKET = "jobs"


class SimController:
    """One controller process, started with `start`."""

    def __init__(self, name: str, servers: Servers, make: MakePod, *, ownership_timeout_s: float) -> None:
        self.name = name
        self.launcher = SimLauncher(servers.rates, make)
        self._cloud = SimCloud(servers, name)
        self._drain = Drain()
        store = self._cloud.store(BUCKET, ignore)
        services = Services(
            objects=JobObjects(store),
            outputs=self._cloud.outputs(BUCKET, store),
            queues=Queues(self._cloud.client, self._cloud.translate),
            launcher=self.launcher,
            observer=ignore,
            cluster_name="cortex",
            owner_id=name,
            ownership_timeout_s=ownership_timeout_s,
            queue_delay_s=10.0,
        )
        self._controller = Controller(
            services,
            cluster_uid=CLUSTER,
            version=VERSION,
            serves=lambda _: True,
            max_jobs=10,
            drain=self._drain,
        )
        self._process: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process."""
        self._process = asyncio.create_task(self._controller.run(), name=self.name)

    @property
    def pods(self) -> list[SimPod]:
        """Its processes that have not ended."""
        return self.launcher.pods

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._drain.request()

    def stall(self, seconds: float) -> None:
        """Let its requests arrive late."""
        self._cloud.stall(seconds)

    async def kill(self) -> None:
        """Send SIGKILL: nothing of it has an effect any more, but what was sent already."""
        self._cloud.kill()
        self.launcher.kill()
        process = self._process
        while process is not None and not process.done():
            # The first cancellation begins the drain, all calls of which wait for ever.
            process.cancel()
            await asyncio.sleep(0.01)

    async def wait(self) -> None:
        """Wait for the end of the process. Raises the error that ended it."""
        if self._process is not None:
            await asyncio.wait({self._process})
            if not self._process.cancelled():
                self._process.result()
