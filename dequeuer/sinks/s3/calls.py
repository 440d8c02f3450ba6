"""Report the calls of a store to an observer; used by both clients."""

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
        """Await a call, report it, and return its result. `key`: of the object.

        Raises:
            StoreMissingError: only reads and listings. A write gets status 404 when its upload is gone, or from a
                proxy. Its caller would take this error for a missing payload, so `StoreUnavailableError` is raised.
            StoreDeniedError, StoreUnavailableError: as raised by the call.
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
        """Report a call. `started`: `clock.monotonic()` when it began; None: a failure in the middle of a download."""
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
