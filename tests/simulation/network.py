"""Faults of requests to the simulated servers: their rates, and the connection on which they happen."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

T = TypeVar("T")

Action = Literal[
    "s3:get", "s3:put", "s3:list", "s3:delete", "sqs:receive", "sqs:delete", "sqs:visibility", "sqs:depth", "sqs:send"
]
ACTIONS: tuple[Action, ...] = get_args(Action)

SLOW_S = 8.0
DELAYED_RESPONSE_SHARE = 0.4
"""The share of responses that are delayed. The others arrive at once, which makes the simulation faster."""


@dataclass(kw_only=True)
class FaultRates:
    """Probability of each fault, for one request. `clear` sets all of them to 0.

    Attributes:
        unavailable: an error is returned, and the request has no effect.
        response_lost: the request has its effect, but the response is lost.
        slow: the request or the response takes seconds instead of milliseconds.
        duplicated: a standard queue delivers a message although its lease is not over.
        deletion_undone: a standard queue delivers a deleted message again.
        container: the container responds with 429 or 503, breaks the connection, or takes long.
    """

    unavailable: float = 0.0
    response_lost: float = 0.0
    slow: float = 0.0
    duplicated: float = 0.0
    deletion_undone: float = 0.0
    container: float = 0.0

    def clear(self) -> None:
        """Set all rates to 0."""
        self.unavailable = self.response_lost = self.slow = 0.0
        self.duplicated = self.deletion_undone = self.container = 0.0

    async def delay(self) -> None:
        """Wait as long as a request or a response takes on the network."""
        await asyncio.sleep(random.uniform(0.2, SLOW_S) if random.random() < self.slow else random.uniform(0.001, 0.03))


def draw_fault_rates() -> FaultRates:
    """Draw rates, between no faults and many."""
    factor = random.choice([0.0, 0.3, 1.0, 3.0])
    standard = random.random() < 0.5
    return FaultRates(
        unavailable=0.03 * factor,
        response_lost=0.02 * factor,
        slow=0.02 * factor,
        duplicated=0.02 * factor if standard else 0.0,
        deletion_undone=0.01 * factor if standard else 0.0,
        container=0.05 * factor,
    )


class Connection:
    """The connection of one sidecar to a server. When the sidecar is killed (`is_dead`), its calls never return."""

    def __init__(
        self,
        rates: FaultRates,
        is_unavailable: Callable[[], bool],
        error: Callable[[], Exception],
        denial: Callable[[str, bool], Exception | None] = lambda _action, _has_response: None,
        *,
        distance_s: float = 0.0,
    ) -> None:
        """Store what decides about requests.

        Args:
            rates: of the faults.
            is_unavailable: whether there is an outage of the server.
            error: returns an error of an unavailable server.
            denial: returns the error when an action is denied. Its arguments are the action, and whether the caller
                gets the response.
            distance_s: an additional time for each request.
        """
        self.rates = rates
        self._denial = denial
        self._distance_s = distance_s
        self._is_unavailable = is_unavailable
        self._error = error
        self.is_dead = False
        self._unanswered: list[asyncio.Future[None]] = []
        """A task that waits for what nothing refers to is deleted as garbage, and asyncio reports it."""

    async def delay(self) -> None:
        """Wait as long as a request takes to the server."""
        if self._distance_s:
            await asyncio.sleep(self._distance_s)
        await self.rates.delay()

    def _no_response(self) -> asyncio.Future[None]:
        self._unanswered.append(asyncio.get_running_loop().create_future())
        return self._unanswered[-1]

    async def send(
        self, action: Action, effect: Callable[[], T], *, before_effect: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        """Run `effect` at the server. It may run after the caller was cancelled: the request can be sent already."""
        if self.is_dead:
            await self._no_response()
        try:
            await (before_effect or self.delay)()
        except asyncio.CancelledError:
            if random.random() < 0.5 and not self._is_unavailable() and self._denial(action, False) is None:
                # The request was sent before the cancellation.
                asyncio.get_running_loop().call_later(random.uniform(0.0, 0.05), _run_unread, effect)
            raise
        draw = random.random()
        if self._is_unavailable() or draw < self.rates.unavailable:
            raise self._error()
        if (denied := self._denial(action, True)) is not None:
            raise denied
        result = effect()
        if random.random() < DELAYED_RESPONSE_SHARE:
            await self.rates.delay()
        if self.is_dead:
            await self._no_response()
        if draw < self.rates.unavailable + self.rates.response_lost:
            raise self._error()
        return result


def _run_unread(effect: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):  # an error is a response, too, which nobody reads
        effect()
