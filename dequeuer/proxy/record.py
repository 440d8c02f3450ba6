"""What is known of one request when it has ended: metrics and the access log are made from it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol


class RequestRecord:
    """One request. Times are those of `core.clock.monotonic`, seconds; 0.0: it never came to that."""

    __slots__ = (
        "admitted_at",
        "began_at",
        "bytes_in",
        "bytes_out",
        "ended_at",
        "first_byte_at",
        "is_upgrade",
        "method",
        "reason",
        "status",
        "target",
        "trace_id",
    )

    def __init__(self, method: bytes, target: bytes, began_at: float) -> None:
        self.method = method
        """As the client sent it; b"" when the head was malformed."""
        self.target = target
        self.status = 0
        """What the client got; 0: it left before there was a response."""
        self.reason = ""
        """`X-Dequeuer-Reason` of a response of the proxy itself; `client_gone`; `cut`: the response broke; else ""."""
        self.began_at = began_at
        self.admitted_at = self.first_byte_at = self.ended_at = 0.0
        self.bytes_in = self.bytes_out = 0
        """Of the bodies."""
        self.is_upgrade = False
        """Whether the connection became a tunnel."""
        self.trace_id = ""

    @property
    def is_client_timeout(self) -> bool:
        """Whether the client was too slow (408); the other timeout is that of the container (504)."""
        return self.status == HTTPStatus.REQUEST_TIMEOUT and self.reason == "timeout"


class RequestObserver(Protocol):
    """Is told what happens. It must not block, and must not raise."""

    def request_ended(self, record: RequestRecord) -> None:
        """A request has ended; for a tunnel, when the tunnel has."""

    def upgrade_opened(self) -> None:
        """A connection became a tunnel."""

    def upgrade_closed(self) -> None:
        """A tunnel has ended."""
