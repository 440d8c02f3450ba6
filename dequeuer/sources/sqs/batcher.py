"""Sends the calls of many leases in batch requests of ten: a tenth of the requests, and of their cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from dequeuer.core.errors import LeaseLostError
from dequeuer.core.queue_limits import MAX_BATCH_SIZE

T = TypeVar("T")


class _Entry(NamedTuple, Generic[T]):
    entry: T
    until: float
    future: asyncio.Future[None]


class Batcher(Generic[T]):
    """Collects entries for a short time, sends them together, and returns or raises the result of each to its caller.

    Each entry has a deadline, because it may have waited here, or the process may have been stopped: a request that is
    sent after the end of the lease would change a message that another sidecar has received by then.

    Args:
        send: sends up to ten entries; the request is aborted at the given loop time. Returns one result an entry
            (None: success), or raises for all.
        linger_s: how long an entry waits for others, seconds.
        expected: returns how many entries can come at most; when that many wait, they are sent at once. None: it is not
            known.
        name: of its tasks, for logs.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T], float], Awaitable[Sequence[Exception | None]]],
        *,
        linger_s: float,
        expected: Callable[[], int] | None,
        name: str,
    ) -> None:
        self._send = send
        self._linger_s = linger_s
        self._expected = expected
        self._name = name
        self._waiting: list[_Entry[T]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def submit(self, entry: T, until: float) -> None:
        """Send an entry with others; return when it succeeded, raise its error otherwise.

        Cancelling the caller removes the entry if its request is not under way: a caller that gives up an
        acknowledgement releases the message next. `until`: deadline, loop time; raises `LeaseLostError` when it is over
        before the request is written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Entry(entry, until, future))
        if len(self._waiting) >= MAX_BATCH_SIZE:
            self._flush()
        else:
            self._schedule(loop)
        await future

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._expected is not None and len(self._waiting) >= self._expected():
            # In the next turn of the event loop, so that callers woken in this turn can join.
            self._cancel_timer()
            self._timer = loop.call_later(0, self._flush)
        elif self._timer is None:
            self._timer = loop.call_later(self._linger_s, self._flush)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        self._cancel_timer()
        batch, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._deliver(batch), name=f"send-{self._name}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, batch: Sequence[_Entry[T]]) -> None:
        batch = self._sendable(batch)
        if not batch:
            return
        try:
            # The earliest deadline aborts the request: it may still be waiting for a connection.
            results = await self._send([entry for entry, _, _ in batch], min(until for _, until, _ in batch))
        except Exception as error:  # noqa: BLE001 - raised to every caller, so that none waits for ever
            results = [error] * len(batch)
        except BaseException:
            for _, _, future in batch:
                future.cancel()
            raise
        for (_, _, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if result is None:
                future.set_result(None)
            else:
                future.set_exception(result)

    @staticmethod
    def _sendable(batch: Sequence[_Entry[T]]) -> Sequence[_Entry[T]]:
        now = asyncio.get_running_loop().time()
        for _, until, future in batch:
            if until <= now and not future.done():
                future.set_exception(LeaseLostError("the lease was over before the request could be sent"))
        return [waiting for waiting in batch if not waiting.future.done()]

    async def flush(self) -> None:
        """Send what is waiting, and wait until no request is under way. To be called before the client is closed."""
        if self._waiting:
            self._flush()
        while self._sending:
            await asyncio.wait(self._sending)
