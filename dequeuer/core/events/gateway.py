"""Events of the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StatusClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx", "other", "none"]
"""none: the client left, or the gateway stopped, before there was a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequestEnded:
    """A request to the gateway ended. All texts are metric labels, so each comes from a bounded set.

    Attributes:
        route: method and pattern of the route; "none": there is no such route.
        api_name: an API that the gateway serves; "other": another one; "": the route belongs to none.
        status: of the response.
        duration_s: until the response was there; of one that is written piece by piece, until its end.
        reason: why the gateway itself refused it; "" when it did not.
    """

    route: str
    api_name: str
    status: StatusClass
    duration_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayMeasured:
    """What the gateway does at this moment.

    Attributes:
        in_flight: requests without a whole response.
        submissions: requests of async APIs that are being read, stored or enqueued.
        waiting: clients that wait for a request, or follow its events.
        job_streams: clients that follow the events of a job.
    """

    in_flight: int
    submissions: int
    waiting: int
    job_streams: int
