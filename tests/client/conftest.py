from __future__ import annotations

import pytest

from tests.client.pauses import repeat_job_calls_at_once, repeat_request_calls_at_once
from tests.gateway.jobs import JobStage


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated without a pause, and twice at most."""
    repeat_job_calls_at_once(monkeypatch)


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls about requests are repeated after the time that the server asks for, if it asks for one."""
    repeat_request_calls_at_once(monkeypatch)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
