"""Log lines about the deletion cost of the pod: one when writing it begins to fail, one when it works again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.events import DeletionCostFailed, DeletionCostWritten, Event
from dequeuer.observability.logs.failure_period import FailurePeriod


class PodLines:
    """Writes the lines. A cost that is written after no failure has none: it changes all the time.

    Args:
        log: the logger that lines are written with.
        clock: seconds, monotonic.
    """

    def __init__(self, log: Any, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._failing = FailurePeriod()
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            DeletionCostWritten: self._written,
            DeletionCostFailed: self._failed,
        }

    def _failed(self, event: DeletionCostFailed) -> None:
        if self._failing.failed(self._clock()):
            hint = "busy pods may be deleted before idle ones; work goes on"
            self._log.warning("deletion_cost_failing", reason=clip(event.reason), hint=hint)

    def _written(self, event: DeletionCostWritten) -> None:
        ended = self._failing.succeeded(self._clock())
        if ended is not None:
            self._log.info(
                "deletion_cost_written",
                cost=event.cost,
                after_s=round(ended.duration_s, 3),
                failed_calls=ended.failures,
            )
