from __future__ import annotations

import pytest

from tests.client.pauses import repeat_job_calls_at_once


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated without a pause, and twice at most."""
    repeat_job_calls_at_once(monkeypatch)
