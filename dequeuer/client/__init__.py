"""A client of the gateway over HTTP, for programs: typed, bounded, without a terminal.

`Client` is for asyncio, `SyncClient` for programs without it. The names below are loaded when they are used first:
programs of this project that need one module of this package alone start without the HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dequeuer.client.client import Client
    from dequeuer.client.dead_letters import DeadLetter, DeadLetters, Redriven
    from dequeuer.client.errors import (
        AnswerTooLargeError,
        ClientError,
        GatewayAbsentError,
        GatewayBusyError,
        GatewayLostError,
        GatewayUnavailableError,
        InvalidAnswerError,
        RequestRefusedError,
        TooManyRequestsError,
    )
    from dequeuer.client.jobs import ApiJobs
    from dequeuer.client.mapping import Outcome
    from dequeuer.client.outcomes import RequestFailedError, RequestNotEndedError
    from dequeuer.client.realtime import RealtimeResponse
    from dequeuer.client.request_calls import RequestPage
    from dequeuer.client.request_status import Attempt, RequestFailure, RequestProgress, RequestStatus
    from dequeuer.client.requests import ApiRequests, Request
    from dequeuer.client.submission import SubmitOptions
    from dequeuer.client.sync import SyncClient

_MODULES: Final = {
    "ApiJobs": "jobs",
    "ApiRequests": "requests",
    "AnswerTooLargeError": "errors",
    "Attempt": "request_status",
    "Client": "client",
    "ClientError": "errors",
    "DeadLetter": "dead_letters",
    "DeadLetters": "dead_letters",
    "GatewayAbsentError": "errors",
    "GatewayBusyError": "errors",
    "GatewayLostError": "errors",
    "GatewayUnavailableError": "errors",
    "InvalidAnswerError": "errors",
    "Outcome": "mapping",
    "RealtimeResponse": "realtime",
    "Redriven": "dead_letters",
    "Request": "requests",
    "RequestFailedError": "outcomes",
    "RequestFailure": "request_status",
    "RequestNotEndedError": "outcomes",
    "RequestPage": "request_calls",
    "RequestProgress": "request_status",
    "RequestRefusedError": "errors",
    "RequestStatus": "request_status",
    "SubmitOptions": "submission",
    "SyncClient": "sync",
    "TooManyRequestsError": "errors",
}

__all__ = [
    "AnswerTooLargeError",
    "ApiJobs",
    "ApiRequests",
    "Attempt",
    "Client",
    "ClientError",
    "DeadLetter",
    "DeadLetters",
    "GatewayAbsentError",
    "GatewayBusyError",
    "GatewayLostError",
    "GatewayUnavailableError",
    "InvalidAnswerError",
    "Outcome",
    "RealtimeResponse",
    "Redriven",
    "Request",
    "RequestFailedError",
    "RequestFailure",
    "RequestNotEndedError",
    "RequestPage",
    "RequestProgress",
    "RequestRefusedError",
    "RequestStatus",
    "SubmitOptions",
    "SyncClient",
    "TooManyRequestsError",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
