"""Combines several observers into one. An observer that raises cannot make work fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import structlog

from dequeuer.core.errors import clip
from dequeuer.core.events import Event, Observer


@runtime_checkable
class SelectiveObserver(Protocol):
    """An observer that declares which types of events it handles."""

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """The handler by event type. Events of other types are not passed to the observer."""


class _CombinedObserver:
    """Passes each event to the observers that handle its type, in their order."""

    __slots__ = ("_failed", "_handlers_by_type", "_observers")

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers
        self._failed: set[int] = set()
        # Each message emits about a dozen events, so the handlers are looked up once for each type.
        self._handlers_by_type: dict[type[Event], list[tuple[int, Callable[[Any], None]]]] = {}

    def __call__(self, event: Event) -> None:
        handlers = self._handlers_by_type.get(type(event))
        if handlers is None:
            handlers = self._handlers_by_type[type(event)] = self._find_handlers(type(event))
        for at, call in handlers:
            try:
                call(event)
            except Exception as error:  # noqa: BLE001 - a bug in a metric must not fail the message
                self._log_failure(at, self._observers[at], event, error)

    def _find_handlers(self, kind: type[Event]) -> list[tuple[int, Callable[[Any], None]]]:
        found: list[tuple[int, Callable[[Any], None]]] = []
        for at, observer in enumerate(self._observers):
            call = observer.handlers.get(kind) if isinstance(observer, SelectiveObserver) else observer
            if call is not None:
                found.append((at, call))
        return found

    def _log_failure(self, at: int, observer: Observer, event: Event, error: Exception) -> None:
        if at in self._failed:
            return
        self._failed.add(at)
        name = getattr(observer, "__name__", type(observer).__name__)
        # The observer that raised may be the event log itself.
        with contextlib.suppress(Exception):
            structlog.get_logger().error(
                "observer_failed",
                observer=name,
                on=type(event).__name__,
                error=f"{type(error).__name__}: {clip(str(error))}",
            )


def combine(*observers: Observer) -> Observer:
    """Return an observer that passes every event to all of `observers`.

    When an observer raises, the others still receive the event, and the caller continues. The first exception of each
    observer is logged; it receives later events as before.
    """
    return _CombinedObserver(observers)
