"""The responses of the proxy itself."""

from __future__ import annotations

from http import HTTPStatus
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


def own_response(status: int, reason: str, text: str, *, keep: bool, without_body: bool = False) -> bytes:
    """Return a response of the proxy itself. `reason`: of `X-Dequeuer-Reason`."""
    body = f"{text}\n".encode()
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Dequeuer-Reason: {reason}\r\n{retry}"
        f"{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n"
    ).encode() + (b"" if without_body else body)
