"""The objects that whoever runs a job writes beside its specification, and status reports read.

- `end.json`: how the job ended. It is created once, so two controllers cannot end a job in two ways.
- `progress.json`: counts while the job runs.
- `metrics.json`: batches that succeeded and attempts that failed, when the job has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from dequeuer.core.errors import DequeuerError
from dequeuer.formats.go_json import Number, decode_object, encode
from dequeuer.formats.go_time import format_time, parse_time
from dequeuer.jobs.state import JobState, has_ended, parse_state

WORKER_STATES: Final = (
    "pending",
    "creating",
    "not_ready",
    "ready",
    "succeeded",
    "err_image_pull",
    "terminating",
    "failed",
    "killed",
    "killed_oom",
    "stalled",
    "unknown",
)
"""The states of a worker, in Cortex's order."""

PROGRESS_FIELDS: Final = (
    "items_total",
    "items_done",
    "items_failed",
    "batches_total",
    "batches_done",
    "rate",
    "eta_seconds",
)
"""`rate`: items a second; `eta_seconds`: time that is left. Each is null while it is not known."""

MAX_ERROR_CHARS: Final = 4096
"""Of the text of an error in `end.json`, with the last log lines of a container."""

JsonNumber: TypeAlias = int | float | Number | None
"""Written as it is; numbers that were read keep their text."""

_METRICS: Final[dict[str, JsonNumber]] = {"succeeded": 0, "failed": 0, "average_time_per_batch": None}


class InvalidDocumentError(DequeuerError):
    """A stored document is not what its name says. Reports go on without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed.

    Attributes:
        message: for people.
        source: the file at fault; None when there is none.
        offset: of the fault in the file, bytes from 0; None when there is none.
    """

    message: str
    source: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended.

    Attributes:
        state: one of the statuses that do not change.
        end_time_ns: since the epoch.
        error: None when nothing failed, or nobody knows why.
    """

    state: JobState
    end_time_ns: int
    error: JobError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """What is known of a running job.

    Attributes:
        worker_counts: workers by state; states without workers may be left out. None before there are workers.
        progress: by the names of `PROGRESS_FIELDS`.
    """

    worker_counts: Mapping[str, int] | None = None
    progress: Mapping[str, JsonNumber]


def dump_end(end: JobEnd) -> bytes:
    """Return the text of `end.json`."""
    fields: dict[str, Any] = {"status": end.state, "end_time": format_time(end.end_time_ns)}
    if end.error is not None:
        fields["error"] = error_fields(end.error)
    return encode(fields).encode()


def parse_end(text: bytes) -> JobEnd:
    """Return how a job ended. Raises `InvalidDocumentError`."""
    fields = _object(text)
    state, error = parse_state(fields.get("status")), fields.get("error")
    if not has_ended(state):
        raise InvalidDocumentError("end.json has no status that ends a job")
    try:
        end_time_ns = parse_time(str(fields.get("end_time")))
    except ValueError as invalid:
        raise InvalidDocumentError("end.json has no time") from invalid
    return JobEnd(state=state, end_time_ns=end_time_ns, error=_error(error) if isinstance(error, dict) else None)


def error_fields(error: JobError) -> dict[str, Any]:
    """Return the fields of an error for JSON."""
    fields: dict[str, Any] = {"message": error.message}
    if error.source is not None:
        fields["source"] = error.source
    if error.offset is not None:
        fields["offset"] = error.offset
    return fields


def dump_progress(progress: JobProgress) -> bytes:
    """Return the text of `progress.json`."""
    fields: dict[str, Any] = {}
    if progress.worker_counts is not None:
        fields["worker_counts"] = worker_count_fields(progress.worker_counts)
    return encode(fields | {"progress": progress_fields(progress.progress)}).encode()


def parse_progress(text: bytes) -> JobProgress:
    """Return what is known of a running job. Raises `InvalidDocumentError`."""
    fields = _object(text)
    counts, progress = fields.get("worker_counts"), fields.get("progress")
    return JobProgress(
        worker_counts={name: _count(counts, name) for name in WORKER_STATES} if isinstance(counts, dict) else None,
        progress=_numbers(progress if isinstance(progress, dict) else {}, PROGRESS_FIELDS),
    )


def worker_count_fields(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the states that workers are in, in Cortex's order."""
    return {state: counts[state] for state in WORKER_STATES if counts.get(state)}


def progress_fields(progress: Mapping[str, JsonNumber]) -> dict[str, JsonNumber]:
    """Return the fields of the progress for JSON, null where nothing is known."""
    return {name: progress.get(name) for name in PROGRESS_FIELDS}


def parse_metrics(text: bytes) -> dict[str, JsonNumber]:
    """Return the fields of `metrics.json`, of Cortex or ours, for JSON. Raises `InvalidDocumentError`."""
    found = _numbers(_object(text), _METRICS)
    return {name: default if found[name] is None else found[name] for name, default in _METRICS.items()}


def _object(text: bytes) -> dict[str, Any]:
    try:
        return decode_object(text)
    except ValueError as error:
        raise InvalidDocumentError("no JSON object") from error


def _error(fields: dict[str, Any]) -> JobError:
    source, offset = fields.get("source"), fields.get("offset")
    return JobError(
        message=str(fields.get("message", "")),
        source=source if isinstance(source, str) and not isinstance(source, Number) else None,
        offset=int(offset) if isinstance(offset, Number) and offset.isdecimal() else None,
    )


def _count(counts: dict[str, Any], name: str) -> int:
    value = counts.get(name)
    return int(value) if isinstance(value, Number) and value.isdecimal() else 0


def _numbers(fields: dict[str, Any], names: Iterable[str]) -> dict[str, JsonNumber]:
    return {name: value if isinstance(value := fields.get(name), Number) else None for name in names}
