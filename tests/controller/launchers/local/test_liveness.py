"""Liveness probes: thresholds and times as the kubelet's, and commands as processes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from dequeuer.apis.container import Probe as ProbeConfig
from dequeuer.controller.launchers.local.liveness import ExecProbe, Liveness, probe_of
from dequeuer.probes.base import ProbeResult, ProbeTiming
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.tcp_socket import TcpSocketProbe
from dequeuer.process.child_process import ProcessSpec
from tests.jumping_clock import jumping_clock


class Scripted:
    """A probe with results in turn; True: success, None: it hangs."""

    name = "fake"

    def __init__(self, *results: bool | None, **timing: float) -> None:
        self.timing = ProbeTiming(**timing)  # type: ignore[arg-type] # thresholds are whole numbers
        self._results = list(results)

    async def check(self) -> ProbeResult:
        ok = self._results.pop(0)
        if ok is None:
            await asyncio.get_running_loop().create_future()
        return ProbeResult(ok=bool(ok), detail="connection refused")


@pytest.mark.looptime
async def test_a_container_is_ended_after_so_many_failures_in_a_row(looptime: Any) -> None:
    probe = Scripted(True, False, False, True, False, False, False, initial_delay_s=5)
    verdict = await Liveness(probe).watch(1)
    assert looptime == 5 + 6 * 10
    assert (verdict.phase, verdict.has_grace) == ("failed", True)
    assert verdict.reason == "was ended because its liveness probe failed 3 times in a row (connection refused)"


@pytest.mark.looptime
async def test_a_container_counts_as_live_before_its_first_success(looptime: Any) -> None:
    verdict = await Liveness(Scripted(False, False, period_s=2, failure_threshold=2)).watch(1)
    assert looptime == 2
    assert "2 times in a row" in verdict.reason


@pytest.mark.looptime
async def test_a_probe_that_hangs_has_failed(looptime: Any) -> None:
    verdict = await Liveness(Scripted(None, failure_threshold=1, timeout_s=4)).watch(1)
    assert looptime == 5
    assert "failed once" in verdict.reason


@pytest.mark.looptime
async def test_a_container_that_is_live_is_never_ended() -> None:
    watching = asyncio.create_task(Liveness(Scripted(*[True] * 1000)).watch(1))
    await asyncio.sleep(9000)
    assert not watching.done()
    watching.cancel()


def process(code: str, folder: Path) -> ProcessSpec:
    return ProcessSpec(
        name="probe",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        folder=folder,
        stop_grace_s=0,
        on_line=lambda _: None,
    )


def exec_probe(code: str, folder: Path, timeout_s: float = 60) -> ExecProbe:
    return ExecProbe(name="liveness:exec", timing=ProbeTiming(timeout_s=timeout_s), process=process(code, folder))


@pytest.mark.parametrize(("status", "ok"), [(0, True), (3, False)])
async def test_the_exit_status_of_a_command_decides(tmp_path: Path, status: int, *, ok: bool) -> None:
    result = await exec_probe(f"import sys; print('secret'); sys.exit({status})", tmp_path).check()
    assert result == ProbeResult(ok=ok, detail=f"its command ended with status {status}")


async def test_a_command_that_does_not_exist_has_failed(tmp_path: Path) -> None:
    assert not (await exec_probe("", tmp_path / "gone").check()).ok
    assert not (await exec_probe("\0", tmp_path).check()).ok


ENDLESS = "import os, time; open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'runs'); time.sleep(600)"


async def until_it_runs(folder: Path) -> None:
    async with asyncio.timeout(60):
        while not (folder / "runs").exists():  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.01)


def is_over(folder: Path) -> bool:
    return not os.path.exists(f"/proc/{(folder / 'runs').read_text()}")  # noqa: PTH110 - a process


async def test_a_command_that_takes_too_long_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump = jumping_clock(monkeypatch)
    checking = asyncio.create_task(exec_probe(ENDLESS, tmp_path, timeout_s=600).check())
    await until_it_runs(tmp_path)  # however long its start takes
    jump(601)
    assert await checking == ProbeResult(ok=False, detail="its command did not end within 600 s")
    assert is_over(tmp_path)


async def test_a_command_ends_when_its_container_has_ended(tmp_path: Path) -> None:
    checking = asyncio.create_task(exec_probe(ENDLESS, tmp_path).check())
    await until_it_runs(tmp_path)
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert is_over(tmp_path)


def test_probes_are_those_of_the_file(tmp_path: Path) -> None:
    spec = process("", tmp_path)
    http = probe_of(
        ProbeConfig.model_validate(
            {"http_get": {"path": "/live", "port": 8080}, "initial_delay_seconds": 4, "failure_threshold": 7}
        ),
        spec,
        {8080: 4321},
    )
    assert isinstance(http, HttpGetProbe)
    assert (http.port, http.path, http.alternatives) == (4321, "/live", ("::1",))
    assert (http.timing.initial_delay_s, http.timing.failure_threshold) == (4, 7)
    given = {"tcp_socket": {"port": 9000}, "timeout_seconds": 0, "period_seconds": 0, "failure_threshold": 0}
    tcp = probe_of(ProbeConfig.model_validate(given), spec, {8080: 4321})
    assert isinstance(tcp, TcpSocketProbe)
    assert (tcp.port, tcp.timing) == (9000, ProbeTiming(timeout_s=1, period_s=10, failure_threshold=3))
    command = probe_of(ProbeConfig.model_validate({"exec": {"command": ("true",)}}), spec, {})
    assert isinstance(command, ExecProbe)
    assert command.process is spec
