"""How far something is, and how long it takes, in words."""

from __future__ import annotations

from typing import Final

BAR_CHARS: Final = 30


def bar(done: float) -> str:
    """Return a bar. `done`: 0 to 1."""
    filled = round(BAR_CHARS * done)
    return f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}] {done:4.0%}"


def duration(seconds: float) -> str:
    """Return a time as `1:02` or `3:01:02`. It is not negative."""
    minutes, left = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
