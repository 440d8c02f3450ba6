"""The status of a job, as a client sees it. Whatever a server sends in a field, it has the type that is said here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.fields import is_text, object_of, real_of, text_of, time_of, whole_of
from dequeuer.core.errors import clip
from dequeuer.jobs.state import has_ended, parse_state

MAX_ERROR_CHARS: Final = 20_000
"""Of the text of an error: the last lines of a container's log are part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Counts; None: not known. `rate`: items a second. `eta_s`: the time that is left, seconds."""

    items_total: int | None = None
    items_done: int | None = None
    items_failed: int | None = None
    batches_total: int | None = None
    batches_done: int | None = None
    rate: float | None = None
    eta_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What the gateway says of a job.

    Attributes:
        fields: all of it, for programs. Numbers keep their text (`formats.go_json.Number`).
        job_id: its id.
        api_name: of the API.
        kind: `BatchAPI` or `TaskAPI`.
        state: its status, one of `jobs.state.JobState`, or a word that this version does not know.
        start_time_s: of its submission, since the epoch; None: not known.
        end_time_s: since the epoch; None: it has not ended, or not known.
        workers: how many were asked for; None: not known.
        worker_counts: workers by state.
        batches_in_queue: batches that are not done; None: not known.
        progress: counts.
        error: why it failed, perhaps of several lines; "" when it did not.
        output: where its results go; "" when they are not kept.
        is_paused: a pause is requested.
        is_stopping: a stop is requested.
    """

    fields: Mapping[str, Any]
    job_id: str
    api_name: str
    kind: str
    state: str
    start_time_s: float | None
    end_time_s: float | None
    workers: int | None
    worker_counts: Mapping[str, int]
    batches_in_queue: int | None
    progress: Progress
    error: str
    output: str
    is_paused: bool
    is_stopping: bool

    @property
    def has_ended(self) -> bool:
        """Whether the job changes no more."""
        return has_ended(parse_state(self.state))


def job_status(fields: object) -> JobStatus:
    """Return the status in a value of JSON. Raises `InvalidAnswerError` when it is none."""
    if not isinstance(fields, dict) or not all(text_of(fields.get(name)) for name in ("job_id", "status")):
        raise InvalidAnswerError("the gateway sends a status without the id and the status of a job")
    progress, counts = object_of(fields.get("progress")), object_of(fields.get("worker_counts"))
    return JobStatus(
        fields=fields,
        job_id=text_of(fields.get("job_id")),
        api_name=text_of(fields.get("api_name")),
        kind=text_of(fields.get("kind")),
        state=text_of(fields.get("status")),
        start_time_s=time_of(fields.get("start_time")),
        end_time_s=time_of(fields.get("end_time")),
        workers=whole_of(fields.get("workers")),
        worker_counts={clip(name): count for name, value in counts.items() if (count := whole_of(value))},
        batches_in_queue=whole_of(fields.get("batches_in_queue")),
        progress=Progress(
            items_total=whole_of(progress.get("items_total")),
            items_done=whole_of(progress.get("items_done")),
            items_failed=whole_of(progress.get("items_failed")),
            batches_total=whole_of(progress.get("batches_total")),
            batches_done=whole_of(progress.get("batches_done")),
            rate=real_of(progress.get("rate")),
            eta_s=real_of(progress.get("eta_seconds")),
        ),
        error=_error(object_of(fields.get("error"))),
        output=text_of(object_of(fields.get("output")).get("s3_path"), 1100),
        is_paused=fields.get("paused") is True,
        is_stopping=fields.get("stopping") is True,
    )


def _error(fields: Mapping[str, Any]) -> str:
    text = fields.get("message")
    if not is_text(text):
        return ""
    source, offset = text_of(fields.get("source"), 1100), whole_of(fields.get("offset"))
    where = f"{source}, byte {offset}" if offset is not None else source
    return f"{text[:MAX_ERROR_CHARS].rstrip()}{f' ({where})' if source and source not in text else ''}"
