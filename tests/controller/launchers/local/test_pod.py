"""A worker whose sidecar and containers are real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest

from dequeuer.controller.launchers.base import ProcessState
from dequeuer.controller.launchers.local.pod import LocalPod
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

    def __init__(self, container: str = CONTAINER, *, health: int = 200, status: int = 0) -> None:
        self.lines: list[str] = []
        self.ends: list[ProcessState] = []
        (port,) = free_ports(1)
        sidecar = self.spec("sidecar", SIDECAR % (health, status, port))
        self.pod = LocalPod([self.spec("container", container)], sidecar, port, self.ends.append)
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

    def pid(self, index: int) -> int:
        return self.pod._children[index].pid


async def test_the_sidecar_is_drained_before_its_container() -> None:
    stage = Stage()
    await stage.until(lambda: stage.pod.state.phase == "ready")
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
    await stage.until(lambda: stage.pod.state.phase == "ready")
    os.kill(stage.pid(0), signal.SIGKILL)
    await stage.until(lambda: stage.ends)
    assert stage.pod.state.phase == "killed"
    assert stage.pod.state.detail.startswith("container was killed by SIGKILL. Its last lines:\n")
    assert stage.lines[-1] == "sidecar ends"


@pytest.mark.parametrize(("status", "phase"), [(0, "succeeded"), (1, "failed")])
async def test_a_sidecar_that_ends_decides_how_the_worker_ended(status: int, phase: str) -> None:
    stage = Stage(status=status)
    await stage.until(lambda: stage.pod.state.phase == "ready")
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
