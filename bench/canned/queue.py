"""A queue whose messages are created when they are received."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from hashlib import md5
from itertools import count
from typing import TypeAlias

from bench.canned.state import State

RECEIPT = "AQEB" + "wJnKyrHigUMZj6rYigCgxlaS3SLy0a" * 10
"""A receipt handle with the length of those of SQS."""

Give: TypeAlias = Callable[[bytes], None]


class _Waiter:
    """A long poll."""

    __slots__ = ("give", "limit", "timer")

    def __init__(self, limit: int, give: Give) -> None:
        self.limit = limit
        self.give = give
        self.timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class Queue:
    """Delivers messages: all at once, or at a steady rate."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._available = state.shape.messages if not state.shape.rate else 0
        self._to_come = state.shape.messages if state.shape.rate else 0
        self._started_at_s: float | None = None
        self._numbers = count(1)
        self._batch = b'[\\"' + b"x" * max(0, state.shape.payload_bytes - 4) + b'\\"]'
        self._waiting: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def visible(self) -> int:
        """The number of messages in the queue now."""
        return self._available

    def put(self) -> None:
        """Add a message, and record the time for its latency."""
        self._state.put_at_s = time.monotonic()
        self._add()

    def receive(self, limit: int, wait_s: float, give: Give) -> None:
        """Call `give` with the response when there is a message, at the latest after `wait_s`."""
        if self._to_come and self._started_at_s is None:
            self._started_at_s = asyncio.get_running_loop().time()
            self._appear()
        if self._available or not wait_s:
            give(self._take(limit))
            return
        loop = asyncio.get_running_loop()
        waiter = _Waiter(limit, give)
        waiter.timer = loop.call_later(wait_s, self._over, waiter)
        self._waiting.append(waiter)

    def close(self) -> None:
        """Cancel all waiting receives without a response."""
        if self._timer is not None:
            self._timer.cancel()
        for waiter in self._waiting:
            waiter.cancel()
        self._waiting.clear()

    def _over(self, waiter: _Waiter) -> None:
        self._waiting.remove(waiter)
        waiter.give(b"{}")

    def _appear(self) -> None:
        loop = asyncio.get_running_loop()
        self._add()
        self._to_come -= 1
        if self._to_come and self._started_at_s is not None:
            # Times are counted from the start: a late timer must not delay all later ones.
            so_far = self._state.shape.messages - self._to_come
            self._timer = loop.call_at(self._started_at_s + so_far / self._state.shape.rate, self._appear)

    def _add(self) -> None:
        self._available += 1
        if self._waiting:
            waiter = self._waiting.popleft()
            waiter.cancel()
            waiter.give(self._take(waiter.limit))

    def _take(self, limit: int) -> bytes:
        taken = min(limit, self._available)
        self._available -= taken
        if not taken:
            return b"{}"
        sent = b"%d" % (time.time() * 1000)
        return b'{"Messages":[%b]}' % b",".join([self._message(next(self._numbers), sent) for _ in range(taken)])

    def _message(self, number: int, sent: bytes) -> bytes:
        name = b"%08x-5b1e-4c8a-9d2f-6a7b8c9d0e1f" % number
        body = name if self._state.shape.kind == "async" else self._batch
        digest = md5(body.replace(b"\\", b""), usedforsecurity=False).hexdigest().encode()
        return (
            b'{"MessageId":"%b","ReceiptHandle":"%b%08x","MD5OfBody":"%b","Body":"%b",'
            b'"Attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"%b"}}'
        ) % (name, RECEIPT.encode(), number, digest, body, sent)
