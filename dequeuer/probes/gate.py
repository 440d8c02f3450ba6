"""The readiness gate: nothing is pulled from the queue while a probe fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from dequeuer.core.errors import clip
from dequeuer.core.events import GateChanged, Observer, Probed
from dequeuer.core.readiness import Condition
from dequeuer.probes.base import Probe, ProbeResult, ProbeTiming

OVERRUN_S = 1.0
"""How much longer than its time-out a check may take before it is cut off: a hung one would freeze the gate."""


class ProbeState:
    """What the results of one probe amount to, counted as the kubelet counts them.

    Readiness starts failed. It changes only when as many results in a row as the threshold says
    speak for the other state.
    """

    def __init__(self, timing: ProbeTiming) -> None:
        self._timing = timing
        self._last: bool | None = None
        self._in_a_row = 0
        self.healthy = False

    def record(self, *, ok: bool) -> bool:
        """Count one result; tell whether the state changed with it, or it was the first one."""
        first = self._last is None
        self._in_a_row = self._in_a_row + 1 if ok is self._last else 1
        self._last = ok
        before = self.healthy
        if self._in_a_row >= (self._timing.success_threshold if ok else self._timing.failure_threshold):
            self.healthy = ok
        return first or self.healthy is not before


class _Watched:
    """A probe, its state, and whether it is to run now."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.timing = probe.timing
        self.restart = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        """Start as for a new container: failed, and with the period of start-up."""
        self.state = ProbeState(self.timing)
        self.period_s = min(self.timing.period_s, self.timing.startup_period_s)
        self.restart.clear()

    async def pause(self, wait_s: float) -> None:
        """Return after `wait_s`, or earlier for a restart."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.restart.wait()


class Gate(Condition):
    """Open while every probe is healthy; with no probes always open.

    Until `run` has seen each probe succeed the gate is closed; once `run` has ended it stays as it was.
    """

    def __init__(self, probes: Sequence[Probe], observer: Observer) -> None:
        super().__init__(is_open=not probes)
        self._watched = [_Watched(probe) for probe in probes]
        self._observer = observer

    async def run(self) -> None:
        """Run every probe, on and on, until cancelled. An observer that raises ends it."""
        if self.is_open:
            self._observer(GateChanged(is_open=True))
        async with asyncio.TaskGroup() as group:
            for watched in self._watched:
                group.create_task(self._watch(watched), name=f"probe:{watched.probe.name}")
            await asyncio.get_running_loop().create_future()  # without a probe there is nothing else to wait for

    def connection_failed(self) -> None:
        """Close the gate at once: a request has found that the container accepts no connection.

        Until a probe notices (with a period of 10 s and a threshold of 3: half a minute) each message that is received
        would be refused, at the rate at which the queue delivers, and would lose an attempt. The container is treated
        as a new one: every probe runs now, starts failed, and has the period of start-up until it succeeds.
        """
        if not self._watched or not self.is_open:
            return
        for watched in self._watched:
            watched.state.healthy = False
            watched.restart.set()
        self._update()

    async def _watch(self, watched: _Watched) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(watched.timing.initial_delay_s)
        while True:
            started = loop.time()
            result = await _check(watched.probe)
            if watched.restart.is_set():
                # This check may have begun before the connection failed: its result says nothing of what is there now.
                watched.begin()
                continue
            if result.ok:
                watched.period_s = watched.timing.period_s
            changed = watched.state.record(ok=result.ok)
            self._observer(
                Probed(
                    probe=watched.probe.name,
                    ok=result.ok,
                    healthy=watched.state.healthy,
                    changed=changed,
                    detail=result.detail,
                    warning=result.warning,
                )
            )
            self._update()
            await watched.pause(max(0.0, started + watched.period_s - loop.time()))
            if watched.restart.is_set():
                watched.begin()

    def _update(self) -> None:
        is_open = all(watched.state.healthy for watched in self._watched)
        if is_open is self.is_open:
            return
        self.set(is_open=is_open)
        self._observer(GateChanged(is_open=is_open))


async def _check(probe: Probe) -> ProbeResult:
    try:
        async with asyncio.timeout(probe.timing.timeout_s + OVERRUN_S):
            return await probe.check()
    except asyncio.CancelledError:
        # One that nobody asked for, out of a cancelled future inside the check, would end this probe's
        # task without a trace: a task group takes it for a normal end.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return ProbeResult(ok=False, detail="CancelledError")
    except Exception as error:  # noqa: BLE001 - a bug in a probe closes the gate; it does not end the process
        return ProbeResult(ok=False, detail=clip(type(error).__name__))
