"""A job in words, for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from dequeuer.client.job_status import JobStatus, Progress
from dequeuer.core import clock
from dequeuer.core.plurals import counted
from dequeuer.terminal.progress import bar, duration
from dequeuer.terminal.table import columns
from dequeuer.terminal.text import visible

LIST_HEAD: Final = ("JOB", "STATUS", "SUBMITTED", "TIME", "DONE", "FAILED")
MAX_ERROR_LINES: Final = 30


def list_lines(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the lines of a list of jobs: a head, and one for each `list_row`."""
    return columns([LIST_HEAD, *rows], right=frozenset({3, 4, 5}))


def list_row(status: JobStatus) -> tuple[str, ...]:
    """Return the row of a job: all that a list keeps of it, since a status may take megabytes."""
    progress = status.progress
    return (
        visible(status.job_id),
        visible(_state(status)),
        _date(status.start_time_s),
        _time(status),
        _part(progress.items_done, progress.items_total),
        "" if progress.items_failed is None else f"{progress.items_failed:,}",
    )


def job_lines(status: JobStatus) -> list[str]:
    """Return the lines of all that is known of a job."""
    rows = [
        ("job", visible(status.job_id)),
        ("api", visible(f"{status.api_name} ({status.kind})")),
        ("status", visible(_state(status))),
        ("submitted", _date(status.start_time_s)),
        ("ended", _date(status.end_time_s)),
        ("time", _time(status)),
        ("workers", visible(_workers(status))),
        ("batches", _batches(status)),
        ("items", _items(status.progress)),
        ("progress", _bar(status)),
        ("output", visible(status.output)),
    ]
    first, *more = error_lines(status) or [""]
    rows.append(("error", first))
    return columns([row for row in rows if row[1]]) + more


def change_line(status: JobStatus) -> str:
    """Return one line about how far a job is."""
    items = _items(status.progress, "item") or _batches(status)
    took = f"took {_time(status)}" if status.has_ended and _time(status) else ""
    return ", ".join(filter(None, (_state(status), items, _left(status), took)))


def error_lines(status: JobStatus) -> list[str]:
    """Return the lines of the error, visible: the first one, and the last ones, which are indented."""
    if not status.error:
        return []
    # A tab is one character, but several columns: a line with one would wrap in a terminal where it seems to fit.
    first, *more = (visible(line.expandtabs()) for line in status.error.split("\n"))
    return [first, *(f"  {line}" for line in more[-MAX_ERROR_LINES:])]


def _state(status: JobStatus) -> str:
    asked = "stopping" if status.is_stopping else "paused" if status.is_paused else ""
    return f"{status.state} ({asked})" if asked and not status.has_ended else status.state


def _date(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def _time(status: JobStatus) -> str:
    if status.start_time_s is None or (status.has_ended and status.end_time_s is None):
        return ""
    return duration((status.end_time_s or clock.wall()) - status.start_time_s)


def _workers(status: JobStatus) -> str:
    if status.workers is None:
        return ""
    counts = ", ".join(f"{count:,} {name}" for name, count in list(status.worker_counts.items())[:20])
    return f"{status.workers:,}" + (f" ({counts})" if counts else "")


def _part(done: int | None, total: int | None) -> str:
    if done is None:
        return "" if total is None else f"0/{total:,}"
    return f"{done:,}" if total is None else f"{done:,}/{total:,}"


def _batches(status: JobStatus) -> str:
    progress = status.progress
    if progress.batches_done is None and progress.batches_total is None:
        return f"{status.batches_in_queue:,} in the queue" if status.batches_in_queue else ""
    return _done(progress.batches_done or 0, progress.batches_total)


def _items(progress: Progress, noun: str = "") -> str:
    if progress.items_done is None and progress.items_total is None:
        return ""
    failed = f", {progress.items_failed:,} failed" if progress.items_failed else ""
    return _done(progress.items_done or 0, progress.items_total, noun) + failed


def _done(done: int, total: int | None, noun: str = "") -> str:
    last = done if total is None else total
    of = "" if total is None else f"{done:,} of "
    return f"{of}{counted(last, noun) if noun else f'{last:,}'} done"


def _left(status: JobStatus) -> str:
    if status.has_ended:
        return ""
    progress = status.progress
    rate = "" if progress.rate is None else f"{progress.rate:,.1f} items/s"
    left = "" if progress.eta_s is None else f"{duration(progress.eta_s)} left"
    return ", ".join(filter(None, (rate, left)))


def _bar(status: JobStatus) -> str:
    progress = status.progress
    done, total = progress.batches_done, progress.batches_total
    if not total or done is None or status.has_ended:
        return ""
    return ", ".join(filter(None, (bar(min(done / total, 1.0)), _left(status))))
