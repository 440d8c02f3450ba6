from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.client import job_calls
from dequeuer.core.retry import Backoff


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated without a pause, and twice at most."""
    policy = replace(job_calls.CALL_RETRIES, backoff=Backoff(initial_s=0.0, max_s=0.0), max_attempts=3)
    monkeypatch.setattr(job_calls, "CALL_RETRIES", policy)
