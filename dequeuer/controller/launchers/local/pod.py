"""A worker on this machine: its containers, and for batch jobs their sidecar. When one of them ends, all end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from dequeuer.controller.launchers.base import Phase, ProcessState
from dequeuer.pods.readiness import is_ready
from dequeuer.process.child_process import ChildProcess, ProcessSpec

POLL_INTERVAL_S: Final = 0.5
_SIGKILL = -9


class LocalPod:
    """Processes that were started and have not all been stopped, or the memory of how they ended.

    Args:
        containers: in the order of their start.
        sidecar: its exit status is that of the pod; None: the first container that ends decides.
        admin_port: of the sidecar, which knows whether the containers are ready; None: they are, once they run.
        on_end: called when the pod has ended by itself.
    """

    def __init__(
        self,
        containers: Sequence[ProcessSpec],
        sidecar: ProcessSpec | None,
        admin_port: int | None,
        on_end: Callable[[ProcessState], None],
    ) -> None:
        self._specs = (*containers, sidecar) if sidecar is not None else tuple(containers)
        self._has_sidecar = sidecar is not None
        self._admin_port = admin_port
        self._on_end = on_end
        self._children: list[ChildProcess] = []
        self._stop_requested = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self.state = ProcessState(phase="creating")

    def start(self) -> None:
        """Start all processes, in the background."""
        self._life = asyncio.create_task(self._live(), name=f"pod-{self._specs[0].name}")

    def request_stop(self) -> None:
        """Drain the sidecar, then stop the containers, in the background."""
        self._stop_requested.set()

    async def stop(self) -> None:
        """Stop, and return when all processes have ended. They end also when this call is cancelled."""
        self.request_stop()
        if self._life is not None:
            await asyncio.shield(self._life)

    def stop_now(self) -> None:
        """End the grace periods of all processes."""
        self._stop_now.set()

    async def _live(self) -> None:
        watching = asyncio.create_task(self._watch_readiness(self._admin_port), name="pod-readiness")
        ends: list[asyncio.Task[int]] = []
        stopping = asyncio.create_task(self._stop_requested.wait(), name="pod-stop")
        try:
            for spec in self._specs:
                child = await ChildProcess.start(spec)
                self._children.append(child)
                ends.append(asyncio.create_task(child.wait(), name=f"{spec.name}-end"))
            if self._admin_port is None:
                self._set("ready")
            await asyncio.wait({*ends, stopping}, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, ValueError) as error:  # no more processes, no such folder, a NUL character
            self._end("failed", f"cannot be started: {error}")
        finally:
            watching.cancel()
            first = next((child for child, end in zip(self._children, ends, strict=False) if end.done()), None)
            ended = self._how(first) if first is not None and not self._stop_requested.is_set() else None
            if ended is None and not self.state.has_ended:
                self._set("terminating")
            # The sidecar is the last of them: it is drained while its container still runs.
            for child in reversed(self._children):
                await child.stop(self._stop_now)
            stopping.cancel()
            await asyncio.wait({*ends, watching, stopping})
        if ended is not None:
            self._end(*ended)
        elif not self.state.has_ended:
            self._set("succeeded")

    def _how(self, child: ChildProcess) -> tuple[Phase, str]:
        status = child.status or 0
        if status == _SIGKILL:
            return "killed", child.describe_end()
        return ("failed" if status else "succeeded"), child.describe_end()

    def _end(self, phase: Phase, detail: str) -> None:
        self._set(phase, detail)
        self._on_end(self.state)

    def _set(self, phase: Phase, detail: str = "") -> None:
        was_ready = self.state.was_ready or phase == "ready"
        self.state = ProcessState(phase=phase, was_ready=was_ready, detail=detail)

    async def _watch_readiness(self, admin_port: int | None) -> None:
        """Follow whether the containers are ready. One that was ready for a moment was ready all the same."""
        while admin_port is not None:
            self._set("ready" if await is_ready(admin_port) else "not_ready")
            await asyncio.sleep(POLL_INTERVAL_S)
