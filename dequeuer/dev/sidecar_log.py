"""What the sidecar's log tells: one JSON object a line, as in a cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A message is no longer held.

    Attributes:
        ref: the request id, or the queue's id of a message without one.
        settlement: how; the names are those of `dequeuer.core.events`.
        reason: why, if it did not go well.
        held_s: how long it took.
    """

    ref: str
    settlement: str
    reason: str
    held_s: float


def settled(line: str) -> Settled | None:
    """Read a line that tells of a settled message; None for every other line."""
    fields = _fields(line)
    if fields.get("event") != "message_settled":
        return None
    ref = fields.get("request_id") or fields.get("message_id") or ""
    held_s = fields.get("held_s")
    return Settled(
        ref=str(ref),
        settlement=str(fields.get("settlement", "")),
        reason=str(fields.get("reason", "")),
        held_s=float(held_s) if isinstance(held_s, int | float) else 0.0,
    )


def _fields(line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:  # a traceback, or a line that was cut
        return {}
    return fields if isinstance(fields, dict) else {}
