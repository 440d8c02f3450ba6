"""What `status/failed` says."""

from __future__ import annotations

import json

from dequeuer.core.errors import clip


def failure_body(error: str, status_code: int | None, attempts: int) -> bytes:
    """Return the content of `status/failed`.

    Args:
        error: why, for a person; clipped.
        status_code: of the container's answer; None when there was none.
        attempts: receives so far.
    """
    return json.dumps({"error": clip(error), "status_code": status_code, "attempts": attempts}).encode()
