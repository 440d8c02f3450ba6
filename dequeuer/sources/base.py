"""The protocol of a queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dequeuer.core.message import Message


def lease_margin_s(length_s: float) -> float:
    """Return how many seconds before its end a lease counts as lost: another sidecar may receive the message soon."""
    return min(1.0, length_s / 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many messages a queue holds. The counts of SQS are approximate."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All messages that are not settled yet."""
        return self.visible + self.in_flight + self.delayed


class Lease(Protocol):
    """A claim on one message that expires, settled at most once.

    Calls of several leases may be sent in one request. Each raises `LeaseLostError` when the queue refuses the claim,
    or when the lease ends before the request is written (nothing is sent then), and `SourceUnavailableError` when the
    call can be tried again.
    """

    @property
    def message(self) -> Message:
        """The message claimed."""

    @property
    def source(self) -> Source:
        """The queue that it came from."""

    async def extend(self, seconds: float) -> None:
        """Hide the message for `seconds` from now on."""

    async def ack(self) -> None:
        """Delete the message. When this returns, the deletion is durable."""

    async def release(self, after_s: float = 0.0) -> None:
        """Release the message; it can be received again after `after_s` (rounded up to whole seconds)."""


class Source(Protocol):
    """A queue. Calls raise `SourceUnavailableError`, `SourceGoneError` or `SourceDeniedError`."""

    @property
    def has_redrive(self) -> bool:
        """Whether the queue moves a message to a dead-letter queue after some receives."""

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        """Return up to `limit` leases; none when the queue has no visible message.

        It blocks until there is a message, for up to `wait_s` seconds, and no longer than the poll wait time of the
        queue. None: for that time. 0: it returns what is there.
        """

    async def depth(self) -> Depth:
        """Return how many messages the queue holds."""

    async def copy(self, lease: Lease) -> None:
        """Send the message again as a new one, marked as `may_repeat`; once, however often this is called.

        The message itself stays.
        """
