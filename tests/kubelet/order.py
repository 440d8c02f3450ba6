"""In which order the containers of a pod get SIGTERM (`kuberuntime_termination_order.go` of the kubelet)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from tests.kubelet.spec import PodSpec


class TerminationOrder:
    """The main containers at once; a native sidecar after all of them, and after those that are declared behind it.

    Args:
        pod: whose containers end.
        running: names of those that run now; nobody waits for others.
    """

    def __init__(self, pod: PodSpec, running: Collection[str]) -> None:
        mains = [container.name for container in pod.containers]
        sidecars = [container.name for container in pod.init_containers if container.is_sidecar]
        self._ended = {name: asyncio.Event() for name in (*mains, *(one.name for one in pod.init_containers))}
        for name, event in self._ended.items():
            if name not in running:
                event.set()
        self._before = {name: [*mains, *sidecars[at + 1 :][:1]] for at, name in enumerate(sidecars)}

    async def wait_for_turn(self, name: str, timeout_s: float) -> None:
        """Return when a container may get SIGTERM, or after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                for other in self._before.get(name, ()):
                    await self._ended[other].wait()
        except TimeoutError:
            return

    def ended(self, name: str) -> None:
        """Note that a container has ended."""
        self._ended[name].set()
