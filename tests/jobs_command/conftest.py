from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.client import following, jobs
from dequeuer.commands import results
from dequeuer.core.retry import Backoff
from tests.gateway.jobs import JobStage

NO_PAUSE = Backoff(initial_s=0.0, max_s=0.0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the test, calls are repeated without a pause, and twice at most."""
    monkeypatch.setattr(jobs, "CALL_RETRIES", replace(jobs.CALL_RETRIES, backoff=NO_PAUSE, max_attempts=3))
    monkeypatch.setattr(results, "FILE_RETRIES", replace(results.FILE_RETRIES, backoff=NO_PAUSE, max_attempts=3))
    monkeypatch.setattr(following, "RECONNECT_BACKOFF", NO_PAUSE)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
