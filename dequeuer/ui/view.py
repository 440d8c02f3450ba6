"""What is known of one API now, and what of it has changed since pages were told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dequeuer.client.fields import is_text, object_of, whole_of
from dequeuer.formats.go_json import encode
from dequeuer.ui.directory import Api
from dequeuer.ui.job_totals import JobTotals
from dequeuer.ui.rates import RateWindow
from dequeuer.ui.readings import Reading

MAX_LISTED: Final = 100
Listed = Literal["requests", "jobs"]
_ID_FIELDS: Final[Mapping[Listed, str]] = {"requests": "id", "jobs": "job_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """How many messages a queue has. `dead`: of its dead-letter queue; None: not known."""

    messages: int
    in_flight: int
    delayed: int
    dead: int | None


class ListedThings:
    """The newest requests or jobs of an API, as pages were told last."""

    def __init__(self, kind: Listed) -> None:
        self.kind: Listed = kind
        self._digests: dict[str, bytes] = {}
        self.known: Sequence[Any] = ()

    def changed(self, documents: Sequence[Any]) -> Sequence[Any]:
        """Take the newest documents; return those that are new, or differ."""
        digests: dict[str, bytes] = {}
        changed, known = [], []
        for one in documents[:MAX_LISTED]:
            name = object_of(one).get(_ID_FIELDS[self.kind])
            if not is_text(name):
                continue
            digest = hashlib.blake2b(encode(one).encode(), digest_size=16).digest()
            if self._digests.get(name) != digest:
                changed.append(one)
            digests[name] = digest
            known.append(one)
        self._digests, self.known = digests, known
        return changed


@dataclass(slots=True, kw_only=True)
class ApiView:
    """An API. What is None is not known."""

    api: Api
    listed: ListedThings
    is_paused: bool = False
    queue: QueueDepth | None = None
    fault: str = ""
    """Why the gateway did not tell something of it."""
    window: RateWindow = field(default_factory=RateWindow)
    is_measured: bool = False
    """Whether its programs have told their counters at the last time."""
    items: tuple[RateWindow, JobTotals] | None = None
    """Of a BatchAPI."""
    in_flight: int | None = None
    is_ready: bool | None = None

    def take_readings(self, at_s: float, readings: Mapping[str, Reading]) -> None:
        """Take what programs say of the API now, by address. What proxies count, the gateway counts, too."""
        own = {url: one for url, one in readings.items() if one.source != "gateway"}
        counted = own or {url: one for url, one in readings.items() if self.api.kind in _FORWARDED}
        self.window.add(at_s, {url: one.totals for url, one in counted.items()})
        self.is_measured = bool(counted)
        in_flight = [one.in_flight for one in own.values() if one.in_flight is not None]
        ready = [one.is_ready for one in own.values() if one.is_ready is not None]
        self.in_flight = sum(in_flight) if in_flight else None
        self.is_ready = any(ready) if ready else None

    def take_jobs(self, at_s: float, jobs: Sequence[Any]) -> None:
        """Take the newest jobs of a BatchAPI: their items are what is counted."""
        if self.items is None:
            self.items = (RateWindow(), JobTotals())
        window, totals = self.items
        window.add(at_s, totals.take(jobs))

    def forget_counts(self) -> None:
        """Forget what the gateway told of now, because it does not tell any more: its queue, the rates of its items."""
        self.queue = None
        if self.items is not None:
            self.items[0].forget_looks()

    def snapshot(self) -> dict[str, object]:
        """Return what pages are told each second."""
        measured = self.window.rates() if self.is_measured else None
        # The latency of a BatchAPI is that of its messages, its rates are those of its items.
        counting = self.items[0] if self.items is not None else self.window if self.is_measured else None
        rates = measured if self.items is None else self.items[0].rates()
        queue = self.queue
        return {
            "name": self.api.name,
            "kind": self.api.kind,
            "endpoint": self.api.endpoint,
            "paused": self.is_paused,
            "ready": self.is_ready,
            "queue": None
            if queue is None
            else {
                "messages": queue.messages,
                "in_flight": queue.in_flight,
                "delayed": queue.delayed,
                "dead": queue.dead,
            },
            "in_flight": self.in_flight,
            "rate_per_s": None if rates is None else round(rates.per_s, 3),
            "failed_per_s": None if rates is None else round(rates.failed_per_s, 3),
            "latency_s": None if measured is None or measured.latency_s is None else _rounded(measured.latency_s),
            "completed": None if counting is None else int(counting.totals.completed),
            "failed": None if counting is None else int(counting.totals.failed),
        }


_FORWARDED: Final = frozenset({"RealtimeAPI", "TrafficSplitter"})


def view_of(api: Api) -> ApiView:
    """Return the view of an API of which nothing is known yet."""
    return ApiView(api=api, listed=ListedThings("requests" if api.kind == "AsyncAPI" else "jobs"))


def depth_of(fields: Mapping[str, Any]) -> QueueDepth | None:
    """Return the counts that the gateway tells; None when they are none."""
    messages, in_flight, delayed = (whole_of(fields.get(name)) for name in ("messages", "in_flight", "delayed"))
    if messages is None or in_flight is None or delayed is None:
        return None
    dead = whole_of(fields.get("dead_letters"))
    return QueueDepth(messages=messages, in_flight=in_flight, delayed=delayed, dead=dead)


def _rounded(latency_s: Mapping[str, float]) -> Mapping[str, float]:
    return {name: round(value, 4) for name, value in latency_s.items()}
