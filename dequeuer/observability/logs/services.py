"""Log lines about calls to the queue and the store: outages, refusals, features that the store does not support.

There is one line when calls begin to fail and one when they succeed again, however many calls fail in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.events import Event, SourceCalled, StoreCalled, StoreFeatureMissing
from dequeuer.core.refusal_codes import canonical, hint, permission
from dequeuer.core.refusals import AccessResult, RefusedOperations
from dequeuer.observability.logs.failure_period import FailurePeriod


class ServiceLines:
    """Writes the lines about outages and refusals of the queue and the store."""

    def __init__(self, log: Any, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._outages: dict[tuple[str, str], FailurePeriod] = {}
        self._denials: dict[tuple[str, str, str], FailurePeriod] = {}
        self._refused: dict[str, RefusedOperations] = {}
        """By queue, where there are several."""
        self._is_failing = False
        """Whether any period is open: successful calls, several a message, return at once while none is."""
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            SourceCalled: partial(self._called, "queue"),
            StoreCalled: partial(self._called, "store"),
        }

    def _called(self, group: str, event: SourceCalled | StoreCalled) -> None:
        if event.error is None and not self._is_failing:
            return
        now = self._clock()
        self._log_change(group, event, now)
        self._is_failing = any(period.is_open for period in (*self._outages.values(), *self._denials.values()))

    def _log_change(self, group: str, event: SourceCalled | StoreCalled, now: float) -> None:
        queue = event.queue if isinstance(event, SourceCalled) else ""
        fields = {"queue": clip(queue)} if queue else {}
        outage = self._outages.setdefault((group, queue), FailurePeriod())
        if event.error == "unavailable":
            if outage.failed(now):
                self._log.warning(f"{group}_unavailable", **fields, op=event.op, detail=clip(event.detail))
            return
        # Any other error (a missing object, a refused receipt handle) is a response of a service that works.
        self._log_end(f"{group}_available", outage, now, **fields)
        verdict, which = self._refused.setdefault(queue, RefusedOperations()).record(event), (group, event.op, queue)
        if verdict is not None and verdict.refused:
            if self._denials.setdefault(which, FailurePeriod()).failed(now):
                self._log_denied(group, verdict, event.detail, fields)
        elif verdict is not None and which in self._denials:
            self._log_end(f"{group}_allowed", self._denials[which], now, **fields, op=event.op)

    def _log_denied(self, group: str, verdict: AccessResult, detail: str, fields: Mapping[str, str]) -> None:
        service, op, code = verdict.service, verdict.op, verdict.code
        self._log.error(
            f"{group}_denied",
            **fields,
            op=op,
            code=clip(canonical(code)),
            permission=permission(service, op, code),
            hint=hint(service, op, code),
            detail=clip(detail),
        )

    def _log_end(self, line: str, period: FailurePeriod, now: float, **fields: str) -> None:
        ended = period.succeeded(now)
        if ended is not None:
            self._log.info(line, **fields, after_s=round(ended.duration_s, 3), failed_calls=ended.failures)


class StoreFeatureLines:
    """Writes one line for each feature that the store does not support."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {StoreFeatureMissing: self._store_feature_missing}

    def _store_feature_missing(self, event: StoreFeatureMissing) -> None:
        self._log.warning("store_feature_missing", feature=event.feature)
