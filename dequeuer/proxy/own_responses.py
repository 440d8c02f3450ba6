"""What the proxy says itself."""

from __future__ import annotations

from typing import Final

from dequeuer.proxy.admission import RejectionReason
from dequeuer.proxy.container_connection import FailureKind

QUEUE_FULL_TEXT: Final = "pending request queue full"
"""Cortex's."""
REJECTION_TEXTS: Final[dict[RejectionReason, str]] = {
    "queue_timeout": "the request has waited for too long in the queue",
    "not_ready": "the container is not ready",
}
FAILURE_TEXTS: Final[dict[FailureKind, str]] = {
    "upstream_broken": "the container closed the connection without a response",
    "upstream_malformed": "the response of the container is not valid HTTP/1",
}
