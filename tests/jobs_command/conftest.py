from __future__ import annotations

import pytest

from tests.client.pauses import reconnect_at_once, repeat_calls_at_once, write_files_at_once
from tests.gateway.jobs import JobStage


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the test, nothing is repeated after a pause."""
    repeat_calls_at_once(monkeypatch)
    reconnect_at_once(monkeypatch)
    write_files_at_once(monkeypatch)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()
