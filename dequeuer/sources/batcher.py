"""Gathers the calls of many leases into requests of ten: a tenth of the requests, a tenth of the bill."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

BATCH_LIMIT = 10
"""Entries a request of SQS takes."""

T = TypeVar("T")


class Batcher(Generic[T]):
    """Collects entries for a moment, sends them together and tells each caller what became of its own.

    Args:
        send: sends up to ten entries; returns one result an entry (None = done), or raises for all.
        linger_s: how long an entry waits for company, seconds.
        expected: how many entries can come; when as many are here, nothing more is waited for.
        name: of its tasks, for logs.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Awaitable[Sequence[Exception | None]]],
        *,
        linger_s: float,
        expected: Callable[[], int],
        name: str,
    ) -> None:
        self._send = send
        self._linger_s = linger_s
        self._expected = expected
        self._name = name
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def submit(self, entry: T) -> None:
        """Have an entry sent; returns when its own part of the request succeeded, else raises.

        Cancelling the caller does not take the entry back.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((entry, future))
        if len(self._waiting) >= BATCH_LIMIT:
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

    async def _deliver(self, batch: Sequence[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            results = await self._send([entry for entry, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed to every caller, none is left waiting
            results = [error] * len(batch)
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if result is None:
                future.set_result(None)
            else:
                future.set_exception(result)

    async def flush(self) -> None:
        """Send what is waiting now and wait until nothing is under way: before the client is closed."""
        if self._waiting:
            self._flush()
        while self._sending:
            await asyncio.wait(self._sending)
