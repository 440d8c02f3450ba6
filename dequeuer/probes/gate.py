"""The readiness gate: no messages are received while a probe fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from dequeuer.core.errors import clip
from dequeuer.core.events import GateChanged, Observer, Probed
from dequeuer.core.readiness import Condition
from dequeuer.probes.base import Probe, ProbeResult, ProbeTiming

CHECK_TIMEOUT_MARGIN_S = 1.0
"""A check is cancelled this long after its own timeout, seconds: a check that hangs would stop the gate."""


class ProbeState:
    """The state of one probe, computed from its results as the kubelet does it.

    Its state changes only after as many equal results in a row as the threshold says.

    Args:
        timing: of the probe.
        healthy: at the start: a readiness probe is failed, and a liveness probe is not.
    """

    def __init__(self, timing: ProbeTiming, *, healthy: bool = False) -> None:
        self._timing = timing
        self._last: bool | None = None
        self._in_a_row = 0
        self.healthy = healthy

    def record(self, *, ok: bool) -> bool:
        """Count one result; return True when it changes the state, or is the first one."""
        first = self._last is None
        self._in_a_row = self._in_a_row + 1 if ok is self._last else 1
        self._last = ok
        before = self.healthy
        if self._in_a_row >= (self._timing.success_threshold if ok else self._timing.failure_threshold):
            self.healthy = ok
        return first or self.healthy is not before


class _ProbeRunner:
    """A probe with its state, and the request to run it now."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.timing = probe.timing
        self.restart = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        """Start as for a new container: failed, with the shorter period until the first success."""
        self.state = ProbeState(self.timing)
        self.period_s = min(self.timing.period_s, self.timing.startup_period_s)
        self.restart.clear()

    async def pause(self, wait_s: float) -> None:
        """Return after `wait_s`, or earlier for a restart."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.restart.wait()


class Gate(Condition):
    """Open while every probe is healthy; always open when there are no probes.

    Closed until every probe has succeeded while `run` was running. After `run` has ended, the state stays as it is.
    """

    def __init__(self, probes: Sequence[Probe], observer: Observer) -> None:
        super().__init__(is_open=not probes)
        self._runners = [_ProbeRunner(probe) for probe in probes]
        self._observer = observer

    async def run(self) -> None:
        """Run all probes until cancelled. An exception of the observer ends it."""
        if self.is_open:
            self._observer(GateChanged(is_open=True))
        async with asyncio.TaskGroup() as group:
            for runner in self._runners:
                group.create_task(self._watch(runner), name=f"probe:{runner.probe.name}")
            await asyncio.get_running_loop().create_future()  # without probes there is nothing else to wait for

    def connection_failed(self) -> None:
        """Close the gate at once, because a request could not connect to the container.

        The probes need time to detect this: half a minute with a period of 10 s and a threshold of 3. Until then every
        received message would lose an attempt, as fast as the queue delivers. The container is treated as a new one:
        every probe is failed, runs now, and has the shorter period until its first success.
        """
        if not self._runners or not self.is_open:
            return
        for runner in self._runners:
            runner.state.healthy = False
            runner.restart.set()
        self._update()

    async def _watch(self, runner: _ProbeRunner) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(runner.timing.initial_delay_s)
        while True:
            started = loop.time()
            result = await check_once(runner.probe)
            if runner.restart.is_set():
                # The check may have begun before the connection failed: its result may be about the old container.
                runner.begin()
                continue
            if result.ok:
                runner.period_s = runner.timing.period_s
            changed = runner.state.record(ok=result.ok)
            self._observer(
                Probed(
                    probe=runner.probe.name,
                    ok=result.ok,
                    healthy=runner.state.healthy,
                    changed=changed,
                    detail=result.detail,
                    warning=result.warning,
                )
            )
            self._update()
            await runner.pause(max(0.0, started + runner.period_s - loop.time()))
            if runner.restart.is_set():
                runner.begin()

    def _update(self) -> None:
        is_open = all(runner.state.healthy for runner in self._runners)
        if is_open is self.is_open:
            return
        self.set(is_open=is_open)
        self._observer(GateChanged(is_open=is_open))


async def check_once(probe: Probe) -> ProbeResult:
    """Check once, also with a probe that hangs or raises. Raises only `CancelledError`."""
    try:
        async with asyncio.timeout(probe.timing.timeout_s + CHECK_TIMEOUT_MARGIN_S):
            return await probe.check()
    except asyncio.CancelledError:
        # When nothing has cancelled this task, the error comes from a cancelled future inside the check. If it were
        # raised, the task of this probe would end silently: a task group treats that as a normal end.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return ProbeResult(ok=False, detail="CancelledError")
    except Exception as error:  # noqa: BLE001 - a bug in a probe closes the gate; it does not end the process
        return ProbeResult(ok=False, detail=clip(type(error).__name__))
