"""Metrics of the controller."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from dequeuer.core.events import (
    Event,
    JobChanged,
    JobMeasured,
    JobObserved,
    JobOwnershipChanged,
    JobPassFailed,
    JobProcessEnded,
    JobProcessStarted,
)
from dequeuer.observability.metrics.families import LONG_BUCKETS_S, add_build_info
from dequeuer.observability.metrics.series import Histograms, Values

RUNNING_STATES: Final = ("pending", "enqueuing", "running")
ENDS: Final = (
    "succeeded",
    "completed_with_failures",
    "stopped",
    "timed_out",
    "enqueue_failed",
    "worker_error",
    "worker_oom",
    "unexpected_error",
)
PROCESSES: Final = ("enqueuer", "worker")
PHASES: Final = ("succeeded", "failed", "killed", "killed_oom")


class ControllerMetrics:
    """An observer that counts the jobs of one controller; `render` returns Prometheus' text format 0.0.4."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._jobs: dict[str, JobObserved] = {}
        self._measured: dict[str, JobMeasured] = {}
        jobs = Values(registry, "gauge", "dequeuer_jobs", "Jobs that this controller runs, by status.", ["state"])
        self._states = {state: jobs.child(state) for state in RUNNING_STATES}
        ended = Values(registry, "counter", "dequeuer_jobs_ended_total", "Jobs that have ended, by status.", ["state"])
        self._ended = {state: ended.child(state) for state in ENDS}
        durations = Histograms(
            registry,
            "dequeuer_job_duration_seconds",
            "Time from the submission of a job to its end, by status.",
            LONG_BUCKETS_S,
            ["state"],
        )
        self._durations = {state: durations.child(state) for state in ENDS}
        self._messages = Values(
            registry, "gauge", "dequeuer_job_messages", "Messages in the queues of the jobs of an API.", ["api_name"]
        )
        self._ages = Values(
            registry,
            "gauge",
            "dequeuer_job_queue_age_seconds",
            "Time since the submission of the oldest job of an API that has messages in its queue; 0: none has.",
            ["api_name"],
        )
        self._batches = Values(
            registry,
            "gauge",
            "dequeuer_job_batches",
            "Batches of the jobs of an API that this controller runs.",
            ["api_name", "state"],
        )
        self._items = Values(
            registry,
            "gauge",
            "dequeuer_job_items",
            "Items of the jobs of an API that this controller runs.",
            ["api_name", "state"],
        )
        self._failures = Values(
            registry, "counter", "dequeuer_job_passes_failed_total", "Steps for a job that failed and are tried again."
        ).child()
        started = Values(
            registry, "counter", "dequeuer_job_processes_started_total", "Processes of jobs started.", ["process"]
        )
        self._started = {name: started.child(name) for name in PROCESSES}
        ended_processes = Values(
            registry,
            "counter",
            "dequeuer_job_processes_ended_total",
            "Processes of jobs that ended by themselves, by how they ended.",
            ["process", "phase"],
        )
        self._ended_processes = {
            (name, phase): ended_processes.child(name, phase) for name in PROCESSES for phase in PHASES
        }
        add_build_info(registry)
        ProcessCollector(registry=registry)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        match event:
            case JobObserved():
                self._jobs[event.job_id] = event
                self._update(event.api_name)
            case JobMeasured():
                self._measured[event.job_id] = event
                self._update_progress(event.api_name)
            case JobOwnershipChanged(is_owned=False):
                self._jobs.pop(event.job_id, None)
                self._measured.pop(event.job_id, None)
                self._update(event.api_name)
                self._update_progress(event.api_name)
            case JobChanged(duration_s=float() as duration_s) if event.state in self._ended:
                self._ended[event.state].value += 1
                self._durations[event.state].observe(duration_s)
            case JobPassFailed():
                self._failures.value += 1
            case JobProcessStarted():
                self._started[_kind(event.process)].value += 1
            case JobProcessEnded() if event.phase in PHASES:
                self._ended_processes[_kind(event.process), event.phase].value += 1
            case _:
                pass

    def render(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)

    def _update(self, api_name: str) -> None:
        jobs = list(self._jobs.values())
        for state, value in self._states.items():
            value.value = sum(job.state == state for job in jobs)
        of_api = [job for job in jobs if job.api_name == api_name]
        self._messages.child(api_name).value = sum(job.messages for job in of_api)
        self._ages.child(api_name).value = max((job.age_s for job in of_api if job.messages), default=0.0)

    def _update_progress(self, api_name: str) -> None:
        jobs = [job for job in self._measured.values() if job.api_name == api_name]
        self._batches.child(api_name, "done").value = sum(job.batches_done for job in jobs)
        # Of each job: one that is still being enqueued has no total yet.
        self._batches.child(api_name, "left").value = sum(max(0, job.batches_total - job.batches_done) for job in jobs)
        self._items.child(api_name, "done").value = sum(job.items_done for job in jobs)
        self._items.child(api_name, "failed").value = sum(job.items_failed for job in jobs)
        self._items.child(api_name, "left").value = sum(max(0, job.items_total - job.items_done) for job in jobs)


def _kind(process: str) -> str:
    return "enqueuer" if process == "enqueuer" else "worker"
