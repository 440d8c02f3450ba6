"""Lists the requests of an API, the newest first, from the keys of their objects: no index is kept of them.

The keys of requests whose ids the gateway has made are in the order of their age (`formats/request_id.py`). So a
listing begins at the present moment, goes on to the last key, and then from the first key to where it began: the
requests with other ids are there, in the order of their keys.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeAlias

from dequeuer.concurrency.in_order import each, in_order
from dequeuer.concurrency.turns import turn
from dequeuer.core import clock
from dequeuer.formats.request_id import first_id_of, is_request_id
from dequeuer.gateway.errors import BusyError
from dequeuer.gateway.model import FoundRequest, Report
from dequeuer.gateway.request_store import RequestStore, found_request
from dequeuer.sinks.base import ListedObject
from dequeuer.sinks.layout import ApiKeys

MAX_PAGES: Final = 5
"""Listings of S3, of up to 1,000 objects each, that one page of requests may cost."""
MAX_SCAN_S: Final = 5.0
"""No further listing is begun after this time, seconds."""
MAX_AHEAD: Final = 8
"""Requests of a page of which more is read at the same time."""
MAX_LISTINGS: Final = 8
"""Pages that are made at the same time."""
TURN_TIMEOUT_S: Final = 10.0
MAX_SKEW_S: Final = 300.0
"""The clocks of gateways may differ by this; requests that another one made in the future are the newest, seconds."""

_LAST: Final = chr(0x10FFFF)
"""No key of a folder comes after one that begins with this character."""
_TOKEN: Final = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4})\.(.*)", re.DOTALL)

Outline: TypeAlias = Callable[[str, FoundRequest], Awaitable[Report]]
"""Returns what is shown of a request, by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ends. `begin`: where the first page began; `after`: the last id that was looked at."""

    begin: str
    after: str

    @property
    def token(self) -> str:
        """The position as text."""
        return f"{self.begin}.{self.after}"


def read_token(text: str) -> Position | None:
    """Return the position that `Position.token` has written; None when it is none."""
    found = _TOKEN.fullmatch(text)
    return Position(begin=found[1], after=found[2]) if found and is_request_id(found[2]) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRequests:
    """Which requests a page has. `status`: only those with it; `after`: begin behind the page that ended there."""

    limit: int
    status: str | None = None
    after: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """Requests by id. `following`: where the next page begins; None: this is the last one."""

    requests: Sequence[tuple[str, Report]]
    following: Position | None


class RequestListings:
    """Makes pages, some at the same time."""

    def __init__(self, store: RequestStore) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(MAX_LISTINGS)

    async def page(self, api: ApiKeys, wanted: ListedRequests, outline: Outline) -> RequestPage:
        """Return a page. It may have fewer requests than wanted, or none, although others follow.

        Raises `BusyError`.
        """
        busy = BusyError(f"{MAX_LISTINGS} lists of requests are being made already: try again")
        async with turn(self._turns, TURN_TIMEOUT_S, busy):
            return await self._page(api, wanted, outline)

    async def _page(self, api: ApiKeys, wanted: ListedRequests, outline: Outline) -> RequestPage:
        scan = _Scan(self._store, api.requests, wanted.after)
        found: list[tuple[str, FoundRequest]] = []
        is_full = False
        async with aclosing(scan.requests()) as requests:
            async for request_id, one in requests:
                if wanted.status in {None, one.status}:
                    # One more than wanted shows that there is another page.
                    if is_full := len(found) == wanted.limit:
                        break
                    found.append((request_id, one))
        following = None
        if is_full:
            following = Position(begin=scan.begin, after=found[-1][0])
        elif scan.is_cut:
            following = Position(begin=scan.begin, after=scan.last)
        return RequestPage(requests=await _outlined(found, outline), following=following)


class _Scan:
    """Reads the requests below a prefix in their order, within the bounds of one page.

    `is_cut`: it has ended at a bound; `last`: the last id that it has looked at.
    """

    def __init__(self, store: RequestStore, prefix: str, after: Position | None) -> None:
        self._store = store
        self._prefix = prefix
        self.begin = first_id_of(clock.wall() + MAX_SKEW_S) if after is None else after.begin
        self.last = self.begin if after is None else after.after
        self._first = self.last
        self._is_first = after is None
        self.is_cut = False
        self._pages_left = MAX_PAGES
        self._ends_at = clock.monotonic() + MAX_SCAN_S

    async def requests(self) -> AsyncGenerator[tuple[str, FoundRequest], None]:
        """Yield each request that was submitted whole, by its id."""
        after = self.begin if self._is_first else f"{self.last}/{_LAST}"
        # Keys are compared, as S3 does it: the id "a" comes after "a-b", because "/" comes after "-".
        if f"{self.last}/" >= self.begin:
            async for found in self._between(after, ""):
                yield found
            after = ""
        if not self.is_cut:
            async for found in self._between(after, self.begin):
                yield found

    async def _between(self, after: str, until: str) -> AsyncGenerator[tuple[str, FoundRequest], None]:
        """Yield the requests whose paths below the prefix come after `after` and before `until`; "": no bound."""
        start, token = (f"{self._prefix}{after}" if after else ""), ""
        name, objects = "", dict[str, ListedObject]()
        while True:
            # A page that was slow is no reason to end where it began.
            is_late = clock.monotonic() > self._ends_at and self.last != self._first
            if not self._pages_left or is_late:
                # The request that the last page has cut is read again: `last` is the one before it.
                self.is_cut = True
                return
            self._pages_left -= 1
            page = await self._store.list_page(self._prefix, after=start, token=token)
            is_over = not page.next_token
            for listed in page.objects:
                path = listed.key.removeprefix(self._prefix)
                if until and path >= until:
                    is_over = True
                    break
                folder, _, object_name = path.partition("/")
                if folder != name:
                    if found := self._seen(name, objects):
                        yield name, found
                    name, objects = folder, {}
                objects[object_name] = listed
            if is_over:
                if found := self._seen(name, objects):
                    yield name, found
                return
            # Folders of the API's own records, whose names begin with an underscore, may have any number of objects.
            start, token = (f"{self._prefix}_{_LAST}", "") if name.startswith("_") else ("", page.next_token)

    def _seen(self, name: str, objects: dict[str, ListedObject]) -> FoundRequest | None:
        if not is_request_id(name):
            return None
        self.last = name
        return found_request(objects)


async def _outlined(found: Sequence[tuple[str, FoundRequest]], outline: Outline) -> Sequence[tuple[str, Report]]:
    async def read(one: tuple[str, FoundRequest]) -> Report:
        return await outline(*one)

    async with aclosing(in_order(each(found), read, max_ahead=MAX_AHEAD)) as reports:
        return [(request_id, report) async for (request_id, _), report in reports]
