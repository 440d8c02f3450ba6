"""How long-lived work waits for AWS to come back: exponential backoff with full jitter, no end of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

P = ParamSpec("P")
T = TypeVar("T")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
"""Short, so that work goes on soon after an outage; the jitter spreads those who wait."""


def pause_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row before this one, in seconds, as `persist` does."""
    # The exponent is capped before the power is taken: an outage can last for days.
    return random.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failures, 10)))  # noqa: S311 - jitter


async def persist(
    retry_on: type[Exception] | tuple[type[Exception], ...],
    call: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call until it succeeds; ends otherwise only by cancellation or an error that is not `retry_on`.

    The caller bounds it: every use runs under a lease, whose loss cancels it, or until the process stops.
    """
    try:
        return await call(*args, **kwargs)
    except retry_on:
        # The policy object costs more than a call that works: it is made on the first failure only.
        policy = AsyncRetrying(
            retry=retry_if_exception_type(retry_on),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
            reraise=True,
        )
    await asyncio.sleep(pause_s(0))
    return await policy(call, *args, **kwargs)
