"""Shows progress: a line that is rewritten in a terminal, log lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from dequeuer.core.plurals import counted
from dequeuer.enqueuer.progress import ProgressReport
from dequeuer.terminal import progress

TERMINAL_INTERVAL_S: Final = 0.2
LOG_INTERVAL_S: Final = 10.0


class Terminal(Protocol):
    """A text stream."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> object:
        """Show what was written."""


async def show_progress(report: Callable[[], ProgressReport], log: Any, terminal: Terminal | None) -> None:
    """Show progress until it is cancelled. `report`: returns the state now; `terminal`: None when there is none."""
    while True:
        await asyncio.sleep(LOG_INTERVAL_S if terminal is None else TERMINAL_INTERVAL_S)
        now = report()
        if terminal is None:
            log.info("enqueue_progress", **progress_fields(now))
        else:
            terminal.write(f"\r\x1b[K{bar(now)}")
            terminal.flush()


def progress_fields(report: ProgressReport) -> dict[str, Any]:
    """Return the fields of a log line; `done` and `left_s` only when they are known."""
    fields: dict[str, Any] = {"batches": report.batches, "items": report.items, "skipped": report.skipped}
    fields["items_per_s"] = round(report.items_per_s, 1)
    if report.done is not None and report.left_s is not None:
        fields |= {"done": round(report.done, 3), "left_s": round(report.left_s)}
    return fields


def bar(report: ProgressReport) -> str:
    """Return one line for a terminal."""
    text = f"{counted(report.batches, 'batch')}, {counted(report.items, 'item')}, {report.items_per_s:,.0f} items/s"
    if report.skipped:
        text += f", {report.skipped:,} skipped"
    if report.done is None or report.left_s is None:
        return text
    return f"{progress.bar(report.done)}, {progress.duration(report.left_s)} left, {text}"
