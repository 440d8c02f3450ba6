from __future__ import annotations

import pytest

from tests.client.pauses import reconnect_at_once, repeat_calls_at_once
from tests.gateway.jobs import JobStage


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated after the time that the server asks for, if it asks for one, and streams at once."""
    repeat_calls_at_once(monkeypatch)
    reconnect_at_once(monkeypatch)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
