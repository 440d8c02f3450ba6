"""What the core asks of a queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dequeuer.core.message import Message


def lease_margin_s(length_s: float) -> float:
    """Return how long before the end of its lease a message is treated as lost: somebody else may have it soon."""
    return min(1.0, length_s / 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many messages a queue holds, as far as it knows (counts of SQS are approximate)."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """Every message that is still to be settled."""
        return self.visible + self.in_flight + self.delayed


class Lease(Protocol):
    """An expiring claim on one message, settled at most once.

    Every call may be gathered with those of other leases into one request. Each raises
    `LeaseLostError` when the queue refuses the claim, or when the lease is over before the request
    is written (nothing is sent then), and `SourceUnavailableError` when the call can be tried again.
    """

    @property
    def message(self) -> Message:
        """The message claimed."""

    async def extend(self, seconds: float) -> None:
        """Hide the message for `seconds` from now on."""

    async def ack(self) -> None:
        """Delete the message. Returned means gone for good."""

    async def release(self, after_s: float = 0.0) -> None:
        """Give the message back; others see it after `after_s` (rounded up to whole seconds)."""


class Source(Protocol):
    """A queue. Calls raise `SourceUnavailableError`, `SourceGoneError` or `SourceDeniedError`."""

    @property
    def has_redrive(self) -> bool:
        """Whether the queue moves a message to a dead-letter queue after some receives."""

    async def receive(self, limit: int, *, wait: bool = True) -> Sequence[Lease]:
        """Return up to `limit` leases; none means that the queue was quiet.

        With `wait` it blocks until there is a message, or for as long as the queue waits at most; otherwise it asks
        once and returns what there is.
        """

    async def depth(self) -> Depth:
        """Count what the queue holds."""

    async def copy(self, lease: Lease) -> None:
        """Send the message again as a new one; once, however often it is called. This one stays."""
