"""Short failures of AWS are bridged while the client waits: a few attempts within a few seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from dequeuer.core.retry import Backoff, RetryPolicy

P = ParamSpec("P")
T = TypeVar("T")

REQUEST_RETRIES = RetryPolicy(backoff=Backoff(initial_s=0.1, max_s=0.8), max_attempts=5)
"""All pauses together are at most 1.5 s: the client, and a proxy in front of it, must get an answer in time."""


async def retry_briefly(
    retry_on: type[Exception] | tuple[type[Exception], ...],
    function: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Repeat as `REQUEST_RETRIES` says; the last error is raised as it is."""
    return await REQUEST_RETRIES.call(retry_on, function, *args, **kwargs)
