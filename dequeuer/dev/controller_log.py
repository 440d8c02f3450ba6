"""Reads the controller's log: what happens to jobs, in lines for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dequeuer.dev.log_line import fields_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """Something that happened to a job.

    Attributes:
        job_id: its id.
        text: for people.
        is_status: it has another status.
    """

    job_id: str
    text: str
    is_status: bool


def parse_job_line(line: str) -> JobLine | None:
    """Parse a line of the log; return None for one that says nothing that people have to know of a job."""
    fields = fields_of(line)
    event = fields.get("event")
    text = _text(fields)
    if text is None:
        return None
    job_id = str(fields.get("job_id"))
    is_status = event in {"job_status_changed", "job_ended"}
    return JobLine(job_id=job_id, text=f"  {job_id}  {fields.get('api_name')}: {text}", is_status=is_status)


def _text(fields: dict[str, Any]) -> str | None:
    event = fields.get("event")
    if event == "job_status_changed" or (event == "job_ended" and not fields.get("error")):
        return str(fields.get("status"))
    if event == "job_ended":
        return f"{fields.get('status')}: {fields['error']}"
    if event == "job_process_ended" and fields.get("phase") != "succeeded":
        # Its last lines were shown when they were printed.
        return f"{fields.get('process')} {fields.get('phase')}: {fields.get('detail')}".removesuffix(" Its last lines:")
    if event == "job_steps_fail":
        return f"cannot go on for now: {fields.get('error')}"
    return None
