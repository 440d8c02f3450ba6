"""Columns of text."""

from __future__ import annotations

from collections.abc import Sequence

from dequeuer.terminal.text import cells


def columns(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Return a line for each row, its cells aligned. `right`: columns that are aligned to the right.

    The texts are visible ones. All rows have the same length.
    """
    if not rows:
        return []
    widths = [max(cells(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(_cell(row[at], widths[at], at in right) for at in range(len(row))).rstrip() for row in rows]


def _cell(text: str, width: int, is_right: bool) -> str:  # noqa: FBT001 - a column's alignment
    space = " " * (width - cells(text))
    return space + text if is_right else text + space
