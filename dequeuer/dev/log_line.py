"""Reads the logs of our programs: one JSON object a line, as in a cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledLine:
    """A message was settled.

    Attributes:
        ref: the request id, or the queue's id of a message without one.
        settlement: a value of `Settlement` in `dequeuer.core.events`.
        reason: why it was settled so; empty after success.
        held_s: seconds from receiving to settling.
    """

    ref: str
    settlement: str
    reason: str
    held_s: float


def parse_settled_line(line: str) -> SettledLine | None:
    """Parse a line of the event `message_settled`; return None for any other line."""
    fields = fields_of(line)
    if fields.get("event") != "message_settled":
        return None
    ref = fields.get("request_id") or fields.get("message_id") or ""
    held_s = fields.get("held_s")
    return SettledLine(
        ref=str(ref),
        settlement=str(fields.get("settlement", "")),
        reason=str(fields.get("reason", "")),
        held_s=float(held_s) if isinstance(held_s, int | float) else 0.0,
    )


def settled_text(message: SettledLine) -> str:
    """Return the line for people."""
    reason = f": {message.reason}" if message.reason else ""
    return f"  {message.ref:<36}  {message.settlement:<11}  {message.held_s:5.1f} s{reason}"


def probe_text(line: str) -> str | None:
    """Return what a line says of a probe that begins to fail; None for any other line."""
    fields = fields_of(line)
    if fields.get("event") != "probe_failing":
        return None
    return f"  {fields.get('api_name')}: the probe {fields.get('probe')} fails: {fields.get('detail')}"


def fields_of(line: str) -> dict[str, Any]:
    """Return the fields of a line; none for what is no JSON object."""
    try:
        fields = json.loads(line)
    except ValueError:  # a traceback, or a line that was cut off
        return {}
    return fields if isinstance(fields, dict) else {}
