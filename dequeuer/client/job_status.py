"""The status of a job, as a client sees it. Whatever a server sends in a field, it has the type that is said here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.core.errors import clip
from dequeuer.formats.go_json import Number
from dequeuer.formats.go_time import parse_time
from dequeuer.jobs.state import has_ended, parse_state

MAX_ERROR_CHARS: Final = 20_000
"""Of the text of an error: the last lines of a container's log are part of it."""
_YEAR_10000_S: Final = 253_402_300_800.0


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
    if not isinstance(fields, dict) or not all(_text(fields.get(name)) for name in ("job_id", "status")):
        raise InvalidAnswerError("the gateway sends a status without the id and the status of a job")
    progress, counts = _object(fields.get("progress")), _object(fields.get("worker_counts"))
    return JobStatus(
        fields=fields,
        job_id=_text(fields.get("job_id")),
        api_name=_text(fields.get("api_name")),
        kind=_text(fields.get("kind")),
        state=_text(fields.get("status")),
        start_time_s=_time(fields.get("start_time")),
        end_time_s=_time(fields.get("end_time")),
        workers=_whole(fields.get("workers")),
        worker_counts={clip(name): count for name, value in counts.items() if (count := _whole(value))},
        batches_in_queue=_whole(fields.get("batches_in_queue")),
        progress=Progress(
            items_total=_whole(progress.get("items_total")),
            items_done=_whole(progress.get("items_done")),
            items_failed=_whole(progress.get("items_failed")),
            batches_total=_whole(progress.get("batches_total")),
            batches_done=_whole(progress.get("batches_done")),
            rate=_real(progress.get("rate")),
            eta_s=_real(progress.get("eta_seconds")),
        ),
        error=_error(_object(fields.get("error"))),
        output=_text(_object(fields.get("output")).get("s3_path"), 1100),
        is_paused=fields.get("paused") is True,
        is_stopping=fields.get("stopping") is True,
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, limit: int = 256) -> str:
    return clip(value, limit) if _is_text(value) else ""


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and not isinstance(value, Number)


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, Number) and re.fullmatch("[0-9]{1,18}", value) else None


def _real(value: object) -> float | None:
    number = float(value) if isinstance(value, Number) else math.inf
    return number if 0 <= number < 1e15 else None


def _time(value: object) -> float | None:
    try:
        seconds = parse_time(value) / 1e9 if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
    # The division rounds, and no date has a year of five digits.
    return seconds if seconds is not None and seconds < _YEAR_10000_S else None


def _error(fields: Mapping[str, Any]) -> str:
    text = fields.get("message")
    if not _is_text(text):
        return ""
    source, offset = _text(fields.get("source"), 1100), _whole(fields.get("offset"))
    where = f"{source}, byte {offset}" if offset is not None else source
    return f"{text[:MAX_ERROR_CHARS].rstrip()}{f' ({where})' if source and source not in text else ''}"
