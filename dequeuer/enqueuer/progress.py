"""How much of a job is enqueued, how fast, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from dequeuer.core import clock
from dequeuer.enqueuer.model import Window
from dequeuer.jobs.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReport:
    """The state at one moment.

    Attributes:
        batches: in the queue.
        items: in these batches.
        skipped: items that were left out.
        items_per_s: since this process began.
        done: share of the job, 0 to 1; None: not known.
        left_s: until everything is enqueued at this rate; None: not known.
    """

    batches: int
    items: int
    skipped: int
    items_per_s: float
    done: float | None
    left_s: float | None


class Numbers(TypedDict):
    """The numbers of `ProgressReport` that only grow."""

    batches: int
    items: int
    skipped: int
    done: float | None


class Progress:
    """Counts what was enqueued.

    Args:
        now: seconds, monotonic.
    """

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self.total: int | None = None
        """The whole job, in bytes of files or in items; None: not known."""
        self.changed: Callable[[], None] = lambda: None
        """Called after each change."""
        self._now = now
        self._began_at = now()
        self._before = self._state = Checkpoint()
        self._is_bytes = False
        self._items = self._bytes = 0
        """Done by this process."""

    def begin(self, checkpoint: Checkpoint, *, is_bytes: bool) -> None:
        """Set what was done before. `is_bytes`: what `total` counts."""
        self.total, self._is_bytes = checkpoint.total, is_bytes
        self._before = self._state = checkpoint
        self._began_at = self._now()
        self.changed()

    def add(self, window: Window) -> None:
        """Count a window that was sent."""
        self._items += window.items
        self._bytes += window.bytes_read
        self._state = window.after
        self.changed()

    def numbers(self) -> Numbers:
        """Return what metrics show."""
        state = self._state
        return Numbers(batches=state.batches, items=state.items, skipped=state.skipped, done=self._share())

    def report(self) -> ProgressReport:
        """Return the state now."""
        seconds = max(self._now() - self._began_at, 1e-3)
        state, done = self._state, self._share()
        return ProgressReport(
            batches=state.batches,
            items=state.items,
            skipped=state.skipped,
            items_per_s=self._items / seconds,
            done=done,
            left_s=self._left_s(seconds, done),
        )

    def _left_s(self, seconds: float, done: float | None) -> float | None:
        if not done or not self._items:
            return None
        return seconds / self._items * self._state.items * (1 / done - 1)

    def _share(self) -> float | None:
        if self._state.is_complete:
            return 1.0
        if not self.total:
            return None
        if not self._is_bytes:
            return min(self._state.items / self.total, 1.0)
        # How many bytes were done before a restart is not known: its items are taken to be as large as those since.
        before = self._bytes * self._before.items / self._items if self._items else 0
        return min((before + self._bytes) / self.total, 1.0)
