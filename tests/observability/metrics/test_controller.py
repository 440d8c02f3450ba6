from __future__ import annotations

from typing import Any

from dequeuer.core.events import (
    JobChanged,
    JobMeasured,
    JobObserved,
    JobOwnershipChanged,
    JobPassFailed,
    JobProcessEnded,
    JobProcessStarted,
)
from dequeuer.observability.metrics.controller import ControllerMetrics

JOB: dict[str, Any] = {"kind": "BatchAPI", "api_name": "sum", "job_id": "1"}


def samples(metrics: ControllerMetrics) -> dict[str, float]:
    lines = metrics.render().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_jobs_are_counted_by_status_and_their_queues_by_api() -> None:
    metrics = ControllerMetrics()
    assert samples(metrics)['dequeuer_jobs{state="running"}'] == 0
    metrics(JobObserved(**JOB, state="running", messages=3, age_s=10.0))
    metrics(JobObserved(**JOB | {"job_id": "2"}, state="running", messages=0, age_s=99.0))
    found = samples(metrics)
    assert found['dequeuer_jobs{state="running"}'] == 2
    assert found['dequeuer_job_messages{api_name="sum"}'] == 3
    assert found['dequeuer_job_queue_age_seconds{api_name="sum"}'] == 10
    metrics(JobOwnershipChanged(**JOB, is_owned=False, reason="ended"))
    found = samples(metrics)
    assert found['dequeuer_jobs{state="running"}'] == 1
    assert found['dequeuer_job_queue_age_seconds{api_name="sum"}'] == 0


def test_batches_and_items_are_those_of_the_jobs_that_run() -> None:
    metrics = ControllerMetrics()
    measured: dict[str, Any] = {
        "batches_total": 10,
        "batches_done": 4,
        "items_total": 100,
        "items_done": 40,
        "items_failed": 3,
    }
    metrics(JobMeasured(**JOB, **measured))
    enqueuing = measured | {"batches_total": 0, "items_total": 0}
    metrics(JobMeasured(**JOB | {"job_id": "2"}, **enqueuing))
    metrics(JobMeasured(**JOB | {"job_id": "3", "api_name": "other"}, **measured))

    def found(name: str) -> list[float]:
        states = ("done", "failed", "left")
        return [
            number
            for state in states
            if (number := samples(metrics).get(f'{name}{{api_name="sum",state="{state}"}}')) is not None
        ]

    assert found("dequeuer_job_batches") == [8, 6]
    assert found("dequeuer_job_items") == [80, 6, 60]
    metrics(JobOwnershipChanged(**JOB, is_owned=False, reason="ended"))
    assert found("dequeuer_job_batches") == [4, 0]
    assert found("dequeuer_job_items") == [40, 3, 0]


def test_ends_of_processes_are_counted_by_how_they_ended() -> None:
    metrics = ControllerMetrics()
    assert samples(metrics)['dequeuer_job_processes_ended_total{phase="failed",process="enqueuer"}'] == 0
    for process, phase in [("worker-12", "killed_oom"), ("worker-3", "killed_oom"), ("enqueuer", "succeeded")]:
        metrics(JobProcessEnded(api_name="sum", job_id="1", process=process, phase=phase, detail=""))
    found = samples(metrics)
    assert found['dequeuer_job_processes_ended_total{phase="killed_oom",process="worker"}'] == 2
    assert found['dequeuer_job_processes_ended_total{phase="succeeded",process="enqueuer"}'] == 1


def test_ends_durations_failures_and_starts_are_counted() -> None:
    metrics = ControllerMetrics()
    metrics(JobChanged(**JOB, state="running"))
    metrics(JobChanged(**JOB, state="succeeded", duration_s=7.0))
    metrics(JobPassFailed(**JOB, error="no"))
    metrics(JobProcessStarted(api_name="sum", job_id="1", process="worker-3"))
    found = samples(metrics)
    assert found['dequeuer_jobs_ended_total{state="succeeded"}'] == 1
    assert found['dequeuer_job_duration_seconds_sum{state="succeeded"}'] == 7
    assert found["dequeuer_job_passes_failed_total"] == 1
    assert found['dequeuer_job_processes_started_total{process="worker"}'] == 1
