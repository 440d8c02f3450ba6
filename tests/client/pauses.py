"""Takes the pauses of the client and its commands away."""

from __future__ import annotations

from typing import Final

import pytest

from dequeuer.client import following, retrying
from dequeuer.commands import results
from dequeuer.core.retry import Backoff

_NO_PAUSE: Final = Backoff(initial_s=0.0, max_s=0.0)


def repeat_calls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls be repeated after the time that the server asks for, if it asks for one."""
    monkeypatch.setattr(retrying, "CALL_BACKOFF", _NO_PAUSE)


def reconnect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lost streams of events be opened again without a pause."""
    monkeypatch.setattr(following, "RECONNECT_BACKOFF", _NO_PAUSE)


def write_files_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of results be begun anew without a pause, and twice at most."""
    monkeypatch.setattr(results, "FILE_BACKOFF", _NO_PAUSE)
    monkeypatch.setattr(results, "FILE_ATTEMPTS", 3)
