"""An event loop in a thread of its own, for callers that have none, or whose own loop they must not block."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

STOP_TIMEOUT_S: Final = 10.0
"""How long the end of what runs is waited for; the thread does not keep the process from ending."""


class LoopThread:
    """Runs coroutines for any number of threads. It ends with `close`, with the program, or when nobody has it.

    `context`: is entered at once, and left when all that ran has ended. Errors of its begin are raised.
    """

    def __init__(self, context: AbstractAsyncContextManager[object]) -> None:
        self._state = _State(context)
        thread = threading.Thread(target=self._state.serve, name="dequeuer-client", daemon=True)
        thread.start()
        self._state.opened.result()
        self.close = weakref.finalize(self, self._state.stop, thread)
        """Cancels what runs, and ends the thread. Later calls do nothing."""

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine; it is cancelled with its future.

        Raises:
            RuntimeError: the thread has ended, it is the caller's own, or it is that of the process before a fork.
        """
        return self._state.start(work)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and wait for its result. When the wait is interrupted (Ctrl-C), it is cancelled."""
        return self.result(self.start(work))

    @staticmethod
    def result(future: concurrent.futures.Future[T]) -> T:
        """Wait for the result of what was started. When the wait is interrupted (Ctrl-C), it is cancelled."""
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise RuntimeError("the client was closed meanwhile") from None
        except BaseException:
            future.cancel()
            raise

    def iterate(self, source: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Yield what a generator yields; it is closed with this one."""
        iteration = Iteration(source)
        try:
            while found := self.run(iteration.next()):
                yield found[0]
        finally:
            if self.close.alive:  # else the loop has closed it
                self.run(iteration.close())


class Iteration(Generic[T]):
    """An iteration over a generator, whose steps are tasks of their own."""

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        # A step that was cancelled (Ctrl-C) may still be in the generator, which cannot be closed meanwhile.
        self._step = asyncio.Lock()

    async def next(self) -> tuple[T] | tuple[()]:
        """Return the next value, alone in a tuple; an empty one at the end."""
        async with self._step:
            try:
                return (await anext(self._source),)
            except StopAsyncIteration:
                return ()

    async def close(self) -> None:
        """Close the generator, when its last step has ended."""
        async with self._step:
            await self._source.aclose()


class _State:
    """What the thread has. It knows nothing of the `LoopThread`, which may be forgotten meanwhile."""

    def __init__(self, context: AbstractAsyncContextManager[object]) -> None:
        self.opened: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._context = context
        self._lock = threading.Lock()
        self._is_stopping = False
        self._process_id = os.getpid()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread_id = 0

    def serve(self) -> None:
        """Run the loop, in the thread."""
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised where the thread was made
            if not self.opened.done():
                self.opened.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._thread_id = threading.get_ident()
        async with self._context:
            self.opened.set_result(None)
            await self._stop.wait()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """As `LoopThread.start`."""
        # What is handed to a loop that has stopped would never run, and its caller would wait for ever. A fork copies
        # no threads, and the lock may be held for ever in it.
        if self._is_forked():
            work.close()
            raise RuntimeError("the client was made before this process was forked: make one in each process")
        with self._lock:
            is_own = threading.get_ident() == self._thread_id
            if not is_own and not self._is_stopping:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        if is_own:
            raise RuntimeError("a call from the thread of the client would wait for itself: use the asyncio client")
        raise RuntimeError("the client is closed")

    def stop(self, thread: threading.Thread) -> None:
        """End the thread; see `LoopThread.close`."""
        if self._is_forked():  # its loop would wake the one of the other process, whose pipe it shares
            return
        with self._lock:
            self._is_stopping = True
            self._loop.call_soon_threadsafe(self._stop.set)
        if threading.get_ident() != self._thread_id:
            thread.join(STOP_TIMEOUT_S)

    def _is_forked(self) -> bool:
        return os.getpid() != self._process_id
