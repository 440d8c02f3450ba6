"""Log lines about webhooks that are not delivered. Those that are have the line of their message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.errors import clip
from dequeuer.core.events import Event, WebhookEnded

_LINES: Mapping[str, str] = {
    "given_up": "webhook_given_up",
    "disabled": "webhook_disabled",
    "not_allowed": "webhook_not_allowed",
}


class WebhookLines:
    """Writes a line for each webhook that ends without its delivery."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {WebhookEnded: self._ended}

    def _ended(self, event: WebhookEnded) -> None:
        if (line := _LINES.get(event.end)) is not None:
            self._log.warning(
                line,
                api_name=event.api_name,
                request_id=event.request_id,
                reason=clip(event.reason),
                age_s=round(event.age_s, 3),
            )
