"""Computes `progress.json`: counts of workers, of batches and items, the rate and the time that is left."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, NamedTuple

from dequeuer.controller.launchers.base import ENQUEUER
from dequeuer.controller.observed import Observed
from dequeuer.jobs.documents import JobProgress
from dequeuer.jobs.worker_counts import WorkerCounts

WINDOW_S: Final = 60.0
"""The rate is that of the last minute."""
MIN_WINDOW_S: Final = 2.0


class _Sample(NamedTuple):
    at_s: float
    batches: int


class ProgressMeter:
    """Follows the batches of one job."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()

    def measure(self, seen: Observed, counts: WorkerCounts, now_s: float) -> JobProgress:
        """Return the progress as of now."""
        states: Counter[str] = Counter(state.phase for name, state in seen.processes.items() if name != ENQUEUER)
        if seen.spec.kind != "BatchAPI":
            return JobProgress(worker_counts=states, progress={})
        checkpoint = seen.checkpoint
        enqueued = seen.total_batches
        if enqueued is None:
            enqueued = checkpoint.batches if checkpoint is not None else 0
        in_queue = seen.depth.total if seen.depth is not None else 0
        if seen.total_batches is not None:
            in_queue = max(0, in_queue - 1)  # the completion message is no batch
        done = max(0, enqueued - in_queue)
        rate = self._rate(_Sample(now_s, done))
        items = checkpoint.items if checkpoint is not None else 0
        per_batch = items / enqueued if enqueued else 0.0
        is_known = seen.total_batches is not None
        return JobProgress(
            worker_counts=states if states or "running" in seen.names else None,
            progress={
                "items_total": items if is_known else None,
                "items_done": min(items, round(done * per_batch)),
                "items_failed": min(items, counts.failed_items + round(counts.failed_batches * per_batch)),
                "batches_total": seen.total_batches,
                "batches_done": done,
                "rate": None if rate is None else round(rate * per_batch, 3),
                "eta_seconds": round((enqueued - done) / rate) if is_known and rate else None,
            },
        )

    def _rate(self, sample: _Sample) -> float | None:
        """Return the batches of a second; None while it is not known."""
        samples = self._samples
        samples.append(sample)
        while sample.at_s - samples[0].at_s > WINDOW_S:
            samples.popleft()
        span_s = sample.at_s - samples[0].at_s
        return max(0, sample.batches - samples[0].batches) / span_s if span_s >= MIN_WINDOW_S else None
