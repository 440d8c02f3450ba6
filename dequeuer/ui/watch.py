"""Watches the gateway for all pages that look, with one loop; when nobody looks, it asks nothing."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final

import structlog

from dequeuer.client.errors import ClientError, GatewayAbsentError, GatewayLostError
from dequeuer.concurrency.in_order import each, in_order
from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.core.retry import Backoff
from dequeuer.ui.directory import Directory
from dequeuer.ui.errors import UiError, ui_error
from dequeuer.ui.feed import COMMENT, Feed, event, event_of_gateway
from dequeuer.ui.job_page import job_page
from dequeuer.ui.link import Asks
from dequeuer.ui.scraper import Metrics
from dequeuer.ui.view import MAX_LISTED, ApiView, depth_of, view_of

SNAPSHOT_INTERVAL_S: Final = 1.0
LOOK_INTERVAL_S: Final = 2.0
"""Between two looks at the gateway: a look costs SQS two calls, and S3 a listing, for each async API."""
COMMENT_INTERVAL_S: Final = 15.0
HISTORY_S: Final = 600.0
HISTORY_INTERVAL_S: Final = 2.0
MAX_HISTORY: Final = 300
MAX_HISTORY_APIS: Final = 6000
"""APIs in all snapshots of the history together: with many APIs it goes less far back."""
MAX_LISTS_BYTES: Final = 4 << 20
"""Of what a page that begins to look is told of requests and jobs. It asks itself for what it shows."""
MAX_FEEDS: Final = 64
MAX_FAULTS: Final = 20
MAX_FAULT_CHARS: Final = 300
MAX_AHEAD: Final = 4
"""APIs that the gateway is asked about at the same time."""
LISTED_JOBS: Final = 20
"""Newest jobs of an API that are watched. Each costs the gateway a few calls of S3."""
AWAY_BACKOFF: Final = Backoff(initial_s=1.0, max_s=8.0, min_share=0.5)

_NOT_THERE: Final = (GatewayAbsentError, GatewayLostError)


class Watch:
    """What pages are told while they look.

    Args:
        link: to the gateway.
        directory: of its APIs.
        scraper: of the metrics.
        wall: seconds since the epoch.
    """

    def __init__(
        self, link: Asks, directory: Directory, scraper: Metrics, wall: Callable[[], float] = clock.wall
    ) -> None:
        self._link = link
        self._directory = directory
        self._scraper = scraper
        self._wall = wall
        self._feeds: set[Feed] = set()
        self._task: asyncio.Task[None] | None = None
        self._history: deque[dict[str, object]] = deque(maxlen=MAX_HISTORY)
        self._views: dict[str, ApiView] = {}
        self._is_listed = False
        self._gateway_fault = ""
        self._is_away = False
        self._is_closed = False

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Feed]:
        """Give a page its feed: the history, what is listed already, then what changes. Raises `UiError`."""
        if self._is_closed or len(self._feeds) >= MAX_FEEDS:
            raise UiError(503, f"{MAX_FEEDS} pages look already: close one" if not self._is_closed else "stopping")
        feed = Feed()
        feed.put(self._beginning())
        self._feeds.add(feed)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="ui-watch")
        try:
            yield feed
        finally:
            self._feeds.discard(feed)
            if not self._feeds:
                await self._stop()

    async def close(self) -> None:
        """End all feeds."""
        self._is_closed = True
        for feed in self._feeds:
            feed.close()
        await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        # What was known before nobody looked says nothing of now.
        self._views, self._is_listed, self._gateway_fault, self._is_away = {}, False, "", False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_gateway(), name="ui-gateway")
                group.create_task(self._follow_metrics(), name="ui-metrics")
                group.create_task(self._tell(), name="ui-snapshots")
        except Exception:
            # Pages connect again, and with the first of them the loop begins anew.
            logging.getLogger("dequeuer.ui.watch").exception("bug")
            self._task = None
            for feed in self._feeds:
                feed.close()

    # What pages are told.

    def _put(self, data: bytes) -> None:
        for feed in self._feeds:
            feed.put(data)

    def _beginning(self) -> bytes:
        oldest_s = self._wall() - HISTORY_S
        while self._history and _time(self._history[0]) < oldest_s:
            self._history.popleft()
        lists = bytearray()
        for view in self._views.values():
            if view.listed.known and len(lists) < MAX_LISTS_BYTES:
                lists += event_of_gateway(view.listed.kind, {"api": view.api.name, view.listed.kind: view.listed.known})
        return event("history", {"points": list(self._history)}) + lists

    async def _tell(self) -> None:
        """Tell all pages each second how things stand."""
        ticks = 0
        while True:
            await asyncio.sleep(SNAPSHOT_INTERVAL_S)
            ticks += 1
            snapshot = self._snapshot()
            if self._is_listed and ticks % int(HISTORY_INTERVAL_S / SNAPSHOT_INTERVAL_S) == 0:
                self._remember(snapshot)
            self._put(event("snapshot", snapshot))
            if ticks % int(COMMENT_INTERVAL_S / SNAPSHOT_INTERVAL_S) == 0:
                self._put(COMMENT)

    def _remember(self, snapshot: dict[str, object]) -> None:
        self._history.append(snapshot)
        most = max(10, MAX_HISTORY_APIS // max(1, len(self._views)))
        while len(self._history) > most:
            self._history.popleft()

    def _snapshot(self) -> dict[str, object]:
        faults = [
            *([self._gateway_fault] if self._gateway_fault else []),
            *(f"{view.api.name}: {view.fault}" for view in self._views.values() if view.fault),
            *self._scraper.faults,
        ]
        return {
            "time": round(self._wall(), 3),
            # A list that is empty would tell the page that its APIs are gone.
            "apis": [view.snapshot() for view in self._views.values()] if self._is_listed else None,
            "faults": [clip(fault, MAX_FAULT_CHARS) for fault in faults[:MAX_FAULTS]],
        }

    # What is asked.

    async def _follow_gateway(self) -> None:
        failures = 0
        while True:
            try:
                await self._look_at_all()
            except ClientError as error:
                self._log_outage(error)
                self._gateway_fault = str(ui_error(error))
                for view in self._views.values():
                    view.forget_counts()
                pause_s = AWAY_BACKOFF.pause_s(failures)
                failures += 1
            else:
                self._log_outage(None)
                self._gateway_fault, failures, pause_s = "", 0, LOOK_INTERVAL_S
            await asyncio.sleep(pause_s)

    def _log_outage(self, error: ClientError | None) -> None:
        """Log that the gateway does not answer any more, or does again. A refusal is an answer."""
        was_away, self._is_away = self._is_away, isinstance(error, _NOT_THERE)
        if self._is_away and not was_away:
            structlog.get_logger().warning("ui_gateway_away", error=clip(str(error)))
        elif was_away and not self._is_away:
            structlog.get_logger().info("ui_gateway_back")

    async def _look_at_all(self) -> None:
        apis = await self._directory.list()
        self._views = {
            api.name: known if (known := self._views.get(api.name)) and known.api == api else view_of(api)
            for api in apis
        }
        self._is_listed = True
        looks = in_order(each(list(self._views.values())), self._look_at, max_ahead=MAX_AHEAD)
        async with aclosing(looks) as looked:
            async for _ in looked:
                pass

    async def _look_at(self, view: ApiView) -> None:
        """Ask about one API. What the gateway refuses is a fault of this API alone."""
        faults: list[str] = []
        is_counted = True
        if view.api.kind == "AsyncAPI":
            await self._noting(faults, self._list_requests, view)
            is_counted = await self._noting(faults, self._count, view)
        elif view.api.kind in {"BatchAPI", "TaskAPI"}:
            is_counted = await self._noting(faults, self._list_jobs, view)
        if not is_counted:
            view.forget_counts()
        view.fault = "; ".join(faults)

    async def _noting(self, faults: list[str], ask: Callable[[ApiView], Awaitable[None]], view: ApiView) -> bool:
        """Return whether the gateway has told what it was asked for; if not, add why."""
        try:
            await ask(view)
        except _NOT_THERE:
            raise
        except ClientError as error:
            faults.append(str(error))
            return False
        return True

    async def _list_requests(self, view: ApiView) -> None:
        page = await self._link.fields(view.api.endpoint, {"limit": str(MAX_LISTED)})
        view.is_paused = bool(page.get("paused"))
        self._tell_changes(view, page.get("requests"))

    async def _count(self, view: ApiView) -> None:
        # Snapshots are told while this waits, so what was known counts until there is an answer.
        view.queue = depth_of(await self._link.fields(f"{view.api.endpoint}/_queue"))

    async def _list_jobs(self, view: ApiView) -> None:
        page = await job_page(self._link, view.api, {"limit": str(LISTED_JOBS)})
        if view.api.kind == "BatchAPI":
            view.take_jobs(asyncio.get_running_loop().time(), page["jobs"])
        self._tell_changes(view, page["jobs"])

    def _tell_changes(self, view: ApiView, documents: object) -> None:
        changed = view.listed.changed(documents) if isinstance(documents, list) else ()
        if changed:
            self._put(event_of_gateway(view.listed.kind, {"api": view.api.name, view.listed.kind: changed}))

    async def _follow_metrics(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            readings = await self._scraper.read()
            for view in self._views.values():
                of_api = {url: by_api[view.api.name] for url, by_api in readings.items() if view.api.name in by_api}
                view.take_readings(loop.time(), of_api)
            await asyncio.sleep(SNAPSHOT_INTERVAL_S)


def _time(snapshot: Mapping[str, object]) -> float:
    at_s = snapshot["time"]
    return at_s if isinstance(at_s, float) else 0.0
