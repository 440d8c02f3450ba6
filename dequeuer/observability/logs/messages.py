"""Log lines about messages: how each was settled, lost leases, concurrency, and the drain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.errors import clip
from dequeuer.core.events import ConsumptionPaused, Event, LeaseLost, LimitChanged, ProcessPhaseChanged, Settled

_LEVELS: Mapping[str, int] = {
    "completed": logging.INFO,
    "already_finished": logging.INFO,
    "succeeded": logging.INFO,
    "job_completed": logging.INFO,
    "duplicate": logging.INFO,
    "requeued": logging.INFO,
    "released": logging.INFO,
    "lease_lost": logging.INFO,  # a warning, also called lease_lost, was logged when it was lost
    "error": logging.ERROR,
}
"""The level by settlement; a settlement that is not listed is a warning."""

_PHASES: Mapping[str, tuple[int, str]] = {
    "started": (logging.INFO, "started"),
    "drain": (logging.INFO, "draining"),
    "release": (logging.WARNING, "grace_over_releasing"),
    "drained": (logging.INFO, "drained"),
    "queue_empty": (logging.INFO, "queue_empty"),
    "idle": (logging.INFO, "idle_time_reached"),
    "max_messages": (logging.INFO, "max_messages_reached"),
}
"""The level and the name of the line, by phase of the process."""


class MessageLines:
    """Writes one line for every settled message, and lines about the process as a whole."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._settled_limit = 0
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            Settled: self._settled,
            LeaseLost: self._lease_lost,
            LimitChanged: self._limit_changed,
            ConsumptionPaused: self._consumption_paused,
            ProcessPhaseChanged: self._phase_changed,
        }

    def _settled(self, event: Settled) -> None:
        fields: dict[str, Any] = {"request_id": event.ref} if event.ref else {"message_id": event.message_id}
        fields |= {
            "settlement": event.settlement,
            "held_s": round(event.held_s, 6),
            "receive_count": event.receive_count,
        }
        if event.reason:
            fields["reason"] = clip(event.reason)
        self._log.log(_LEVELS.get(event.settlement, logging.WARNING), "message_settled", **fields)

    def _lease_lost(self, event: LeaseLost) -> None:
        self._log.warning("lease_lost", message_id=event.message_id, reason=clip(event.reason))

    def _limit_changed(self, event: LimitChanged) -> None:
        # There are trials every minute; only a new result is logged.
        if event.baseline != self._settled_limit:
            self._settled_limit = event.baseline
            self._log.info("concurrency_found", limit=event.baseline, reason=event.reason)

    def _consumption_paused(self, event: ConsumptionPaused) -> None:
        self._log.info("consumption_paused" if event.is_paused else "consumption_resumed")

    def _phase_changed(self, event: ProcessPhaseChanged) -> None:
        level, line = _PHASES[event.phase]
        self._log.log(level, line, in_flight=event.in_flight)
