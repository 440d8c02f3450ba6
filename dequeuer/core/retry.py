"""Retries with exponential backoff and jitter: the one helper for all calls that are repeated in place."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses between attempts: an upper limit that doubles with each failure; the pause is a random part of it.

    Attributes:
        initial_s: the upper limit after the first failure, seconds.
        max_s: the upper limit never exceeds this, seconds.
        min_share: the smallest part of the upper limit that a pause takes, 0 to 1.
    """

    initial_s: float
    max_s: float
    min_share: float = 0.0

    def pause_s(self, failures: int, chance: Callable[[], float] = random.random) -> float:
        """Return the pause in seconds after a failure. `failures`: how many failures came before it in a row.

        `chance`: returns a random number from 0 to 1, for the jitter.
        """
        # The exponent is limited first: in an outage of days, the power would overflow.
        ceiling_s = min(self.max_s, self.initial_s * 2.0 ** min(failures, 16))
        return ceiling_s * (self.min_share + (1.0 - self.min_share) * chance())


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and for how long a call is repeated.

    Attributes:
        backoff: the pauses.
        max_attempts: attempts, the first included; None: no limit.
        max_duration_s: no attempt begins later than this after the first one, seconds; None: no limit.
    """

    backoff: Backoff
    max_attempts: int | None = None
    max_duration_s: float | None = None

    async def call(
        self,
        retry_on: type[Exception] | tuple[type[Exception], ...],
        function: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call until it succeeds. Raises errors that are not `retry_on`, and the error of the last attempt."""
        limit_s = self.max_duration_s
        give_up_at = math.inf if limit_s is None else asyncio.get_running_loop().time() + limit_s
        try:
            return await function(*args, **kwargs)
        except retry_on as error:
            # The retry object costs more than a call that succeeds: it is made on the first failure only.
            first: list[Exception] = [error]

        async def attempt() -> T:
            if first:
                raise first.pop()
            return await function(*args, **kwargs)

        def should_stop(state: RetryCallState) -> bool:
            if self.max_attempts is not None and state.attempt_number >= self.max_attempts:
                return True
            # The loop's clock, not tenacity's: tests run in virtual time.
            return give_up_at < math.inf and asyncio.get_running_loop().time() + state.upcoming_sleep > give_up_at

        return await AsyncRetrying(
            retry=retry_if_exception_type(retry_on),
            wait=lambda state: self.backoff.pause_s(state.attempt_number - 1),
            stop=should_stop,
            reraise=True,
        )(attempt)


UNTIL_AVAILABLE = RetryPolicy(backoff=Backoff(initial_s=0.2, max_s=5.0))
"""No limit. Pauses are short, so that work resumes soon after an outage; the jitter spreads the callers."""

retry_until_available = UNTIL_AVAILABLE.call
"""Calls until it succeeds. It ends earlier only when it is cancelled, or with an error that is not `retry_on`.

The caller must limit it: with a lease whose loss cancels it, with a timeout, or with the end of the process."""
