from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.client import following, retrying
from dequeuer.commands import results
from dequeuer.core.retry import Backoff

NO_PAUSE = Backoff(initial_s=0.0, max_s=0.0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the test, calls are repeated without a pause, and a file is written three times at most."""
    monkeypatch.setattr(retrying, "CALL_BACKOFF", NO_PAUSE)
    monkeypatch.setattr(following, "RECONNECT_BACKOFF", NO_PAUSE)
    monkeypatch.setattr(results, "FILE_RETRIES", replace(results.FILE_RETRIES, backoff=NO_PAUSE, max_attempts=3))
