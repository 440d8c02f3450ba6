"""Finds the known name that a mistyped name is closest to."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LENGTH = 64
"""Characters that are compared: it takes quadratic time, and no name of ours is longer."""


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ` (did you mean X?)` for an error text; "" when no name is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - it costs time, and only a faulty start needs it

    matches = get_close_matches(name[:_MAX_LENGTH], sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {prefix}{matches[0]}?)" if matches else ""
