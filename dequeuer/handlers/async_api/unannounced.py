"""A worker without an outbox, whose requests may ask for webhooks all the same."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class UnannouncedRequests:
    """Says once that requests ask for webhooks in vain."""

    def __init__(self) -> None:
        self._has_told = False

    def found(self) -> None:
        """A request asks for a webhook, and none is sent."""
        if not self._has_told:
            self._has_told = True
            _log.warning("requests name a webhook, and none is sent: set DEQUEUER_WEBHOOK_QUEUE of the sidecar")
