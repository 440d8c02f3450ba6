"""The life of one container: its process, which is started again as the pod says, its probes and its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dequeuer.probes.base import ProbeTiming
from dequeuer.probes.gate import ProbeState
from dequeuer.process.child_process import ChildProcess, ProcessSpec
from tests.kubelet.actions import act
from tests.kubelet.back_off import BackOff
from tests.kubelet.spec import ContainerSpec, ProbeSpec
from tests.kubelet.status import ContainerStatus, Terminated

MIN_GRACE_S: Final = 2
"""The kubelet gives every container so long after SIGTERM, also when the grace period is over by then."""

Turn = Callable[[float], Awaitable[None]]
"""Waits until the container may get SIGTERM, but no longer than so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the programs of a container are run. `enter`: the beginning of each command."""

    enter: Sequence[str]
    program: Sequence[str]
    environment: Mapping[str, str]
    folder: Path

    def command(self, command: Sequence[str]) -> list[str]:
        """Return a command that runs the given one in the container."""
        return [*self.enter, *command]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a container has from its pod.

    Attributes:
        pod_ip: which probes and hooks ask.
        grace_s: the grace period of the pod.
        back_off: between two starts.
        note: called with each event of the container.
        on_line: called with each line that it prints.
    """

    pod_ip: str
    grace_s: int
    back_off: BackOff
    note: Callable[[str], None]
    on_line: Callable[[str], None]


