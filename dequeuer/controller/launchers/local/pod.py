"""A worker on this machine: its containers, and for batch jobs their sidecar. When one of them ends, all end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from dequeuer.controller.launchers.base import Phase, ProcessState
from dequeuer.controller.launchers.local.guards import Guard, Verdict
from dequeuer.pods.readiness import is_ready
from dequeuer.process.child_process import ChildProcess, ProcessSpec
from dequeuer.process.exit_text import describe_exit, with_last_lines

POLL_INTERVAL_S: Final = 0.5
_SIGKILL = -9


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A process that can be started, and what guards it while it runs."""

    process: ProcessSpec
    guards: tuple[Guard, ...] = ()


class _Part:
    """One process of the pod, which has been started."""

    def __init__(self, prepared: Prepared, child: ChildProcess) -> None:
        self.child = child
        self._guards = prepared.guards
        self.end = asyncio.create_task(child.wait(), name=f"{child.name}-end")
        self.watches = [asyncio.create_task(self._watch(guard), name=f"{child.name}-guard") for guard in self._guards]

    def verdict(self) -> Verdict | None:
        """Return how it has ended, or has to end; None: it runs, and may go on."""
        verdict = next((watch.result() for watch in self.watches if watch.done()), None)
        if verdict is None and self.end.done():
            known = (guard.explain(self.end.result()) for guard in self._guards)
            return next((found for found in known if found is not None), None) or self._own_end()
        return verdict

    async def _watch(self, guard: Guard) -> Verdict:
        try:
            verdict = await guard.watch(self.child.pid)
        except Exception as error:  # noqa: BLE001 - nothing may run without its guards
            verdict = Verdict(phase="failed", reason=f"was ended because it cannot be watched: {error!r}")
        if not verdict.has_grace:
            self.child.kill()  # here, because nobody asks for verdicts any more while the pod is being stopped
        return verdict

    def describe(self, verdict: Verdict) -> str:
        """Return an end as text for people."""
        return with_last_lines(f"{self.child.name} {verdict.reason}", tuple(self.child.output.tail))

    def _own_end(self) -> Verdict:
        status = self.end.result()
        reason = describe_exit(status)
        if status == _SIGKILL:
            return Verdict(phase="killed", reason=reason)
        return Verdict(phase="failed" if status else "succeeded", reason=reason)


class LocalPod:
    """Processes that were started and have not all been stopped, or the memory of how they ended.

    Args:
        name: for people.
        containers: in the order of their start; each is prepared just before. Raises `OSError`.
        sidecar: its exit status is that of the pod; None: the first container that ends decides.
        admin_port: of the sidecar, which knows whether the containers are ready; None: they are, once they run.
        on_end: called when the pod has ended by itself.
    """

    def __init__(
        self,
        name: str,
        containers: Sequence[Callable[[], Prepared]],
        sidecar: ProcessSpec | None,
        admin_port: int | None,
        on_end: Callable[[ProcessState], None],
    ) -> None:
        self._name = name
        self._prepare: list[Callable[[], Prepared]] = list(containers)
        if sidecar is not None:
            self._prepare.append(partial(Prepared, process=sidecar))
        self._admin_port = admin_port
        self._on_end = on_end
        self._parts: list[_Part] = []
        self._guards: list[Guard] = []
        self._stop_requested = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self.state = ProcessState(phase="creating")

    def start(self) -> None:
        """Start all processes, in the background."""
        self._life = asyncio.create_task(self._live(), name=f"pod-{self._name}")

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
        stopping = asyncio.create_task(self._stop_requested.wait(), name="pod-stop")
        failure: ProcessState | None = None
        try:
            await self._start_parts()
            if self._admin_port is None:
                self._set("ready")
            waits = [task for part in self._parts for task in (part.end, *part.watches)]
            await asyncio.wait({*waits, stopping}, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, ValueError) as error:  # no more processes, no such folder, a NUL character
            failure = ProcessState(phase="failed", detail=f"{self._name} cannot be started: {error}")
        finally:
            watching.cancel()
            ended = await self._judge() if not self._stop_requested.is_set() else None
            if failure is None and ended is None:
                self._set("terminating")
            # The sidecar is the last of them: it is drained while its container still runs.
            for part in reversed(self._parts):
                await part.child.stop(self._stop_now)
            stopping.cancel()
            await self._forget(watching, stopping)
        self._end(failure or ended)

    async def _start_parts(self) -> None:
        for prepare in self._prepare:
            prepared = prepare()
            self._guards += prepared.guards
            self._parts.append(_Part(prepared, await ChildProcess.start(prepared.process)))

    async def _judge(self) -> ProcessState | None:
        """Return how the pod has ended, with the first of its processes that did; end one that has to end."""
        for part in self._parts:
            verdict = part.verdict()
            if verdict is not None:
                await part.child.stop(self._stop_now)
                return ProcessState(phase=verdict.phase, detail=part.describe(verdict))
        return None

    async def _forget(self, *tasks: asyncio.Task[object]) -> None:
        watches = [watch for part in self._parts for watch in part.watches]
        for watch in watches:
            watch.cancel()
        await asyncio.wait({*watches, *(part.end for part in self._parts), *tasks})
        for guard in self._guards:
            await guard.close()

    def _end(self, ended: ProcessState | None) -> None:
        if ended is None:
            self._set("succeeded")
            return
        self._set(ended.phase, ended.detail)
        self._on_end(self.state)

    def _set(self, phase: Phase, detail: str = "") -> None:
        was_ready = self.state.was_ready or phase == "ready"
        self.state = ProcessState(phase=phase, was_ready=was_ready, detail=detail)

    async def _watch_readiness(self, admin_port: int | None) -> None:
        """Follow whether the containers are ready. One that was ready for a moment was ready all the same."""
        while admin_port is not None:
            self._set("ready" if await is_ready(admin_port) else "not_ready")
            await asyncio.sleep(POLL_INTERVAL_S)
