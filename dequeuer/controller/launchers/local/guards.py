"""What is done about a container while it runs: its limits, and its liveness."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dequeuer.controller.launchers.base import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a container ended, or has to end.

    Attributes:
        phase: of the worker.
        reason: goes on after the container's name: "was killed: ...".
        has_grace: it may take its time between SIGTERM and SIGKILL.
    """

    phase: Phase
    reason: str
    has_grace: bool = False


class Guard:
    """Of one run of one container. What a subclass does not say holds for all: it never ends the container."""

    async def watch(self, pid: int) -> Verdict:
        """Return when the container has to be ended. It runs in a session of its own, which has its process id."""
        del pid
        never: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        return await never

    def explain(self, status: int) -> Verdict | None:
        """Say why the container has ended, when that is known better than from its exit status."""
        del status
        return None

    async def close(self) -> None:
        """Give back what is held for the container. It has ended, or was never started."""
