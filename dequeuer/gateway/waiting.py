"""Clients that wait for the end of a request: for a time that they say, or with server-sent events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from aiohttp import web

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.gateway.errors import BusyError, GatewayError, StoreRefusesError
from dequeuer.gateway.model import Report
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.request_store import store_busy_error
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.watching import Watches, WatchRules

MAX_WAIT_S: Final = 60
MAX_WAITING: Final = 10_000
"""Clients that wait at this process."""
MAX_LOOKS: Final = 32
LAST_LOOK_TIMEOUT_S: Final = 5.0
"""How long after its time a wait ends for which nothing could be found out: calls of a store that hangs take longer."""
FIRST_INTERVAL_S: Final = 0.1
MAX_INTERVAL_S: Final = 2.0

_PREFERENCE: Final = re.compile(r'[ \t]*wait[ \t]*=[ \t]*"?([0-9]{1,9})"?[ \t]*(?:;.*)?', re.IGNORECASE | re.DOTALL)
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Waiting:
    """The waits of all requests. What changes is read once, however many clients wait for a request.

    Args:
        gateway: looks requests up.
        is_over: the process drains, so waits end. It must not block.
    """

    def __init__(self, gateway: Gateway, is_over: Callable[[], bool]) -> None:
        self._gateway = gateway
        self._watches: Watches[tuple[str, str], Report | GatewayError] = Watches(
            WatchRules(
                first_interval_s=FIRST_INTERVAL_S,
                max_interval_s=MAX_INTERVAL_S,
                max_followers=MAX_WAITING,
                max_looks=MAX_LOOKS,
                has_ended=_has_ended,
                is_passing=lambda error: isinstance(error, BusyError),
                too_many=_too_many,
            ),
            is_over,
        )

    @property
    def clients(self) -> int:
        """How many clients wait."""
        return self._watches.followers

    def changes(self, api_name: str, request_id: str) -> aclosing[AsyncGenerator[Report | None, None]]:
        """Return the context of an iterator over what is known of a request; see `Watches.follow`.

        An error before anything is known is raised at once: the client can still be told.
        """
        return aclosing(self._changes(api_name, request_id))

    async def _changes(self, api_name: str, request_id: str) -> AsyncGenerator[Report | None, None]:
        async with self._states(api_name, request_id) as states:
            async for state in states:
                if isinstance(state, GatewayError):
                    raise state
                yield state

    def _states(self, api_name: str, request_id: str) -> aclosing[AsyncGenerator[Report | GatewayError | None, None]]:
        look = _Look(self._gateway, api_name, request_id)
        return aclosing(self._watches.follow((api_name, request_id), look))

    async def until_ended(self, api_name: str, request_id: str, seconds: float) -> Report:
        """Wait until a request has ended, or the time is over, or the process drains; return what is known of it.

        Raises:
            GatewayError: the request is unknown, nothing could be found out about it, or too many clients wait.
        """
        known: Report | GatewayError | None = None
        try:
            async with asyncio.timeout(seconds), self._states(api_name, request_id) as states:
                async for state in states:
                    known = known if state is None else state
        except TimeoutError:
            pass
        if known is None:
            # The time was over before its turn to look came, or in its first look.
            known = await self._look_last(_Look(self._gateway, api_name, request_id))
        if isinstance(known, GatewayError):
            raise known
        return known

    async def _look_last(self, look: _Look) -> Report | GatewayError:
        try:
            async with asyncio.timeout(LAST_LOOK_TIMEOUT_S):
                return await self._watches.look_once(look)
        except TimeoutError as error:
            return store_busy_error(error)


class _Look:
    """Finds out what is known of a request. Until it changes, that is one listing.

    As long as nothing is known, an error is a state like any other: an outage does not end the wait.
    """

    def __init__(self, gateway: Gateway, api_name: str, request_id: str) -> None:
        self._gateway = gateway
        self._api_name = api_name
        self._request_id = request_id
        self._known: Report | None = None

    async def __call__(self) -> Report | GatewayError:
        try:
            found = await self._gateway.find(self._api_name, self._request_id)
            if self._known is None or self._known.found != found:
                self._known = await self._gateway.details(self._api_name, self._request_id, found)
        except GatewayError as error:
            if self._known is None:
                return error
            raise
        return self._known


def _has_ended(state: Report | GatewayError) -> bool:
    if isinstance(state, GatewayError):
        return isinstance(state, StoreRefusesError) or not isinstance(state, BusyError)
    return state.found.has_ended


def _too_many() -> DequeuerError:
    text = f"{MAX_WAITING} clients wait already: try again, or ask for the status without waiting"
    return ProblemError(503, "too_many_waiting", text)


def preferred_wait(request: web.Request) -> int | None:
    """Return the seconds of `Prefer: wait=N`, at most `MAX_WAIT_S`; None without one that can be read (RFC 7240)."""
    for value in request.headers.getall("Prefer", []):
        for preference in value.split(","):
            if match := _PREFERENCE.fullmatch(preference):
                return min(int(match[1]), MAX_WAIT_S)
    return None


def asked_wait(request: web.Request) -> int | None:
    """Return the seconds of `?wait=N`; None when it is not there. Raises `ProblemError`."""
    given = request.query.getall("wait", [])
    if not given:
        return None
    if len(given) > 1 or not _SECONDS.fullmatch(given[0]) or int(given[0]) > MAX_WAIT_S:
        text = f'wait is "{clip(", ".join(given), 40)}"; allowed: whole seconds from 0 to {MAX_WAIT_S}'
        raise ProblemError(400, "invalid_wait", text)
    return int(given[0])
