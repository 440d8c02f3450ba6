"""The live table in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dequeuer.dev.display import SampleRow

_COLOURS = {
    "in_queue": "yellow",
    "pending": "yellow",
    "enqueuing": "yellow",
    "running": "cyan",
    "in_progress": "cyan",
    "completed": "green",
    "completed_with_failures": "yellow",
    "succeeded": "green",
    "failed": "bold red",
}


class TableDisplay:
    """Shows the samples as a table that is updated in place; texts are printed above it."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live: Live | None = None

    @property
    def is_possible(self) -> bool:
        """Whether this terminal can move its cursor."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def show(self, rows: Sequence[SampleRow]) -> None:
        """Update the table."""
        if self._live is not None:
            self._live.update(_table(rows), refresh=True)

    def print_text(self, text: str) -> None:
        """Print above the table. The text is not interpreted as rich markup."""
        self._console.print(Text(text), soft_wrap=True)

    def live(self) -> AbstractContextManager[object]:
        """Show the table within this context. Its last state stays on the screen."""
        return self._begin()

    @contextmanager
    def _begin(self) -> Iterator[None]:
        # No automatic refresh: its thread would still draw while the stack is stopped.
        with Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None


def _table(rows: Sequence[SampleRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    # Ids are shown whole, so that the user can copy them.
    table.add_column("sample", no_wrap=True, min_width=max((len(row.name) for row in rows), default=0))
    table.add_column("status", no_wrap=True, min_width=11)
    table.add_column("time", justify="right", no_wrap=True, min_width=7)
    table.add_column("result", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        status = Text(row.status, style=_COLOURS.get(row.status, ""))
        table.add_row(Text(row.name), status, f"{row.seconds:.1f} s", Text(row.result))
    return table
