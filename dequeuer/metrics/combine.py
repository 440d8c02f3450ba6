"""Several observers as one, of which none can make work fail."""

from __future__ import annotations

import contextlib

import structlog

from dequeuer.errors import clip
from dequeuer.events import Event, Observer


class _Combined:
    """Calls each observer in turn."""

    __slots__ = ("_broken", "_observers")

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers
        self._broken: set[int] = set()

    def __call__(self, event: Event) -> None:
        for at, observer in enumerate(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a metric, the message goes on
                self._report(at, observer, event, error)

    def _report(self, at: int, observer: Observer, event: Event, error: Exception) -> None:
        if at in self._broken:
            return
        self._broken.add(at)
        name = getattr(observer, "__name__", type(observer).__name__)
        # The observer that broke may be the log itself.
        with contextlib.suppress(Exception):
            structlog.get_logger().error(
                "observer_failed",
                observer=name,
                on=type(event).__name__,
                error=f"{type(error).__name__}: {clip(str(error))}",
            )


def combine(*observers: Observer) -> Observer:
    """Return an observer that passes every event to all of `observers`.

    One that raises still gets the events that follow. It is logged the first time, and never stops
    the others or the caller.
    """
    return _Combined(observers)
