"""Log lines about TrafficSplitters: a shadow that gets copies and does not respond. No client notices it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.clock import monotonic
from dequeuer.core.events import CopyEnded, Event
from dequeuer.observability.logs.failure_period import FailurePeriod


class SplitLines:
    """Writes a line when copies begin to fail, and one when they are responded to again, for each splitter."""

    def __init__(self, log: Any, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._failing: dict[str, FailurePeriod] = {}
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {CopyEnded: self._ended}

    def _ended(self, event: CopyEnded) -> None:
        if event.result == "incomplete":  # the request's doing, not the shadow's
            return
        period = self._failing.setdefault(event.splitter, FailurePeriod())
        fields = {"splitter": event.splitter, "api_name": event.api_name}
        if event.result != "responded":
            if period.failed(self._clock()):
                self._log.warning("shadow_failing", **fields, result=event.result)
            return
        ended = period.succeeded(self._clock())
        if ended is not None:
            self._log.info("shadow_responding", **fields, after_s=round(ended.duration_s, 1), failures=ended.failures)
