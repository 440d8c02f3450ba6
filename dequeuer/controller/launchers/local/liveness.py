"""Liveness probes of containers, as the kubelet runs them: a container that fails its probe is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from dequeuer.apis.container import Probe as ProbeConfig
from dequeuer.controller.launchers.local.guards import Guard, Verdict
from dequeuer.http.origin import LOCALHOST_IPV6
from dequeuer.probes.base import Probe, ProbeResult, ProbeTiming
from dequeuer.probes.gate import ProbeState, check_once
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.tcp_socket import TcpSocketProbe
from dequeuer.process.child_process import ChildProcess, ProcessSpec

_AT_ONCE = asyncio.Event()
_AT_ONCE.set()


class Liveness(Guard):
    """Runs a probe, from the start of the container on."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def watch(self, pid: int) -> Verdict:
        """Return when the probe has failed as often as it may."""
        del pid
        loop, timing = asyncio.get_running_loop(), self._probe.timing
        state = ProbeState(timing, healthy=True)
        await asyncio.sleep(timing.initial_delay_s)
        while True:
            started = loop.time()
            result = await check_once(self._probe)
            state.record(ok=result.ok)
            if not state.healthy:
                times = f"{timing.failure_threshold} times in a row" if timing.failure_threshold > 1 else "once"
                reason = f"was ended because its liveness probe failed {times} ({result.detail})"
                return Verdict(phase="failed", reason=reason, has_grace=True)
            await asyncio.sleep(max(0.0, started + timing.period_s - loop.time()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecProbe:
    """A command: its exit status 0 is success. A command that takes longer than the timeout is killed.

    Attributes:
        name: in logs.
        timing: see `ProbeTiming`.
        process: how the command is run.
    """

    name: str
    timing: ProbeTiming
    process: ProcessSpec

    async def check(self) -> ProbeResult:
        """Run the command once. Its output is not shown: it may hold anything."""
        try:
            child = await ChildProcess.start(self.process)
        except (OSError, ValueError) as error:
            return ProbeResult(ok=False, detail=f"its command cannot be started: {error}")
        try:
            async with asyncio.timeout(self.timing.timeout_s):
                status = await child.wait()
        except TimeoutError:
            return ProbeResult(ok=False, detail=f"its command did not end within {self.timing.timeout_s:g} s")
        finally:
            child.kill()  # before the next await, at which this call may be cancelled
            await child.stop(_AT_ONCE)
        return ProbeResult(ok=status == 0, detail=f"its command ended with status {status}")


def probe_of(config: ProbeConfig, process: ProcessSpec, ports: Mapping[int, int]) -> Probe:
    """Return a probe.

    Args:
        config: in cortex.yaml.
        process: the container; a command is run as it is: at its root, with its environment.
        ports: replaces some ports.
    """
    timing = ProbeTiming(
        initial_delay_s=config.initial_delay_s,
        timeout_s=config.timeout_s or 1,
        period_s=config.period_s or 10,
        success_threshold=config.success_threshold or 1,
        failure_threshold=config.failure_threshold or 3,
    )
    if (http := config.http_get) is not None:
        port = ports.get(http.port, http.port)
        return HttpGetProbe(
            name="liveness:http_get", timing=timing, port=port, path=http.path, alternatives=(LOCALHOST_IPV6,)
        )
    if (tcp := config.tcp_socket) is not None:
        port = ports.get(tcp.port, tcp.port)
        return TcpSocketProbe(name="liveness:tcp_socket", timing=timing, port=port, alternatives=(LOCALHOST_IPV6,))
    return ExecProbe(name="liveness:exec", timing=timing, process=process)
