"""What the worker asks of a handler."""

from __future__ import annotations

from typing import Protocol

from dequeuer.message import Fence, Message, Outcome


class Handler(Protocol):
    """Works on messages. It never sees a lease, so it cannot acknowledge early."""

    def needs_slot(self, message: Message) -> bool:
        """Tell whether the message occupies the container (a job's completion only waits)."""

    def ref(self, message: Message) -> str:
        """Return what logs may call the work: a valid request id, or nothing. Never a payload."""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Do the work; what is returned is durable.

        `fence.check()` comes before every write and deletion. Expected endings are outcomes; an
        exception is a bug, and costs the message one attempt. May be cancelled at any await.
        """