class Container:
    """A container that is started by `start`, or was never started.

    Args:
        spec: of the container.
        launch: how its programs are run.
        restarts: whether it is started again: Always, OnFailure or Never.
        around: what it has from its pod.
    """

    def __init__(self, spec: ContainerSpec, launch: Launch, restarts: str, around: Surroundings) -> None:
        self.spec = spec
        self.status = ContainerStatus()
        self.has_started = asyncio.Event()
        """Set when it has started for the first time."""
        self.life: asyncio.Task[None] | None = None
        """Ends with the last run of the container. None: it was never started."""
        self._launch = launch
        self._restarts = restarts
        self._around = around
        self._child: ChildProcess | None = None
        self._process_ended = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_oom = False
        self._is_told_to_end = False

    def start(self) -> None:
        """Start it, in the background."""
        self.life = asyncio.create_task(self._live(), name=f"container-{self.spec.name}")

    def kill(self, *, is_oom: bool = False) -> None:
        """Send SIGKILL. `is_oom`: as the kernel does when it exceeds its limit of memory."""
        assert self._child is not None, f"the container '{self.spec.name}' does not run"
        self._is_oom = is_oom
        self._child.kill()

    async def terminate(self, grace_s: int, turn: Turn) -> None:
        """Run its hook, wait for its turn, send SIGTERM, after the grace period SIGKILL; return when it has ended.

        It is not started again. Its hook runs at once, also when its turn comes later: as in the kubelet.
        """
        self._stopping.set()
        if self.status.running:
            await self._end_process(grace_s, turn)
        if self.life is not None:
            await asyncio.wait({self.life})

    async def _live(self) -> None:
        while True:
            await self._run()
            if self._stopping.is_set() or not self._starts_again():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._around.back_off.pause_s(self.status.restart_count)):
                    await self._stopping.wait()
                    return

    def _starts_again(self) -> bool:
        assert self.status.state is not None
        return self._restarts == "Always" or (self._restarts == "OnFailure" and self.status.state.exit_code != 0)

    async def _run(self) -> None:
        """Run the process once, with its probes."""
        self._process_ended.clear()
        self._is_oom = self._is_told_to_end = False
        spec = ProcessSpec(
            name=self.spec.name,
            command=self._launch.command(self._launch.program),
            environment=self._launch.environment,
            folder=self._launch.folder,
            stop_grace_s=0,
            on_line=self._around.on_line,
        )
        self._child = await ChildProcess.start(spec)
        self._around.note("runs")  # before the status, which tests wait for
        self.status.begin()
        probes = asyncio.create_task(self._probe(), name=f"probes-{self.spec.name}")
        status = await self._child.wait()
        self._child.output.close()
        self._process_ended.set()
        probes.cancel()
        await asyncio.wait({probes})
        terminated = Terminated.of(status, is_oom=self._is_oom)
        self.status.end(terminated)
        self._around.note(f"ended {terminated.exit_code}")
        if not probes.cancelled() and probes.exception() is not None:
            probes.result()

    async def _probe(self) -> None:
        if self.spec.startup is not None and not await self._passes(self.spec.startup):
            await self._restart_for("startup probe failed", self.spec.startup)
            return
        self.status.started = True
        self._around.note("started")
        self.has_started.set()
        self.status.ready = self.spec.readiness is None
        async with asyncio.TaskGroup() as group:
            if self.spec.readiness is not None:
                group.create_task(self._watch_readiness(self.spec.readiness))
            if self.spec.liveness is not None:
                group.create_task(self._watch_liveness(self.spec.liveness))

    async def _passes(self, probe: ProbeSpec) -> bool:
        """Return whether the startup probe succeeds before it has failed too often."""
        state = ProbeState(probe.timing, healthy=True)
        await asyncio.sleep(probe.timing.initial_delay_s)
        while state.healthy:
            is_ok = await self._check(probe)
            if is_ok:
                return True
            state.record(ok=False)
            await asyncio.sleep(probe.timing.period_s)
        return False

    async def _watch_readiness(self, probe: ProbeSpec) -> None:
        state = ProbeState(probe.timing)
        await asyncio.sleep(probe.timing.initial_delay_s)
        while True:
            state.record(ok=await self._check(probe))
            if self.status.ready is not state.healthy:
                self.status.ready = state.healthy
                self._around.note("ready" if state.healthy else "not ready")
            await asyncio.sleep(probe.timing.period_s)

    async def _watch_liveness(self, probe: ProbeSpec) -> None:
        state = ProbeState(probe.timing, healthy=True)
        await asyncio.sleep(probe.timing.initial_delay_s)
        while True:
            state.record(ok=await self._check(probe))
            if not state.healthy:
                break
            await asyncio.sleep(probe.timing.period_s)
        await self._restart_for("liveness probe failed", probe)

    async def _check(self, probe: ProbeSpec) -> bool:
        return (await act(probe.action, probe.timing, self._around.pod_ip, self._launch)).ok

    async def _restart_for(self, reason: str, probe: ProbeSpec) -> None:
        """End the process; whether it is started again depends on the pod. Not while the pod ends: it does that itself."""
        if self._stopping.is_set():
            return
        self._around.note(reason)
        await self._end_process(self._around.grace_s if probe.grace_s is None else probe.grace_s, None)

    async def _end_process(self, grace_s: int, turn: Turn | None) -> None:
        loop = asyncio.get_running_loop()
        child, left_s, began = self._child, grace_s, loop.time()
        assert child is not None
        if self.spec.pre_stop is not None and left_s > 0:
            self._around.note("preStop")
            result = await act(self.spec.pre_stop, ProbeTiming(timeout_s=left_s), self._around.pod_ip, self._launch)
            self._around.note(f"preStop {'ended' if result.ok else 'failed'}")
            left_s -= int(loop.time() - began)
        if turn is not None and left_s > 0:
            began = loop.time()
            await turn(left_s)
            left_s -= int(loop.time() - began)
        if child.status is None and not self._is_told_to_end:
            self._is_told_to_end = True
            self._around.note("SIGTERM")
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)  # to its first process alone, as container runtimes do
        try:
            async with asyncio.timeout(max(left_s, MIN_GRACE_S)):
                await self._process_ended.wait()
        except TimeoutError:
            self._around.note("SIGKILL")
            child.kill()
            await self._process_ended.wait()
