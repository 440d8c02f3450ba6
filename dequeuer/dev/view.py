"""What the user sees: rows that change, and notes. Plain lines here; the live table is in `table`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TextIO

RESULT_CHARACTERS = 72
"""Of a result that are shown; ids and times stay on the same line."""
FAILED = frozenset({"failed"})
FINISHED = frozenset({"completed", "succeeded", *FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sample.

    Attributes:
        name: the request's id, or which batch it is.
        status: as users of the API see it.
        seconds: since it was submitted.
        result: what came out, or why nothing did; clipped.
    """

    name: str
    status: str
    seconds: float
    result: str = ""


class View(Protocol):
    """Where things are shown."""

    def show(self, rows: Sequence[Row]) -> None:
        """Show the state of all samples. Called often; always with the same rows in the same order."""

    def note(self, text: str) -> None:
        """Show lines once."""

    def live(self) -> AbstractContextManager[object]:
        """Return the context within which `show` is called."""


class PlainView:
    """A line whenever a status changes: for logs, files and CI."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._seen: dict[str, str] = {}

    def show(self, rows: Sequence[Row]) -> None:
        """Print the rows whose status is new."""
        for row in rows:
            if self._seen.get(row.name) != row.status:
                self._seen[row.name] = row.status
                self.note(f"  {row.name:<36}  {row.status:<11}  {row.seconds:5.1f} s  {row.result}".rstrip())

    def note(self, text: str) -> None:
        """Print at once, whoever reads the pipe."""
        print(text, file=self._stream, flush=True)

    def live(self) -> AbstractContextManager[object]:
        """Lines need no preparation."""
        return nullcontext()


def make_view(stream: TextIO) -> View:
    """Return the live table for a terminal that can show it, else plain lines."""
    if not stream.isatty():
        return PlainView(stream)
    try:
        from dequeuer.dev.table import TableView  # noqa: PLC0415 - rich is of the `dev` extra only
    except ImportError:
        return PlainView(stream)
    view = TableView(stream)
    return view if view.is_possible else PlainView(stream)


def default_view() -> View:
    """Return the view on standard output."""
    return make_view(sys.stdout)
