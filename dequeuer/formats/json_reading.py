"""Reading small JSON documents that anybody may have written: whatever it is, no exception."""

from __future__ import annotations

import json
from collections.abc import Mapping


def json_or_none(content: str | bytes) -> object:
    """Return the value; None for what is not JSON, or nested too deep."""
    try:
        parsed: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return parsed


def object_or_none(content: str | bytes) -> Mapping[str, object] | None:
    """Return the fields of a JSON object; None for anything else."""
    parsed = json_or_none(content)
    return parsed if isinstance(parsed, dict) else None
