"""APIs in words, for people: the tables of Cortex's command line. What the gateway does not know has no column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.fields import object_of, objects_of, text_of, whole_of
from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.core import clock
from dequeuer.cortex_command.job_texts import date, duration, json_lines, seconds_of, state_text
from dequeuer.terminal.table import columns
from dequeuer.terminal.text import visible

MAX_SHOWN: Final = 100
"""Jobs and targets of an API."""
MAX_URL_CHARS: Final = 2000
_FIRST_COLUMNS: Final[Mapping[str, str]] = {
    "BatchAPI": "batch api",
    "TaskAPI": "task api",
    "RealtimeAPI": "realtime api",
    "AsyncAPI": "async api",
    "TrafficSplitter": "traffic splitter",
}
"""In the order of the tables."""
_JOBS: Final[Mapping[str, str]] = {"BatchAPI": "batch_job_statuses", "TaskAPI": "task_job_statuses"}
_IN_PROGRESS: Final = frozenset({"enqueuing", "running"})


def list_lines(apis: Iterable[tuple[str, Mapping[str, Any]]], *, has_environments: bool) -> list[str]:
    """Return a table for each kind of API. `apis`: each with the name of its environment."""
    tables: dict[str, list[tuple[str, ...]]] = {kind: [] for kind in _FIRST_COLUMNS}
    for environment, api in apis:
        kind = _kind(api)
        own = (visible(environment),) if has_environments else ()
        tables.setdefault(kind, []).append((*own, *_row(api, kind)))
    lines: list[str] = []
    for kind, rows in tables.items():
        if rows:
            head = (*(("env",) if has_environments else ()), *_head(kind))
            lines += [*([""] if lines else []), *columns([head, *rows])]
    return lines or ["no apis are deployed"]


def api_lines(api: Mapping[str, Any], *, is_verbose: bool) -> list[str]:
    """Return the lines of an API. `is_verbose`: with its configuration."""
    kind, spec = _kind(api), object_of(api.get("spec"))
    lines = list_lines([("", api)], has_environments=False)
    if kind in _JOBS:
        lines = _jobs_table(kind, _jobs(api, kind))
    elif targets := objects_of(spec.get("apis"), MAX_SHOWN):
        rows = [(_target(one), str(whole_of(one.get("weight")) or 0)) for one in targets]
        lines = columns([("apis", "weights"), *rows])
    lines += ["", f"endpoint: {visible(text_of(api.get('endpoint'), MAX_URL_CHARS)) or '-'}"]
    return [*lines, "", "configuration", *json_lines(spec)] if is_verbose and spec else lines


def _kind(api: Mapping[str, Any]) -> str:
    return text_of(object_of(api.get("metadata")).get("kind"))


def _head(kind: str) -> tuple[str, ...]:
    first = _FIRST_COLUMNS.get(kind, "api")
    if kind in _JOBS:
        return (first, "running jobs", "latest job id")
    return (first, "apis") if kind == "TrafficSplitter" else (first,)


def _row(api: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    name = visible(text_of(object_of(api.get("metadata")).get("name"))) or "-"
    if kind in _JOBS:
        jobs = _jobs(api, kind)
        latest = max(jobs, key=lambda job: job.start_time_s or 0.0, default=None)
        return (name, str(sum(job.state in _IN_PROGRESS for job in jobs)), "-" if latest is None else _latest(latest))
    if kind == "TrafficSplitter":
        count = whole_of(api.get("num_traffic_splitter_targets"))
        return (name, "-" if count is None else str(count))
    return (name,)


def _jobs(api: Mapping[str, Any], kind: str) -> list[JobStatus]:
    found = []
    for fields in objects_of(api.get(_JOBS[kind]), MAX_SHOWN):
        try:
            found.append(job_status(fields))
        except InvalidAnswerError:
            continue  # one that cannot be shown hides no others
    return found


def _latest(job: JobStatus) -> str:
    since = "" if job.start_time_s is None else f" (submitted {duration(clock.wall() - job.start_time_s)} ago)"
    return f"{visible(job.job_id)}{since}"


def _jobs_table(kind: str, jobs: list[JobStatus]) -> list[str]:
    if not jobs:
        return [f"no submitted {'batch' if kind == 'BatchAPI' else 'task'} jobs"]
    has_batches = kind == "BatchAPI"
    head = ("job id" if has_batches else "task job id", "status", *(("total batches",) if has_batches else ()))
    rows = [(*head, "start time", "duration")]
    for job in jobs:
        total = job.progress.batches_total
        count = ("-" if total is None else str(total),) if has_batches else ()
        shown = (visible(job.job_id), state_text(job), *count, date(job.start_time_s), duration(seconds_of(job)))
        rows.append(shown)
    return columns(rows)


def _target(fields: Mapping[str, Any]) -> str:
    shadow = " (shadow)" if fields.get("shadow") is True else ""
    return f"{visible(text_of(fields.get('name')))}{shadow}"
