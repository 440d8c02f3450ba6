"""The readiness gate: nothing is pulled from the queue while a probe fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dequeuer.core.readiness import Condition
from dequeuer.errors import clip
from dequeuer.events import GateChanged, Observer, Probed
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


class Gate(Condition):
    """Open while every probe is healthy; with no probes always open.

    Until `run` has seen each probe succeed the gate is closed; once `run` has ended it stays as it was.
    """

    def __init__(self, probes: Sequence[Probe], observer: Observer) -> None:
        super().__init__(is_open=not probes)
        self._watched = [(probe, ProbeState(probe.timing)) for probe in probes]
        self._observer = observer

    async def run(self) -> None:
        """Run every probe, on and on, until cancelled. An observer that raises ends it."""
        if self.is_open:
            self._observer(GateChanged(is_open=True))
        async with asyncio.TaskGroup() as group:
            for probe, state in self._watched:
                group.create_task(self._watch(probe, state), name=f"probe:{probe.name}")
            await asyncio.get_running_loop().create_future()  # without a probe there is nothing else to wait for

    async def _watch(self, probe: Probe, state: ProbeState) -> None:
        loop = asyncio.get_running_loop()
        timing = probe.timing
        period_s = min(timing.period_s, timing.startup_period_s)
        await asyncio.sleep(timing.initial_delay_s)
        while True:
            started = loop.time()
            result = await _check(probe)
            if result.ok:
                period_s = timing.period_s
            changed = state.record(ok=result.ok)
            self._observer(
                Probed(
                    probe=probe.name,
                    ok=result.ok,
                    healthy=state.healthy,
                    changed=changed,
                    detail=result.detail,
                    warning=result.warning,
                )
            )
            self._update()
            await asyncio.sleep(max(0.0, started + period_s - loop.time()))

    def _update(self) -> None:
        is_open = all(state.healthy for _, state in self._watched)
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
