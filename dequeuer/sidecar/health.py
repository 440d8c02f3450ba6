"""What the admin server reports: readiness with its reason, and liveness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dequeuer.core.drain import Drain
from dequeuer.core.refusals import Refusals
from dequeuer.probes.gate import Gate
from dequeuer.probes.http_check import HttpCheck
from dequeuer.worker.worker import Worker

if TYPE_CHECKING:  # a sidecar that does not look for pauses does not pay for it
    from dequeuer.handlers.async_api.pause import PauseWatch

POLLER_STUCK_AFTER_S = 60.0
"""The poller is stuck when a receive takes this much longer than its own wait."""


class Health:
    """Answers `/healthz` and `/livez`. Set `worker` and `pause` once there are some."""

    def __init__(self, gate: Gate, http_check: HttpCheck, refusals: Refusals, drain: Drain, poll_wait_s: float) -> None:
        self._gate = gate
        self._http_check = http_check
        self._refusals = refusals
        self._drain = drain
        self._receive_timeout_s = poll_wait_s + POLLER_STUCK_AFTER_S
        self.worker: Worker | None = None
        self.pause: PauseWatch | None = None
        """None: nobody can pause the API."""

    def is_ready(self) -> bool:
        """Return whether messages are received: container, AWS permissions, clients and the drain allow it."""
        if self._drain.requested:
            return False
        is_paused = self.pause is not None and not self.pause.may_receive.is_open
        return self._gate.is_open and self._http_check.may_receive.is_open and self._refusals.is_clear and not is_paused

    def not_ready_reason(self) -> str:
        """Return one line that says why `is_ready` is false; "" when it is true."""
        if self._drain.requested:
            return "draining"
        if self._http_check.looks_like:
            return f"the container looks like {self._http_check.looks_like}, not HTTP/1"
        if not self._gate.is_open:
            return "a probe of the container fails"
        if not self._refusals.is_clear:
            return "SQS or S3 refuses a call"
        return "" if self.pause is None else self.pause.reason

    def is_live(self) -> bool:
        """Return whether the poller makes progress; true until there is a worker."""
        return self.worker is None or self.worker.is_live(self._receive_timeout_s)
