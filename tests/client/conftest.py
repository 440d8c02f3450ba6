from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.client import job_calls, retrying
from dequeuer.core.retry import Backoff
from tests.gateway.jobs import JobStage


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated without a pause, and twice at most."""
    policy = replace(job_calls.CALL_RETRIES, backoff=Backoff(initial_s=0.0, max_s=0.0), max_attempts=3)
    monkeypatch.setattr(job_calls, "CALL_RETRIES", policy)


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls about requests are repeated after the time that the server asks for, if it asks for one."""
    monkeypatch.setattr(retrying, "CALL_BACKOFF", Backoff(initial_s=0.0, max_s=0.0))


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
