"""The observer that turns events into log lines, and which lines each program writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from dequeuer.core.clock import monotonic
from dequeuer.core.events import Event
from dequeuer.observability.logs.container import ContainerLines
from dequeuer.observability.logs.credentials import CredentialsLines
from dequeuer.observability.logs.jobs import JobLines
from dequeuer.observability.logs.messages import MessageLines
from dequeuer.observability.logs.pod import PodLines
from dequeuer.observability.logs.services import ServiceLines, StoreFeatureLines
from dequeuer.observability.logs.splits import SplitLines
from dequeuer.observability.logs.webhooks import WebhookLines


class EventLines(Protocol):
    """Writes the log lines of some types of events."""

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """The method that logs an event, by the event's type."""


class EventLog:
    """An observer. A line holds what its event holds: never a payload, a header value or a credential."""

    def __init__(self, *parts: EventLines) -> None:
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            kind: handler for part in parts for kind, handler in part.handlers.items()
        }

    def __call__(self, event: Event) -> None:
        """Write the lines for one event; most types of events have none."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)


def sidecar_event_log(api_name: str, job_id: str = "", *, clock: Callable[[], float] = monotonic) -> EventLog:
    """Return the event log of the sidecar. Call it after `configure`.

    Args:
        api_name: a field of every line.
        job_id: a field of every line unless it is empty.
        clock: seconds, monotonic.
    """
    fields = {"api_name": api_name} | ({"job_id": job_id} if job_id else {})
    log = structlog.get_logger().bind(**fields)
    return EventLog(
        MessageLines(log),
        ServiceLines(log, clock=clock),
        StoreFeatureLines(log),
        ContainerLines(log),
        CredentialsLines(log, clock=clock),
        PodLines(log, clock=clock),
    )


def gateway_event_log(*, clock: Callable[[], float] = monotonic) -> EventLog:
    """Return the event log of the gateway. A call that fails is logged with the request that it fails, not here.

    `clock`: seconds, monotonic.
    """
    log = structlog.get_logger()
    return EventLog(StoreFeatureLines(log), CredentialsLines(log), SplitLines(log, clock=clock))


def proxy_event_log(log: Any) -> EventLog:
    """Return the event log of the realtime proxy, with the fields of `log`. Requests are logged by the proxy itself."""
    return EventLog(ContainerLines(log), PodLines(log))


def controller_event_log(*, clock: Callable[[], float] = monotonic) -> EventLog:
    """Return the event log of the controller. `clock`: seconds, monotonic."""
    log = structlog.get_logger()
    return EventLog(
        JobLines(log, clock=clock),
        ServiceLines(log, clock=clock),
        StoreFeatureLines(log),
        CredentialsLines(log, clock=clock),
    )


def webhooks_event_log(*, clock: Callable[[], float] = monotonic) -> EventLog:
    """Return the event log of the program that delivers webhooks. `clock`: seconds, monotonic."""
    log = structlog.get_logger()
    return EventLog(
        MessageLines(log),
        ServiceLines(log, clock=clock),
        StoreFeatureLines(log),
        CredentialsLines(log, clock=clock),
        WebhookLines(log),
    )
