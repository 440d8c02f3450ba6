"""The launcher of one controller, as the local one: its processes get SIGTERM when the controller is killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping

from dequeuer.controller.launchers.base import LauncherUnavailableError, ProcessState
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec
from tests.simulation.jobs.pods import SimPod
from tests.simulation.network import FaultRates

MakePod = Callable[[JobKeys, JobSpec, str], SimPod]


class SimLauncher:
    """`Launcher`. `make` makes a process of a job, which is not started yet."""

    def __init__(self, rates: FaultRates, make: MakePod) -> None:
        self._rates = rates
        self._make = make
        self._pods: dict[tuple[JobKeys, str], SimPod] = {}
        self._is_dead = False
        self._unanswered: list[asyncio.Future[None]] = []
        """See `Connection`."""

    @property
    def pods(self) -> list[SimPod]:
        """The processes that have not ended."""
        return [pod for pod in self._pods.values() if not pod.state.has_ended]

    async def start(self, keys: JobKeys, spec: JobSpec, name: str) -> None:
        await self._call()
        known = self._pods.get((keys, name))
        if known is None or known.state.has_ended:
            pod = self._pods[keys, name] = self._make(keys, spec, name)
            pod.start()

    async def observe(self, keys: JobKeys) -> Mapping[str, ProcessState]:
        await self._call()
        return {name: pod.state for (of, name), pod in self._pods.items() if of == keys}

    async def stop(self, keys: JobKeys, names: Collection[str]) -> None:
        found = {name: self._pods[keys, name] for name in names if (keys, name) in self._pods}
        for pod in found.values():
            pod.terminate()
        await asyncio.gather(*(pod.wait() for pod in found.values()))
        await self._call()
        for name, pod in found.items():
            if self._pods.get((keys, name)) is pod:
                del self._pods[keys, name]

    def kill(self) -> None:
        """End with the controller."""
        self._is_dead = True
        for pod in self.pods:
            pod.terminate()
            if random.random() < 0.5:
                pod.kill()

    async def _call(self) -> None:
        await asyncio.sleep(random.uniform(0, 0.1))
        if self._is_dead:
            self._unanswered.append(asyncio.get_running_loop().create_future())
            await self._unanswered[-1]
        if random.random() < self._rates.unavailable:
            raise LauncherUnavailableError("unavailable")
