"""Takes the pauses between calls away."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from dequeuer.client import job_calls
from dequeuer.core.retry import Backoff

NO_PAUSE: Final = Backoff(initial_s=0.0, max_s=0.0)


def repeat_job_calls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls about jobs be repeated without a pause, and twice at most."""
    monkeypatch.setattr(job_calls, "CALL_RETRIES", replace(job_calls.CALL_RETRIES, backoff=NO_PAUSE, max_attempts=3))
