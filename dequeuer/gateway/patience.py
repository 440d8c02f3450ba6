"""How the gateway bridges a hiccup of AWS while a client waits: a few tries within a few seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 5
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.5
"""All waits together are below 3 s: a client, and the proxy before it, must get an answer in time."""


async def briefly(
    retry_on: type[Exception], call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call up to `ATTEMPTS` times; the last error is raised as it is."""
    policy = AsyncRetrying(
        retry=retry_if_exception_type(retry_on),
        wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    return await policy(call, *args, **kwargs)
