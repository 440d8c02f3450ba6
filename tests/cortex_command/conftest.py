from __future__ import annotations

import pytest

from tests.client.pauses import repeat_calls_at_once


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated without a pause."""
    repeat_calls_at_once(monkeypatch)
