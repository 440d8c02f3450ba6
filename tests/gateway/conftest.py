from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.core.retry import Backoff
from dequeuer.gateway import job_service, retry
from tests.gateway.fakes import FakeQueue, Store
from tests.gateway.jobs import JobStage


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def queue(store: Store) -> FakeQueue:
    return FakeQueue(store)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow each other without a pause."""
    policy = replace(retry.REQUEST_RETRIES, backoff=Backoff(initial_s=0.0, max_s=0.0))
    monkeypatch.setattr(retry, "REQUEST_RETRIES", policy)
    monkeypatch.setattr(job_service, "REQUEST_RETRIES", policy)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
