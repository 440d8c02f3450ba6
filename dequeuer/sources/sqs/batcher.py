"""Gathers the calls of many leases into requests of ten: a tenth of the requests, a tenth of the bill."""

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
    """Collects entries for a moment, sends them together and tells each caller what became of its own.

    An entry is sent until a given time only: it may have waited for company or for a stopped process, and what is
    sent after the end of its lease changes a message that somebody else has by then.

    Args:
        send: sends up to ten entries until a given loop time; returns one result an entry (None = done), or raises
            for all.
        linger_s: how long an entry waits for company, seconds.
        expected: how many entries can come; when as many are here, nothing more is waited for.
        name: of its tasks, for logs.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T], float], Awaitable[Sequence[Exception | None]]],
        *,
        linger_s: float,
        expected: Callable[[], int],
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
        """Have an entry sent; returns when its own part of the request succeeded, else raises.

        Cancelling the caller takes the entry back as long as its request is not under way: whoever gives up an
        acknowledgement releases the message next. `until`: loop time; `LeaseLostError` when it is over before the
        request is written.
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
        if len(self._waiting) >= self._expected():
            # Not at once: callers woken in the same turn of the loop still join.
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
            # The request ends with the first of these times: it may still wait for a connection.
            results = await self._send([entry for entry, _, _ in batch], min(until for _, until, _ in batch))
        except Exception as error:  # noqa: BLE001 - handed to every caller, none is left waiting
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
        """Send what is waiting now and wait until nothing is under way: before the client is closed."""
        if self._waiting:
            self._flush()
        while self._sending:
            await asyncio.wait(self._sending)
