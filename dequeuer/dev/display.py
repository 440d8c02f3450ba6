"""Shows rows that change, and texts: as plain lines here, as a live table in `table_display`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TextIO

MAX_RESULT_CHARACTERS = 72
"""Characters of a result that are shown, so that a row fits on one line."""
REQUEST_WIDTHS, JOB_WIDTHS, DEMO_WIDTHS = (36, 11), (16, 23), (34, 23)
"""Characters of the longest name and of the longest status: of plain lines nobody knows what is still to come."""
FAILED = frozenset({"failed"})
FINISHED = frozenset({"completed", *FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """The row of one sample.

    Attributes:
        name: the id of the request or of the job.
        status: the status that users of the API see.
        seconds: time since it was submitted.
        result: the result, or why there is none; clipped.
    """

    name: str
    status: str
    seconds: float
    result: str = ""


class Display(Protocol):
    """Shows the samples to the user."""

    def show(self, rows: Sequence[SampleRow]) -> None:
        """Show all samples. Called often, always with the same samples in the same order."""

    def print_text(self, text: str) -> None:
        """Print a text."""

    def live(self) -> AbstractContextManager[object]:
        """Return the context within which `show` is called."""


class PlainDisplay:
    """Prints a line whenever a status or a result changes: for logs, files and CI.

    Args:
        stream: where to.
        widths: of names and of statuses, `REQUEST_WIDTHS` or `JOB_WIDTHS`.
    """

    def __init__(self, stream: TextIO, widths: tuple[int, int] = REQUEST_WIDTHS) -> None:
        self._stream = stream
        self._widths = widths
        self._seen: dict[str, tuple[str, str]] = {}

    def show(self, rows: Sequence[SampleRow]) -> None:
        """Print the rows whose status or result is new."""
        name_width, status_width = self._widths
        for row in rows:
            if self._seen.get(row.name) != (row.status, row.result):
                self._seen[row.name] = (row.status, row.result)
                name, status = row.name.ljust(name_width), row.status.ljust(status_width)
                self.print_text(f"  {name}  {status}  {row.seconds:5.1f} s  {row.result}".rstrip())

    def print_text(self, text: str) -> None:
        """Print without buffering, because stdout may be a pipe."""
        print(text, file=self._stream, flush=True)

    def live(self) -> AbstractContextManager[object]:
        """Return an empty context."""
        return nullcontext()


def make_display(stream: TextIO, widths: tuple[int, int] = REQUEST_WIDTHS) -> Display:
    """Return the live table for a terminal that can show it, else plain lines of these `widths`."""
    if not stream.isatty():
        return PlainDisplay(stream, widths)
    try:
        from dequeuer.dev.table_display import TableDisplay  # noqa: PLC0415 - rich is installed with the `dev` extra only
    except ImportError:
        return PlainDisplay(stream, widths)
    display = TableDisplay(stream)
    return display if display.is_possible else PlainDisplay(stream, widths)
