from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.client import following
from dequeuer.commands import results
from tests.client.pauses import NO_PAUSE, repeat_job_calls_at_once
from tests.gateway.jobs import JobStage


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the test, calls are repeated without a pause, and twice at most."""
    repeat_job_calls_at_once(monkeypatch)
    monkeypatch.setattr(results, "FILE_RETRIES", replace(results.FILE_RETRIES, backoff=NO_PAUSE, max_attempts=3))
    monkeypatch.setattr(following, "RECONNECT_BACKOFF", NO_PAUSE)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
