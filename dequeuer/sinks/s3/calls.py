"""Reporting the calls of a store to an observer: the same for both clients."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import Observer, StoreCalled, StoreOp
from dequeuer.sinks.s3.errors import STORE_ERRORS, StoreError, kind_of

T = TypeVar("T")


class CallReporter:
    """Emits one `StoreCalled` a call.

    Args:
        observer: gets the events.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    async def run(self, op: StoreOp, call: Awaitable[T], key: str = "") -> T:
        """Return what a call returns, and report it. `key`: what it is about.

        Raises:
            StoreMissingError: reads and listings only. A write that is answered 404 has lost its upload, or a proxy has
                answered it. The caller of a write would take the error for a payload that is missing.
            StoreDeniedError, StoreUnavailableError: as the call raises them.
        """
        started = clock.monotonic()
        try:
            response = await call
        except STORE_ERRORS as error:
            if op == "put" and isinstance(error, StoreMissingError):
                lost = StoreUnavailableError(str(error))
                self.report(op, started, lost, key)
                raise lost from error
            self.report(op, started, error, key)
            raise
        self.report(op, started, None, key)
        return response

    def report(self, op: StoreOp, started: float | None, error: StoreError | None = None, key: str = "") -> None:
        """Report a call. `started`: `clock.monotonic()` when it began; None: in the middle of another one."""
        duration_s = 0.0 if started is None else clock.monotonic() - started
        if error is None:
            self._observer(StoreCalled(op=op, duration_s=duration_s, error=None, key=key))
            return
        kind = kind_of(error)
        self._observer(
            StoreCalled(
                op=op,
                duration_s=duration_s,
                error=kind,
                detail="" if kind == "missing" else str(error),
                code=error.code if isinstance(error, StoreDeniedError) else "",
                key=key,
            )
        )
