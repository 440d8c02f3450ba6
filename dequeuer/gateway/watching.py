"""Things that change, for clients that wait for them: each is looked at by one task, however many clients there are.

Nothing tells the gateway that an object of S3 has changed, so it looks. The looks of a thing come less and less often
while clients wait for it, and only a bounded number of looks is under way: many clients wait longer, and cost no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from dequeuer.core.errors import DequeuerError

HEARTBEAT_S: Final = 15.0
"""A client that was told nothing for this long is told so."""
INTERVAL_GROWTH: Final = 1.5

K = TypeVar("K", bound=Hashable)
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRules(Generic[S]):
    """How things are looked at.

    Attributes:
        first_interval_s: from the first look to the second, seconds.
        max_interval_s: each interval is `INTERVAL_GROWTH` times the one before, up to this.
        max_followers: clients of this process.
        max_looks: looks that are under way at the same time.
        has_ended: whether a thing in this state changes no more.
        is_passing: whether a look that failed with this error may succeed later.
        too_many: makes the error for a client above `max_followers`.
    """

    first_interval_s: float
    max_interval_s: float
    max_followers: int
    max_looks: int
    has_ended: Callable[[S], bool]
    is_passing: Callable[[DequeuerError], bool]
    too_many: Callable[[], DequeuerError]


class Watches(Generic[K, S]):
    """The things that clients wait for. `is_over`: the process drains, so waits end. It must not block."""

    def __init__(self, rules: WatchRules[S], is_over: Callable[[], bool]) -> None:
        self._rules = rules
        self._is_over = is_over
        self._watches: dict[K, _Watch[S]] = {}
        self._looks = asyncio.Semaphore(rules.max_looks)
        self.followers = 0
        """Clients that wait."""

    async def follow(self, key: K, look: Callable[[], Awaitable[S]]) -> AsyncGenerator[S | None, None]:
        """Yield the state of a thing, then each one that differs, and None when nothing came for `HEARTBEAT_S`.

        It ends after the state of a thing that has ended. A client that is slow misses those in between.

        Args:
            key: of the thing.
            look: finds out its state.

        Raises:
            DequeuerError: `too_many` of the rules, before anything is yielded; the error of the first look.
        """
        if self.followers >= self._rules.max_followers:
            raise self._rules.too_many()
        self.followers += 1
        watch = self._watches.get(key)
        if watch is None or watch.has_ended:  # a slow client may still hold what it was told last
            watch = self._watches[key] = _Watch(look, self._rules, self._looks, self._is_over)
        watch.followers += 1
        try:
            async for state in watch.states():
                yield state
        finally:
            self.followers -= 1
            watch.followers -= 1
            if not watch.followers:
                watch.stop()
                if self._watches.get(key) is watch:
                    del self._watches[key]

    async def look_once(self, look: Callable[[], Awaitable[S]]) -> S:
        """Look at a thing now, as one of the looks that are under way. Raises what `look` raises."""
        async with self._looks:
            return await look()


class _Watch(Generic[S]):
    """One thing that is looked at."""

    def __init__(
        self,
        look: Callable[[], Awaitable[S]],
        rules: WatchRules[S],
        looks: asyncio.Semaphore,
        is_over: Callable[[], bool],
    ) -> None:
        self.followers = 0
        self._look_at = look
        self._rules = rules
        self._looks = looks
        self._is_over = is_over
        self._latest: S | None = None
        self._version = 0
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._watch(), name="watch")

    @property
    def has_ended(self) -> bool:
        """Whether nobody looks any more."""
        return self._task.done()

    def stop(self) -> None:
        """End the looks; nobody follows any more."""
        self._task.cancel()
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # nobody is left who could be told

    async def states(self) -> AsyncIterator[S | None]:
        """Yield what `Watches.follow` yields."""
        seen = 0
        while True:
            changed = self._changed
            if self._version != seen and self._latest is not None:
                seen = self._version
                yield self._latest
            elif self._task.done():
                if not seen:
                    self._task.result()  # raises what the first look raised
                return
            else:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await changed.wait()
                except TimeoutError:
                    yield None

    async def _watch(self) -> None:
        interval_s = self._rules.first_interval_s
        try:
            while await self._look() and not self._is_over():
                await asyncio.sleep(interval_s)
                if self._is_over():
                    break
                interval_s = min(interval_s * INTERVAL_GROWTH, self._rules.max_interval_s)
        finally:
            self._changed.set()

    async def _look(self) -> bool:
        """Find out the state; return whether it may change. Raises only what the first look raises."""
        try:
            async with self._looks:
                if self._latest is not None and self._is_over():
                    return False  # the turn to look came after the drain had begun
                state = await self._look_at()
        except DequeuerError as error:
            if self._latest is None:
                raise
            return self._rules.is_passing(error)  # else it was deleted
        if state != self._latest:
            self._latest, self._version = state, self._version + 1
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        return not self._rules.has_ended(state)
