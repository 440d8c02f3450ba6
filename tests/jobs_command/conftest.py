from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.client import following, job_calls
from dequeuer.commands import results
from dequeuer.core.retry import Backoff
from tests.gateway.jobs import JobStage

NO_PAUSE = Backoff(initial_s=0.0, max_s=0.0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the test, calls are repeated without a pause, and twice at most."""
    monkeypatch.setattr(job_calls, "CALL_RETRIES", replace(job_calls.CALL_RETRIES, backoff=NO_PAUSE, max_attempts=3))
    monkeypatch.setattr(results, "FILE_RETRIES", replace(results.FILE_RETRIES, backoff=NO_PAUSE, max_attempts=3))
    monkeypatch.setattr(following, "RECONNECT_BACKOFF", NO_PAUSE)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
