"""Guessing what a mistyped name was meant to be."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 64
"""Comparing takes quadratic time, and nothing of ours has a longer name."""


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return `; did you mean X?`-like text for an error; "" when nothing is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a faulty start pays for it

    matches = get_close_matches(name[:_LONGEST], sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {prefix}{matches[0]}?)" if matches else ""
