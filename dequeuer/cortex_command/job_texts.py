"""A job in words, for people, as Cortex's command line shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dequeuer.client.fields import object_of, real_of, text_of, whole_of
from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.core import clock
from dequeuer.formats.go_json import encode
from dequeuer.terminal.table import columns
from dequeuer.terminal.text import visible, visible_json

MAX_URL_CHARS: Final = 2000
_STATES: Final[Mapping[str, str]] = {
    "enqueue_failed": "failed while enqueuing",
    "completed_with_failures": "completed with failures",
    "unexpected_error": "unexpected error",
    "worker_error": "worker error",
    "worker_oom": "out of memory",
    "timed_out": "timed out",
}
"""What Cortex says for a status whose name is not the text."""
_SUBMITTED: Final = (
    *("job_id", "api_name", "kind", "workers", "sqs_dead_letter_queue", "config", "timeout", "api_id", "output"),
    *("on_bad_item", "priority", "start_time"),
)
"""The fields of a status that say what was submitted."""


def job_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a job. `report`: what the gateway answers. Raises `InvalidAnswerError` when it is none."""
    status = job_status(report.get("job_status"))
    lines = [f"job id: {visible(status.job_id)}", f"status: {state_text(status)}", ""]
    lines += [f"start time: {date(status.start_time_s)}", f"end time: {date(status.end_time_s)}"]
    lines.append(f"duration: {duration(seconds_of(status))}")
    if status.error:
        lines += ["", f"error: {visible(' '.join(status.error.split()))}"]
    if status.kind == "BatchAPI":
        lines += ["", "batch stats", *_batches(status, object_of(report.get("metrics")))]
    if status.has_ended:
        lines += ["", "worker stats are not available because this job is not currently running"]
    else:
        lines += ["", "worker stats", *_workers(status)]
    lines += ["", f"job endpoint: {visible(text_of(report.get('endpoint'), MAX_URL_CHARS)) or '-'}"]
    submitted = {name: status.fields[name] for name in _SUBMITTED if name in status.fields}
    return [*lines, "", "job configuration", *json_lines(submitted)]


def state_text(status: JobStatus) -> str:
    """Return the status of a job as Cortex calls it; a pause or stop that is asked for follows."""
    asked = "stopping" if status.is_stopping else "paused" if status.is_paused else ""
    text = _STATES.get(status.state, visible(status.state))
    return f"{text} ({asked})" if asked and not status.has_ended else text


def date(seconds: float | None) -> str:
    """Return a time as Cortex writes it, in UTC; `-` when it is not known."""
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%d %b %Y %H:%M:%S} UTC"


def seconds_of(status: JobStatus) -> float | None:
    """Return how long a job has taken until now, or until its end; None: not known."""
    if status.start_time_s is None or (status.has_ended and status.end_time_s is None):
        return None
    return max((status.end_time_s or clock.wall()) - status.start_time_s, 0.0)


def duration(seconds: float | None) -> str:
    """Return a time as Go writes it, in whole seconds: `1h2m3s`; `-` when it is not known."""
    if seconds is None:
        return "-"
    minutes, left = divmod(int(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{left}s" if hours else f"{minutes}m{left}s" if minutes else f"{left}s"


def json_lines(value: object) -> list[str]:
    """Return JSON with indents, which acts on no terminal."""
    return visible_json(encode(value, indent=2)).splitlines()


def _batches(status: JobStatus, metrics: Mapping[str, Any]) -> list[str]:
    total = status.progress.batches_total
    total = whole_of(status.fields.get("total_batch_count")) if total is None else total
    average_s = real_of(metrics.get("average_time_per_batch"))
    counts = [total, whole_of(metrics.get("succeeded")), whole_of(metrics.get("failed"))]
    row = (*("-" if one is None else str(one) for one in counts), "-" if average_s is None else f"{average_s:.3f}s")
    return columns([("total", "succeeded", "failed attempts", "avg time per batch"), row])


def _workers(status: JobStatus) -> list[str]:
    requested = "-" if status.workers is None else str(status.workers)
    names = list(status.worker_counts)[:20]
    head = ("requested", *(visible(name) for name in names))
    return columns([head, (requested, *(str(status.worker_counts[name]) for name in names))])
