"""Events of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WebhookResult = Literal["delivered", "refused", "gone", "no_answer", "not_allowed"]
"""refused: another status than 2xx. gone: 410. not_allowed: the name leads to an address that is not allowed."""
WebhookEnd = Literal["delivered", "given_up", "disabled", "not_allowed"]
"""given_up: too old. disabled: the receiver wants no more. not_allowed: its URL is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAttempted:
    """A webhook was sent, or could not be. `duration_s`: of the attempt."""

    result: WebhookResult
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEnded:
    """Nothing more is done for a webhook.

    Attributes:
        api_name: of the request that it is about.
        request_id: of the request that it is about.
        end: how it ended; a metric label.
        reason: why it was not delivered; "" when it was.
        age_s: seconds since the request ended.
    """

    api_name: str
    request_id: str
    end: WebhookEnd
    reason: str
    age_s: float
