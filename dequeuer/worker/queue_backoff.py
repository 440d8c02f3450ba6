"""The pauses after failed receives of a queue: nothing is asked of it meanwhile."""

from __future__ import annotations

import asyncio

from dequeuer.core.retry import UNTIL_AVAILABLE


class QueueBackoff:
    """The pauses of one queue.

    Args:
        changed: is set at the end of each pause.
    """

    def __init__(self, changed: asyncio.Event) -> None:
        self._changed = changed
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether the queue may be asked."""
        return self._timer is None

    def failed(self) -> None:
        """Begin a pause, unless there is one: the queue is unavailable, denies the receive or does not exist."""
        pause_s = UNTIL_AVAILABLE.backoff.pause_s(self._failures)
        self._failures += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._end)

    def succeeded(self) -> None:
        """Begin the next pause as the first one."""
        self._failures = 0

    def close(self) -> None:
        """End the pause; nobody is told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        self._changed.set()
