"""Makes calls again while the gateway cannot be used: after the time that it asks for, and for a limited time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

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
from dequeuer.core.retry import Backoff

P = ParamSpec("P")
T = TypeVar("T")

CALL_BACKOFF: Final = Backoff(initial_s=0.5, max_s=8.0, min_share=0.5)
RETRY_LIMIT_S: Final = 420.0
"""The key of a submission whose gateway was killed is free again after 5 minutes."""
QUESTION_RETRY_LIMIT_S: Final = 10.0
"""Of commands, from the begin of a call: who asks a question wants an answer, or to hear that there is none."""


def pause_s(error: ClientError, backoff: Backoff, failures: int) -> float:
    """Return the pause before a call is made again, seconds: at least the time that the gateway asks for."""
    asked_s = error.retry_after_s if isinstance(error, GatewayUnavailableError) else None
    return max(backoff.pause_s(failures), asked_s or 0.0)


class Retries:
    """The retries of a client.

    Args:
        limit_s: no call is made again later than this after it failed first, seconds. Streams of events, too, are not
            opened again later than this after the gateway went away.
        from_begin: the limit counts from the begin of a call. A gateway that hangs takes a minute of it before the call
            fails first.
    """

    def __init__(self, limit_s: float = RETRY_LIMIT_S, *, from_begin: bool = False) -> None:
        self.limit_s = limit_s
        self._from_begin = from_begin
        self.is_known = False
        """Whether the gateway has answered: an address at which nothing ever answered may be wrong."""

    def is_outage(self, error: ClientError) -> bool:
        """Return whether an error tells of a gateway that is away, not of an address that may be wrong."""
        return self.is_known or not isinstance(error, GatewayAbsentError | InvalidAnswerError)

    def note_answer(self) -> None:
        """Keep that the gateway has answered."""
        self.is_known = True

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep that the gateway has answered, when it answers a call that is made within. Raises the error of it."""
        try:
            yield
        except (GatewayBusyError, GatewayLostError, RequestRefusedError, AnswerTooLargeError):
            self.note_answer()
            raise
        self.note_answer()

    async def call(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call that may be done twice. Raises the error of the last attempt."""
        return await self._repeat(GatewayUnavailableError, function, *args, **kwargs)

    async def call_once(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call that must not be done twice: again only when surely nothing of it was done."""
        return await self._repeat((GatewayAbsentError, TooManyRequestsError), function, *args, **kwargs)

    async def _repeat(
        self,
        retry_on: type[GatewayUnavailableError] | tuple[type[GatewayUnavailableError], ...],
        function: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self.limit_s if self._from_begin else math.inf
        failures = 0
        while True:
            try:
                with self.noted():
                    return await function(*args, **kwargs)
            except retry_on as error:
                if not self.is_outage(error):
                    raise
                ends_at = min(ends_at, loop.time() + self.limit_s)
                wait_s = pause_s(error, CALL_BACKOFF, failures)
                if loop.time() + wait_s > ends_at:
                    raise
            failures += 1
            await asyncio.sleep(wait_s)
