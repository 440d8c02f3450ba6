"""Follows a job or a request to its end, through restarts of the gateway and lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, Protocol, TypeVar

from dequeuer.client.errors import ClientError, GatewayLostError, GatewayUnavailableError, InvalidAnswerError
from dequeuer.client.retrying import Retries, pause_s
from dequeuer.core.retry import Backoff

RECONNECT_BACKOFF: Final = Backoff(initial_s=1.0, max_s=8.0, min_share=0.5)


class Status(Protocol):
    """What is followed."""

    @property
    def has_ended(self) -> bool:
        """Whether it changes no more."""


S = TypeVar("S", bound=Status)
S_co = TypeVar("S_co", bound=Status, covariant=True)


class EventSource(Protocol[S_co]):
    """The jobs, or the requests, of an API."""

    def events(self, name: str, /) -> AsyncGenerator[S_co, None]:
        """Yield the status of one of them, by its id, then each one that differs; as `JobCalls.events`."""


async def follow(
    source: EventSource[S],
    name: str,
    retries: Retries,
    *,
    on_outage: Callable[[ClientError], None] = lambda _: None,
) -> AsyncGenerator[S, None]:
    """Yield the status of a job or a request, and each one that differs from the one before; end after its last one.

    Args:
        source: of its API.
        name: its id.
        retries: with the time that the gateway may be away in a row. When it has never answered, an address at which
            nothing listens, or something else, is an error at once. Later a load balancer may give such answers while
            the gateway is restarted.
        on_outage: is called when the gateway cannot be used, once for each outage.

    Raises:
        GatewayUnavailableError, InvalidAnswerError: it was away for longer.
        RequestRefusedError: there is no such job or request.
    """
    loop = asyncio.get_running_loop()
    latest: S | None = None
    away_since: float | None = None
    failures = 0
    while True:
        try:
            with retries.noted():
                async with aclosing(source.events(name)) as statuses:
                    async for status in statuses:
                        retries.is_known, away_since, failures = True, None, 0
                        if status != latest:
                            latest = status
                            yield status
                        if status.has_ended:
                            return
                raise GatewayLostError("the gateway ended the stream of events")
        except (GatewayUnavailableError, InvalidAnswerError) as error:
            if not retries.is_outage(error):
                raise
            # A gateway that drains ends streams: that is no outage while another one answers.
            wait_s = pause_s(error, RECONNECT_BACKOFF, failures)
            failures += 1
            if failures == 2:
                on_outage(error)
            if away_since is None:
                away_since = loop.time()
            if loop.time() + wait_s - away_since > retries.limit_s:
                raise
        await asyncio.sleep(wait_s)
