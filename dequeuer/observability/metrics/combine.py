"""Several observers as one, of which none can make work fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import structlog

from dequeuer.core.errors import clip
from dequeuer.core.events import Event, Observer


@runtime_checkable
class Choosy(Protocol):
    """An observer that says beforehand what it wants to hear of."""

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """Who takes an event of that type; the others are of no interest."""


class _Combined:
    """Calls each observer that has an interest, in turn."""

    __slots__ = ("_broken", "_interested", "_observers")

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers
        self._broken: set[int] = set()
        # A message is a dozen events: whom one is for is found out once for each type.
        self._interested: dict[type[Event], list[tuple[int, Callable[[Any], None]]]] = {}

    def __call__(self, event: Event) -> None:
        interested = self._interested.get(type(event))
        if interested is None:
            interested = self._interested[type(event)] = self._look_up(type(event))
        for at, call in interested:
            try:
                call(event)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a metric, the message goes on
                self._report(at, self._observers[at], event, error)

    def _look_up(self, kind: type[Event]) -> list[tuple[int, Callable[[Any], None]]]:
        found: list[tuple[int, Callable[[Any], None]]] = []
        for at, observer in enumerate(self._observers):
            call = observer.handlers.get(kind) if isinstance(observer, Choosy) else observer
            if call is not None:
                found.append((at, call))
        return found

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
