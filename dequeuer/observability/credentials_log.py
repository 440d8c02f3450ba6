"""What the log says of AWS credentials: where they come from, when a renewal begins to fail, when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from dequeuer.core.errors import clip
from dequeuer.core.events import Event, KeysRenewalFailed, KeysRenewed


class CredentialsLog:
    """Writes one line about the provider, one when renewal begins to fail, and one when it works again.

    Args:
        log: the logger that lines are written with.
        clock: seconds, monotonic.
    """

    def __init__(self, log: Any = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log if log is not None else structlog.get_logger()
        self._clock = clock
        self._failing_since: float | None = None
        self._failures = 0
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            KeysRenewed: self._renewed,
            KeysRenewalFailed: self._failed,
        }

    def __call__(self, event: Event) -> None:
        """Write a line about one event, if it is worth one."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _renewed(self, event: KeysRenewed) -> None:
        if event.is_first:
            fields = {"reason": event.reason} if event.reason else {}
            self._log.info("credentials_found", provider=event.provider, **fields)
        if self._failing_since is not None:
            after_s = round(self._clock() - self._failing_since, 3)
            failures, self._failing_since, self._failures = self._failures, None, 0
            self._log.info("credentials_renewed", provider=event.provider, after_s=after_s, failed_attempts=failures)

    def _failed(self, event: KeysRenewalFailed) -> None:
        self._failures += 1
        if self._failing_since is not None:
            return
        self._failing_since = self._clock()
        left = {} if event.valid_for_s is None else {"valid_for_s": round(event.valid_for_s, 1)}
        self._log.warning("credentials_renewal_failing", provider=event.provider, reason=clip(event.reason), **left)
