"""A pod with a sidecar: what it works on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True, eq=False)
class Request:
    """A request in the queue, or in a pod.

    Attributes:
        submitted_s: when it came.
        work_s: how long the container needs for it.
    """

    submitted_s: float
    work_s: float


@dataclass(slots=True, kw_only=True, eq=False)
class Pod:
    """A pod that exists: it starts, works, drains.

    Attributes:
        created_s: from here on it is paid for.
        ready_s: from here on it takes requests.
        running: the requests that it works on, each with the time when it began.
        left: requests that it may still take before it ends by itself; None: any number.
    """

    number: int
    created_s: float
    ready_s: float
    running: dict[Request, float] = field(default_factory=dict)
    left: int | None = None
    draining: bool = False
    gone: bool = False
