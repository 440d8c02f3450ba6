"""Containers that need too much memory, or are not live any more: real processes, with a controller and a gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.integration.cloud import Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Controller, Job, write_apis

BATCHES = list(range(0, 200, 10))
MEMORY = "compute: {mem: 160Mi}"
LIVENESS = "liveness_probe: {http_get: {path: /, port: 8080}, period_seconds: 1, failure_threshold: %d}"
PATIENT = 20
"""Seconds in which a container has to listen, on a busy machine, too: until then its probe fails."""
Submit: TypeAlias = Callable[..., tuple[Job, Controller]]


@pytest.fixture
def submit(cloud: Cloud, bucket: Bucket, tmp_path: Path) -> Iterator[Submit]:
    """Run gateway and controller, and submit a job to a container with these fields."""
    marks = tmp_path / "marks"
    marks.mkdir()
    with ExitStack() as stack:

        def run(more: str, workers: int, **config: Any) -> tuple[Job, Controller]:
            apis = write_apis(tmp_path, more)
            gateway = stack.enter_context(Gateway(cloud.url, bucket, "", apis=apis))
            gateway.wait_started()
            # A controller that is stalled for a shorter time loses its job, and starts all of its processes again.
            calm = {"DEQUEUER_OWNERSHIP_TIMEOUT": "120"}
            controller = stack.enter_context(Controller(cloud, bucket, apis, **calm))
            items = {"items": list(range(200)), "batch_size": 10}
            given = {"bucket": bucket.name, "marks": str(marks), **config}
            return Job(gateway, bucket, {"workers": workers, "item_list": items, "config": given}), controller

        yield run


def ends(controller: Controller) -> list[str]:
    return [event["phase"] for event in controller.events("job_process_ended") if event["process"] != "enqueuer"]


@pytest.mark.parametrize(
    ("more", "config", "phase", "why"),
    [
        (MEMORY, {"grows": 20}, "killed_oom", "more than its compute.mem (160 MiB)"),
        (
            LIVENESS % PATIENT,
            {"sticks": 20},
            "failed",
            f"its liveness probe failed {PATIENT} times in a row (HTTP 500",
        ),
    ],
    ids=["memory", "liveness"],
)
def test_a_worker_that_was_ready_is_replaced_and_costs_no_more_than_a_receive(
    submit: Submit, more: str, config: dict[str, Any], phase: str, why: str
) -> None:
    job, controller = submit(more, 1, **config)  # without another one nobody else can end the job
    job.wait_status("succeeded")
    job.wait_over()
    assert job.handled() == BATCHES
    assert job.completions() == 1
    assert job.metrics()["failed"] <= 1
    assert ends(controller) == [phase]
    [line] = [event for event in controller.events("job_process_ended") if event["process"] != "enqueuer"]
    assert why in line["detail"]
    started = [event["process"] for event in controller.events("job_process_started")]
    assert sorted(started) == ["enqueuer", "worker-0", "worker-0"]
    metric = f'dequeuer_job_processes_ended_total{{phase="{phase}",process="worker"}}'
    assert controller.metric(metric) == 1


@pytest.mark.parametrize(
    ("more", "config", "status", "why"),
    [
        (MEMORY, {"grows": "at start"}, "worker_oom", "more than its compute.mem (160 MiB)"),
        (LIVENESS % 2, {"dead": True}, "worker_error", "its liveness probe failed 2 times in a row ("),
    ],
    ids=["memory", "liveness"],
)
def test_workers_that_never_get_ready_end_the_job(
    submit: Submit, more: str, config: dict[str, Any], status: str, why: str
) -> None:
    job, controller = submit(more, 2, **config)
    assert why in job.wait_status("worker_oom", "worker_error")["error"]["message"]
    assert job.status()["status"] == status
    assert len(ends(controller)) >= 5
