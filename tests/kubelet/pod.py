"""The life of a pod: init containers and native sidecars in order, then the main containers, then the end in reverse."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, TypeAlias

from tests.integration.waiting import DEADLINE_S, eventually
from tests.kubelet.container import Container
from tests.kubelet.network import PodNetwork
from tests.kubelet.order import TerminationOrder
from tests.kubelet.spec import PodSpec
from tests.kubelet.volumes import Volumes

Phase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed"]


class Pod:
    """A pod that runs, or has ended. Its methods are for the thread of the test; the pod lives in that of its network.

    Attributes:
        name: of the pod.
        events: what happened to its containers, in order: name and event.
        lines: what each container printed.
        volumes: its files.
    """

    def __init__(self, name: str, spec: PodSpec, network: PodNetwork, volumes: Volumes) -> None:
        self.name = name
        self.volumes = volumes
        self.events: list[tuple[str, str]] = []
        self.lines: dict[str, list[str]] = {one.name: [] for one in (*spec.init_containers, *spec.containers)}
        self._spec = spec
        self._network = network
        self._containers: Mapping[str, Container] = {}
        self._deleted = asyncio.Event()
        self._grace_s = spec.grace_s
        self._life: asyncio.Task[None] | None = None

    async def start(self, containers: Sequence[Container]) -> None:
        """Start the pod, in the background; called inside of its network."""
        self._containers = {container.spec.name: container for container in containers}
        self._life = asyncio.create_task(self._live(), name=f"pod-{self.name}")

    @property
    def phase(self) -> Phase:
        """The phase of the pod, as Kubernetes defines it."""
        mains = [self._containers[one.name] for one in self._spec.containers]
        if not self.has_ended:
            return "Running" if any(main.life is not None for main in mains) else "Pending"
        ends = [main.status.state for main in mains]
        return "Succeeded" if all(end is not None and end.exit_code == 0 for end in ends) else "Failed"

    @property
    def has_ended(self) -> bool:
        """Whether no container runs any more, and none will. Raises what a bug of this runner raised."""
        if self._life is None or not self._life.done():
            return False
        self._life.result()
        return True

    @property
    def is_ready(self) -> bool:
        """Whether every main container and every native sidecar is ready."""
        last = [one.name for one in (*self._spec.init_containers, *self._spec.containers) if self._counts(one.name)]
        return not self.has_ended and all(self._containers[name].status.ready for name in last)

    def _counts(self, name: str) -> bool:
        return all(one.name != name or one.is_sidecar for one in self._spec.init_containers)

    def container(self, name: str) -> Container:
        """Return a container."""
        return self._containers[name]

    def happened(self, *events: str) -> list[tuple[str, str]]:
        """Return what happened so far, of these events only."""
        return [(name, event) for name, event in list(self.events) if event in events]

    def delete(self, grace_s: int | None = None) -> None:
        """Begin the end of the pod. `grace_s` None: its own grace period."""

        def begin() -> None:
            self._grace_s = self._grace_s if grace_s is None else grace_s
            self._deleted.set()

        self._network.post(begin)

    def kill(self, container: str, *, is_oom: bool = False) -> None:
        """Send SIGKILL to a container. `is_oom`: as the kernel does when it exceeds its limit of memory."""
        self._network.post(lambda: self._containers[container].kill(is_oom=is_oom))

    def close(self) -> None:
        """End all of its containers at once, and return when they have ended."""

        async def end() -> None:
            self._deleted.set()
            life = self._life
            while life is not None and not life.done():
                for container in self._containers.values():
                    if container.status.running:
                        container.kill()
                await asyncio.wait({life}, timeout=0.1)

        self._network.call(end())

    def wait_ready(self) -> None:
        """Wait until the pod is ready."""

        def look() -> bool:
            assert not self.has_ended, f"{self.name} has ended: {self.events}"
            return self.is_ready

        eventually(look, f"{self.name} to be ready")

    def wait_ended(self, deadline_s: float = DEADLINE_S) -> Phase:
        """Wait until the pod has ended; return its phase."""
        eventually(lambda: self.has_ended, f"{self.name} to end", deadline_s)
        return self.phase

    async def dial(self, port: int) -> socket.socket:
        """Return a connection to a port of the pod, from the loop of the test. Raises `OSError`."""

        async def connect() -> socket.socket:
            connection = socket.socket()
            connection.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(connection, (self._network.ip, port))
            except BaseException:
                connection.close()
                raise
            return connection

        return await asyncio.wrap_future(self._network.submit(connect()))

    async def _live(self) -> None:
        work = asyncio.create_task(self._work(), name=f"work-of-{self.name}")
        deletion = asyncio.create_task(self._deleted.wait(), name=f"deletion-of-{self.name}")
        await asyncio.wait({work, deletion}, return_when=asyncio.FIRST_COMPLETED)
        deletion.cancel()
        work.cancel()
        await asyncio.wait({work, deletion})
        await self._end()
        for task in (work, *(container.life for container in self._containers.values())):
            if task is not None and not task.cancelled():
                task.result()

    async def _work(self) -> None:
        """Start all containers in their order; return when the main ones have ended for good, or one before them has."""
        for spec in self._spec.init_containers:
            container = self._containers[spec.name]
            container.start()
            assert container.life is not None
            started = asyncio.create_task(container.has_started.wait(), name=f"start-of-{spec.name}")
            waits = {started, container.life} if spec.is_sidecar else {container.life}
            # Cancelled with this task; the life of the container is not.
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                started.cancel()
            if spec.is_sidecar and not container.life.done():
                continue
            if container.status.state is None or container.status.state.exit_code != 0:
                return
        mains = [self._containers[spec.name] for spec in self._spec.containers]
        for main in mains:
            main.start()
        await asyncio.wait({main.life for main in mains if main.life is not None})

    async def _end(self) -> None:
        """End what still runs, in the order of the kubelet."""
        running = [container for container in self._containers.values() if container.life is not None]
        order = TerminationOrder(self._spec, {one.spec.name for one in running if one.status.running})

        async def end(container: Container) -> None:
            name = container.spec.name
            await container.terminate(self._grace_s, partial(order.wait_for_turn, name))
            order.ended(name)

        async with asyncio.TaskGroup() as group:
            for container in running:
                group.create_task(end(container), name=f"end-of-{container.spec.name}")
