"""A worker whose sidecar and containers are real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest

from dequeuer.controller.launchers.base import ProcessState
from dequeuer.controller.launchers.local.guards import Guard, Verdict
from dequeuer.controller.launchers.local.pod import LocalPod, Prepared
from dequeuer.process.child_process import ProcessSpec
from dequeuer.process.ports import free_ports

CONTAINER = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('container ends'), sys.exit(0)))
print('container runs')
time.sleep(600)
"""
SIDECAR = """
import signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(%d)
        self.end_headers()
    def log_message(self, *_): pass
def drain(*_):
    time.sleep(0.2)
    print('sidecar ends')
    sys.exit(%d)
signal.signal(signal.SIGTERM, drain)
server = HTTPServer(('127.0.0.1', %d), Handler)
print('sidecar runs')
server.serve_forever(poll_interval=0.05)
"""


class Stage:
    """A pod, and what its processes print."""

    def __init__(
        self, container: str = CONTAINER, *, health: int = 200, status: int = 0, guards: tuple[Guard, ...] = ()
    ) -> None:
        self.lines: list[str] = []
        self.ends: list[ProcessState] = []
        (port,) = free_ports(1)
        sidecar = self.spec("sidecar", SIDECAR % (health, status, port))
        prepared = Prepared(process=self.spec("container", container), guards=guards)
        self.pod = LocalPod("worker-0", [lambda: prepared], sidecar, port, self.ends.append)
        self.pod.start()

    def spec(self, name: str, code: str) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            command=[sys.executable, "-uc", code],
            environment=dict(os.environ),
            stop_grace_s=30,
            on_line=self.lines.append,
        )

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.02)

    async def until_ready(self) -> None:
        """Wait until the worker is ready and both processes handle SIGTERM: the sidecar can be faster than the container."""
        await self.until(lambda: self.pod.state.phase == "ready" and len(self.lines) == 2)

    def pid(self, index: int) -> int:
        return self.pod._parts[index].child.pid


async def test_the_sidecar_is_drained_before_its_container() -> None:
    stage = Stage()
    await stage.until_ready()
    assert set(stage.lines) == {"container runs", "sidecar runs"}
    await stage.pod.stop()
    assert stage.lines[2:] == ["sidecar ends", "container ends"]
    assert (stage.pod.state, stage.ends) == (ProcessState(phase="succeeded", was_ready=True), [])


async def test_a_container_that_is_not_ready_is_none_of_the_failed() -> None:
    stage = Stage(health=500)
    await stage.until(lambda: stage.pod.state.phase == "not_ready" and len(stage.lines) == 2)
    assert not stage.pod.state.was_ready
    await stage.pod.stop()


async def test_a_container_that_is_killed_takes_its_sidecar_along() -> None:
    stage = Stage()
    await stage.until_ready()
    os.kill(stage.pid(0), signal.SIGKILL)
    await stage.until(lambda: stage.ends)
    assert stage.pod.state.phase == "killed"
    assert stage.pod.state.detail.startswith("container was killed by SIGKILL. Its last lines:\n")
    assert stage.lines[-1] == "sidecar ends"


@pytest.mark.parametrize(("status", "phase"), [(0, "succeeded"), (1, "failed")])
async def test_a_sidecar_that_ends_decides_how_the_worker_ended(status: int, phase: str) -> None:
    stage = Stage(status=status)
    await stage.until_ready()
    os.kill(stage.pid(1), signal.SIGTERM)
    await stage.until(lambda: stage.ends)
    assert (stage.pod.state.phase, stage.pod.state.was_ready) == (phase, True)
    assert stage.lines[-1] == "container ends"


async def test_a_grace_period_can_be_ended() -> None:
    stage = Stage(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('hears nothing'); time.sleep(600)"
    )
    await stage.until(lambda: {"hears nothing", "sidecar runs"} <= set(stage.lines))
    stopping = asyncio.create_task(stage.pod.stop())
    await stage.until(lambda: "sidecar ends" in stage.lines)
    stage.pod.stop_now()
    async with asyncio.timeout(10):
        await stopping


class Judge(Guard):
    """Ends the container when it is told to, and knows why it has ended."""

    def __init__(self, verdict: Verdict | Exception | None = None, *, known: Verdict | None = None) -> None:
        self._verdict = verdict
        self._known = known
        self.may_judge = asyncio.Event()
        self.closed = 0

    async def watch(self, pid: int) -> Verdict:
        await self.may_judge.wait()
        if self._verdict is None:
            return await super().watch(pid)
        if isinstance(self._verdict, Exception):
            raise self._verdict
        return self._verdict

    def explain(self, status: int) -> Verdict | None:
        return self._known

    async def close(self) -> None:
        self.closed += 1


OOM = Verdict(phase="killed_oom", reason="was killed: too large")
UNLIVE = Verdict(phase="failed", reason="was ended: not live", has_grace=True)


async def test_a_container_that_is_judged_ends_within_its_grace_and_takes_its_sidecar_along() -> None:
    judge = Judge(UNLIVE)
    stage = Stage(guards=(Judge(), judge))
    await stage.until_ready()
    judge.may_judge.set()
    await stage.until(lambda: stage.ends)
    assert stage.lines[2:] == ["container ends", "sidecar ends"]
    (state,) = stage.ends
    assert (state.phase, state.was_ready) == ("failed", True)
    assert state.detail.startswith("container was ended: not live. Its last lines:\n")
    assert judge.closed == 1


async def test_a_container_that_uses_too_much_is_killed() -> None:
    judge = Judge(OOM)
    stage = Stage(guards=(judge,))
    await stage.until_ready()
    judge.may_judge.set()
    await stage.until(lambda: stage.ends)
    assert stage.lines[2:] == ["sidecar ends"]
    assert stage.ends[0].phase == "killed_oom"
    assert stage.ends[0].detail.startswith("container was killed: too large.")


async def test_a_container_that_uses_too_much_while_it_is_drained_is_killed() -> None:
    judge = Judge(OOM)
    stage = Stage(guards=(judge,))
    await stage.until_ready()
    stopping = asyncio.create_task(stage.pod.stop())
    judge.may_judge.set()
    await stopping
    assert stage.lines[2:] == ["sidecar ends"]
    assert (stage.pod.state.phase, stage.ends, judge.closed) == ("succeeded", [], 1)


async def test_a_guard_knows_better_than_the_exit_status() -> None:
    stage = Stage(guards=(Judge(), Judge(known=OOM)))
    await stage.until_ready()
    os.kill(stage.pid(0), signal.SIGKILL)
    await stage.until(lambda: stage.ends)
    assert stage.ends[0].phase == "killed_oom"


async def test_no_container_runs_without_its_guards() -> None:
    judge = Judge(RuntimeError("bug"))
    stage = Stage(guards=(judge,))
    await stage.until_ready()
    judge.may_judge.set()
    await stage.until(lambda: stage.ends)
    assert stage.ends[0].detail.startswith("container was ended because it cannot be watched: RuntimeError('bug')")


async def test_what_cannot_be_prepared_cannot_be_started() -> None:
    stage = Stage()
    await stage.pod.stop()
    judge = Judge()
    prepared = Prepared(process=stage.spec("container", CONTAINER), guards=(judge,))

    def refuse() -> Prepared:
        raise OSError("no room for a cgroup")

    pod = LocalPod("worker-0", [lambda: prepared, refuse], None, None, stage.ends.append)
    pod.start()
    await stage.until(lambda: stage.ends)
    assert stage.ends == [ProcessState(phase="failed", detail="worker-0 cannot be started: no room for a cgroup")]
    assert judge.closed == 1
