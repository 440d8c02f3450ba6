"""The status of a request as JSON: the fields of Cortex first, then what Cortex does not tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from dequeuer.gateway.model import FoundRequest, Report

_TIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "created": ("status/in_queue",),
    "started": ("status/in_progress",),
    "ended": ("status/completed", "status/failed"),
}
"""Which object tells which time. Work that ends within a second has no `started`: nothing is written for it."""


def cortex_fields(request_id: str, report: Report) -> dict[str, object]:
    """Return the fields that Cortex's gateway has, without the result."""
    return {"id": request_id, "status": report.found.status}


def more_fields(report: Report) -> dict[str, object]:
    """Return the fields beside those of Cortex; those that are not known are left out."""
    found = report.found
    fields: dict[str, object] = {} if report.left_out_bytes is None else {"result_bytes": report.left_out_bytes}
    fields |= _times(found)
    if attempts := [*report.attempts, *_last_attempt(report)]:
        fields["attempts"] = attempts
    if report.progress:
        fields["progress"] = report.progress
    failure = report.failure
    if failure is not None and (failure.error is not None or failure.code is not None):
        said = {"code": failure.code, "message": failure.error, "status_code": failure.status_code}
        fields["error"] = {name: value for name, value in said.items() if value is not None}
    if found.cancelled_at is not None and not found.has_ended:
        fields["cancel_requested"] = rfc3339(found.cancelled_at)
    return fields


def document(request_id: str, report: Report) -> dict[str, object]:
    """Return the document without a result."""
    return {**cortex_fields(request_id, report), **more_fields(report)}


def listed_document(request_id: str, report: Report) -> dict[str, object]:
    """Return the document of a request in a list: without its attempts, which are not read for it.

    How often a failed one was received is known, because its failure is read.
    """
    fields = {name: value for name, value in document(request_id, report).items() if name != "attempts"}
    if report.failure is not None and report.failure.attempts is not None:
        fields["receives"] = report.failure.attempts
    return fields


def encode(value: object) -> bytes:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def rfc3339(seconds: float) -> str:
    """Return a time. S3 keeps whole seconds, and Go's encoder omits a fraction of zero."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _times(found: FoundRequest) -> dict[str, object]:
    return {name: rfc3339(found.times[key]) for name, keys in _TIMES.items() for key in keys if found.times.get(key)}


def _last_attempt(report: Report) -> list[Mapping[str, object]]:
    """Return the attempt that ended the request, as far as it is known."""
    found, failure = report.found, report.failure
    if not found.has_ended:
        return []
    attempt: dict[str, object] = {"outcome": found.status}
    ended = _times(found).get("ended")
    if ended is not None:
        attempt["ended"] = ended
    if failure is not None:
        said = {"code": failure.code, "reason": failure.error, "status_code": failure.status_code}
        attempt |= {name: value for name, value in said.items() if value is not None}
    return [attempt]
