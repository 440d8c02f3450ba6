"""The content of `status/failed`."""

from __future__ import annotations

import json

from dequeuer.core.errors import clip


def failure_body(error: str, status_code: int | None, attempts: int) -> bytes:
    """Return the content of `status/failed`.

    Args:
        error: the reason, for people; clipped.
        status_code: of the container's response; None when there was none.
        attempts: receives so far.
    """
    return json.dumps({"error": clip(error), "status_code": status_code, "attempts": attempts}).encode()
