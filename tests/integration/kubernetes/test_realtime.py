"""A pod of a realtime API is deleted under load: no request fails in the right orders, and the wrong ones are seen to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.kubernetes.examples import (
    Records,
    Spec,
    example,
    inverted,
    native,
    node_of,
    prestop,
    without_hook,
)
from tests.integration.kubernetes.realtime import CLIENTS, Load, Outcome
from tests.kubelet.pod import Pod

WORK_S = 0.4

Form = Callable[[Spec], Spec]


async def roll(form: Form, records: Records, folder: Path) -> tuple[Outcome, Pod]:
    """Delete one of two pods under load; return what became of the requests, and that pod."""
    manifest = example("realtime-api.yaml")
    workload = manifest.workload.of(form(manifest.workload.spec))
    load = Load()
    with node_of(folder, records, None, work_s=WORK_S) as node:
        pods = [node.start(workload, manifest.config_maps) for _ in range(manifest.workload.pods)]
        async with load.run(pods) as backends:
            await load.wait_succeeded(2 * CLIENTS)
            pods[0].delete()
            await asyncio.to_thread(pods[0].wait_ended)
            await backends[0].wait_in_rotation(False)
    return load.outcome, pods[0]


@pytest.mark.parametrize("form", [native, prestop])
async def test_no_request_fails_when_a_pod_is_deleted(form: Form, records: Records, tmp_path: Path) -> None:
    outcome, pod = await roll(form, records, tmp_path)
    assert outcome.failed == []
    assert outcome.succeeded > 0
    assert pod.phase == "Succeeded"
    awaited = ("proxy", "ended 0") if form is native else ("api", "preStop ended")
    assert pod.events.index(awaited) < pod.events.index(("api", "SIGTERM"))
    assert pod.happened("SIGKILL") == []


@pytest.mark.parametrize("form", [inverted, without_hook])
async def test_in_other_orders_requests_fail(form: Form, records: Records, tmp_path: Path) -> None:
    outcome, pod = await roll(form, records, tmp_path)
    assert outcome.failed
    assert pod.events.index(("api", "SIGTERM")) < pod.events.index(("proxy", "ended 0"))
