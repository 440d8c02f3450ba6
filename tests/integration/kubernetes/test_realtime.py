"""A pod of a realtime API is deleted under load: no request fails in the right orders, and the wrong ones are seen to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.integration.kubernetes.chart import chart_realtime
from tests.integration.kubernetes.examples import Records, Spec, example, inverted, node_of, prestop, without_hook
from tests.integration.kubernetes.realtime import CLIENTS, Load, Outcome
from tests.kubelet.manifest import Manifest
from tests.kubelet.pod import Pod

WORK_S = 0.4

Pods = Callable[[], Manifest]
Form = Callable[[Spec], Spec]


def formed(form: Form) -> Manifest:
    return example("realtime-api.yaml").formed(form)


NATIVE: Final[dict[str, Pods]] = {
    "example": partial(example, "realtime-api.yaml"),
    "chart": partial(chart_realtime, "native"),
}
PRESTOP: Final[dict[str, Pods]] = {
    "example-prestop": partial(formed, prestop),
    "chart-prestop": partial(chart_realtime, "prestop"),
}
WRONG: Final[dict[str, Pods]] = {"inverted": partial(formed, inverted), "without-hook": partial(formed, without_hook)}


async def roll(pods_of: Pods, records: Records, folder: Path) -> tuple[Outcome, Pod]:
    """Delete one of two pods under load; return what became of the requests, and that pod."""
    manifest = pods_of()
    workload = manifest.workload
    load = Load()
    with node_of(folder, records, None, work_s=WORK_S) as node:
        pods = [node.start(workload, manifest.config_maps) for _ in range(manifest.workload.pods)]
        async with load.run(pods) as backends:
            await load.wait_succeeded(2 * CLIENTS)
            pods[0].delete()
            await asyncio.to_thread(pods[0].wait_ended)
            await backends[0].wait_in_rotation(False)
    return load.outcome, pods[0]


@pytest.mark.parametrize("pods", [*NATIVE, *PRESTOP])
async def test_no_request_fails_when_a_pod_is_deleted(pods: str, records: Records, tmp_path: Path) -> None:
    outcome, pod = await roll((NATIVE | PRESTOP)[pods], records, tmp_path)
    assert outcome.failed == []
    assert outcome.succeeded > 0
    assert pod.phase == "Succeeded"
    awaited = ("proxy", "ended 0") if pods in NATIVE else ("api", "preStop ended")
    assert pod.events.index(awaited) < pod.events.index(("api", "SIGTERM"))
    assert pod.happened("SIGKILL") == []


@pytest.mark.parametrize("pods", WRONG)
async def test_in_other_orders_requests_fail(pods: str, records: Records, tmp_path: Path) -> None:
    outcome, pod = await roll(WRONG[pods], records, tmp_path)
    assert outcome.failed
    assert pod.events.index(("api", "SIGTERM")) < pod.events.index(("proxy", "ended 0"))
