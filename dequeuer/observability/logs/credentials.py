"""Log lines about AWS credentials: which provider has them, when renewal begins to fail, when it works again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.events import CredentialsRenewalFailed, CredentialsRenewed, Event


class CredentialsLines:
    """Writes one line about the provider, one when renewal begins to fail, and one when it works again.

    Args:
        log: the logger that lines are written with.
        clock: seconds, monotonic.
    """

    def __init__(self, log: Any, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._failing_since: float | None = None
        self._failures = 0
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            CredentialsRenewed: self._renewed,
            CredentialsRenewalFailed: self._renewal_failed,
        }

    def _renewed(self, event: CredentialsRenewed) -> None:
        if event.is_first:
            fields = {"reason": event.reason} if event.reason else {}
            self._log.info("credentials_found", provider=event.provider, **fields)
        if self._failing_since is not None:
            after_s = round(self._clock() - self._failing_since, 3)
            failures, self._failing_since, self._failures = self._failures, None, 0
            self._log.info("credentials_renewed", provider=event.provider, after_s=after_s, failed_attempts=failures)

    def _renewal_failed(self, event: CredentialsRenewalFailed) -> None:
        self._failures += 1
        if self._failing_since is not None:
            return
        self._failing_since = self._clock()
        validity = {} if event.valid_for_s is None else {"valid_for_s": round(event.valid_for_s, 1)}
        self._log.warning("credentials_renewal_failing", provider=event.provider, reason=clip(event.reason), **validity)
