"""How badly the world behaves: what goes wrong with a request on its way, and how often."""

from __future__ import annotations

import asyncio
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
HEARD_LATER = 0.4
"""How many answers take their time; the others arrive at once, which saves the simulation work."""


@dataclass(kw_only=True)
class Weather:
    """Chances, each for one request. `calm` ends all of it.

    Attributes:
        refused: an error comes back, nothing has happened.
        unheard: it took effect, but the answer is lost.
        slow: its way takes seconds instead of milliseconds.
        duplicated: a standard queue hands out a message while somebody else has it.
        undead: a deleted message comes back.
        dull: the container says "not now", breaks off or takes long.
    """

    refused: float = 0.0
    unheard: float = 0.0
    slow: float = 0.0
    duplicated: float = 0.0
    undead: float = 0.0
    dull: float = 0.0

    def calm(self) -> None:
        """Be fine from now on."""
        self.refused = self.unheard = self.slow = self.duplicated = self.undead = self.dull = 0.0

    async def travel(self) -> None:
        """Take the time of one way."""
        await asyncio.sleep(random.uniform(0.2, SLOW_S) if random.random() < self.slow else random.uniform(0.001, 0.03))


def storm() -> Weather:
    """Draw a weather: from fine to foul."""
    foul = random.choice([0.0, 0.3, 1.0, 3.0])
    standard = random.random() < 0.5
    return Weather(
        refused=0.03 * foul,
        unheard=0.02 * foul,
        slow=0.02 * foul,
        duplicated=0.02 * foul if standard else 0.0,
        undead=0.01 * foul if standard else 0.0,
        dull=0.05 * foul,
    )


class Port:
    """One sidecar's way to a server. A sidecar that was killed hears nothing more, and waits for ever."""

    def __init__(
        self,
        weather: Weather,
        is_away: Callable[[], bool],
        error: Callable[[], Exception],
        verdict: Callable[[str, bool], Exception | None] = lambda _action, _is_heard: None,
        *,
        distance_s: float = 0.0,
    ) -> None:
        """`verdict`: is told which action arrives and whether its caller hears of it; returns the error that refuses it."""
        self.weather = weather
        self._verdict = verdict
        self._distance_s = distance_s
        self._is_away = is_away
        self._error = error
        self.is_dead = False

    async def travel(self) -> None:
        """Take the time of the way to the server."""
        if self._distance_s:
            await asyncio.sleep(self._distance_s)
        await self.weather.travel()

    async def send(
        self, action: Action, effect: Callable[[], T], *, way_in: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        """Have something happen at the server. It may also happen after the caller has given up."""
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        try:
            await (way_in or self.travel)()
        except asyncio.CancelledError:
            if random.random() < 0.5 and not self._is_away() and self._verdict(action, False) is None:
                # It was on its way already.
                asyncio.get_running_loop().call_later(random.uniform(0.0, 0.05), effect)
            raise
        fate = random.random()
        if self._is_away() or fate < self.weather.refused:
            raise self._error()
        if (refusal := self._verdict(action, True)) is not None:
            raise refusal
        result = effect()
        if random.random() < HEARD_LATER:
            await self.weather.travel()
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        if fate < self.weather.refused + self.weather.unheard:
            raise self._error()
        return result
