"""How often the deletion cost is written, and what becomes of failures: in virtual time, then over a real socket."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from dequeuer.core.errors import ConfigurationError
from dequeuer.core.events import DeletionCostFailed, DeletionCostWritten
from dequeuer.kubernetes.base import KubernetesDeniedError, KubernetesUnavailableError, KubernetesVersion
from dequeuer.kubernetes.client import KubernetesClient
from dequeuer.kubernetes.deletion_cost import (
    AFTER_FAILURE,
    ANNOTATION,
    JITTER_S,
    MIN_INTERVAL_S,
    WINDOW_S,
    DeletionCost,
    cost_of,
    open_deletion_cost,
)
from tests.fakes import Recorder
from tests.kubernetes.api_server import ApiServer


class FakePod:
    """A `PodApi` that records when which cost was written, and raises the next of `failures` first."""

    def __init__(self) -> None:
        self.written: list[tuple[float, int]] = []
        self.failures: list[Exception] = []
        self.calls = 0

    async def read_version(self) -> KubernetesVersion:
        raise AssertionError

    async def read_pod(self) -> Mapping[str, Any]:
        raise AssertionError

    async def patch_pod(self, patch: Mapping[str, object]) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        match patch:
            case {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": str(cost)}}}:
                self.written.append((asyncio.get_running_loop().time(), int(cost)))
            case _:
                raise AssertionError(patch)


class Stage:
    def __init__(self, jitter: float = 0.0) -> None:
        self.api, self.recorder = FakePod(), Recorder()
        self.in_flight = 0
        self.cost = DeletionCost(self.api, lambda: self.in_flight, self.recorder, chance=lambda: jitter)

    @property
    def costs(self) -> list[int]:
        return [cost for _, cost in self.api.written]


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.cost.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_the_cost_is_a_power_of_two_and_never_more_than_what_is_in_flight() -> None:
    assert [cost_of(number) for number in (0, 1, 2, 3, 4, 7, 8, 1000, 30_000)] == [0, 1, 2, 2, 4, 4, 8, 512, 16384]


@pytest.mark.looptime
async def test_the_first_cost_is_written_also_when_nothing_is_in_flight() -> None:
    """The process that was in the pod before may have written one."""
    stage = Stage()
    async with running(stage):
        await asyncio.sleep(3600)
    assert stage.api.written == [(0.0, 0)]


@pytest.mark.looptime
async def test_the_first_writes_of_many_pods_are_spread() -> None:
    stage = Stage(jitter=0.5)
    async with running(stage):
        await asyncio.sleep(60)
    assert stage.api.written == [(JITTER_S / 2, 0)]


@pytest.mark.looptime
async def test_it_rises_at_once_when_nothing_was_written_lately_and_falls_after_a_minute() -> None:
    stage = Stage()
    async with running(stage):
        await asyncio.sleep(100.5)
        stage.in_flight = 5
        await asyncio.sleep(100)
        stage.in_flight = 0
        await asyncio.sleep(200)
    (_, first), (rose_at, high), (fell_at, low) = stage.api.written
    assert (first, high, low) == (0, 4, 0)
    assert rose_at == 101
    assert 200.5 + WINDOW_S - 1 <= fell_at <= 200.5 + WINDOW_S + 1


@pytest.mark.looptime
async def test_what_comes_and_goes_is_not_written_again_and_again() -> None:
    stage = Stage()
    async with running(stage):
        for number in 60 * [8, 0, 15, 3, 9]:
            stage.in_flight = number
            await asyncio.sleep(7)
    assert stage.costs == [8]


@pytest.mark.looptime
@pytest.mark.parametrize("jitter", [0.0, 1.0])
async def test_between_two_writes_is_at_least_half_a_minute(jitter: float) -> None:
    stage = Stage(jitter)
    async with running(stage):
        for power in range(14):
            stage.in_flight = 2**power
            await asyncio.sleep(5)
    times = [at for at, _ in stage.api.written]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 1
    assert min(gaps) >= MIN_INTERVAL_S + jitter * JITTER_S


@pytest.mark.looptime
@pytest.mark.parametrize(
    "error",
    [
        KubernetesUnavailableError("the API server responds with 500"),
        KubernetesDeniedError("not allowed (403)", 403),
        ZeroDivisionError("a bug"),
    ],
)
async def test_a_failure_is_reported_and_tried_again_later_and_later(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(jitter=1.0)
    stage.api.failures = 6 * [error]
    with caplog.at_level(logging.ERROR):
        async with running(stage):
            await asyncio.sleep(4000)
    failed = stage.recorder.of(DeletionCostFailed)
    assert len(failed) == 6
    assert str(error) in failed[0].reason
    pauses_s = [AFTER_FAILURE.pause_s(failures, lambda: 1.0) for failures in range(6)]
    assert pauses_s == [60, 120, 240, 480, 600, 600]
    assert stage.api.written == [(JITTER_S + sum(pauses_s), 0)]
    assert stage.recorder.of(DeletionCostWritten) == [DeletionCostWritten(cost=0)]
    assert bool(caplog.records) == isinstance(error, ZeroDivisionError)


@pytest.mark.looptime
async def test_a_cost_whose_response_was_lost_is_written_again() -> None:
    stage = Stage()
    async with running(stage):
        await asyncio.sleep(100.5)
        stage.in_flight = 2
        stage.api.failures = [KubernetesUnavailableError("no response within 5 s") for _ in range(2)]
        await asyncio.sleep(1)
        stage.in_flight = 0
        await asyncio.sleep(200)
    # The pod may have had the cost 2 meanwhile.
    assert stage.costs == [0, 0]


async def test_the_annotation_is_written_over_a_real_socket(server: ApiServer) -> None:
    written = asyncio.Event()

    def observer(event: object) -> None:
        if isinstance(event, DeletionCostWritten):
            written.set()

    cost = DeletionCost(KubernetesClient(server.cluster), lambda: 3, observer, chance=lambda: 0.0)
    task = asyncio.create_task(cost.run())
    async with asyncio.timeout(30):
        await written.wait()
    task.cancel()
    await asyncio.wait({task})
    assert server.annotations == {"a": "b", ANNOTATION: "2"}
    assert [call.split(" ")[0] for call in server.calls] == ["PATCH"]


def test_outside_of_a_pod_it_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="KUBERNETES_SERVICE_HOST"):
        open_deletion_cost({}, None, "/nonexistent", in_flight=lambda: 0, observer=Recorder())


def test_the_role_of_the_page_has_the_one_verb_that_is_used() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    roles = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    [role] = [found for found in roles if found["kind"] == "Role"]
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]


@pytest.mark.parametrize("program", ["sidecar", "proxy"])
def test_a_program_without_it_does_not_load_the_client(program: str) -> None:
    code = f"import sys, dequeuer.{program}.app; print([one for one in sys.modules if 'kubernetes' in one])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "[]\n"
