"""Refusals of SQS and S3 that last (permission, KMS key, region, bucket): nothing is received until they are over.

Every call to the queue and the store is reported here. A refused operation closes the condition; a call of that
operation that began after that and is not refused opens it. Kept work (an answer that waits to be stored, a message
that waits to be deleted) repeats its call by itself. When no work is kept, a harmless call of the same operation is
made instead: receiving a message to find out would use up one of its receives.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple

from dequeuer.core import clock
from dequeuer.core.errors import DequeuerError
from dequeuer.core.events import Event, SourceCalled, StoreCalled
from dequeuer.core.readiness import Condition
from dequeuer.core.retry import Backoff

PROBE_BACKOFF = Backoff(initial_s=1.0, max_s=60.0, min_share=0.5)
QUIET_S = 6.0
"""Kept work repeats its call within 5 s: after this long without a call no work is kept."""

Service = Literal["s3", "sqs"]
_BATCHES = frozenset({"ack", "renew", "release"})
_BEST_EFFORT = frozenset({("s3", "delete"), ("sqs", "send")})
"""Work goes on without them: input expires by itself, and a completion message is released instead of sent again."""
_RECEIVE = ("sqs", "receive")


_PARTS = {
    "put": frozenset({"result.json", "completed", "failed", "in_progress"}),
    "get": frozenset({"payload", "headers.json"}),
}
_MARKER = "in_progress"
"""Written while a result of its own kind may be kept back: that it can be written proves nothing about outcomes."""


class AccessResult(NamedTuple):
    """What one call tells of an operation: `refused` with this `code`, or not refused.

    `part` is the kind of object that a read or a write was about; empty where that makes no difference.
    """

    service: Service
    op: str
    refused: bool
    code: str
    part: str = ""

    @property
    def frees(self) -> frozenset[str]:
        """The parts that are not refused any more once this call was not."""
        return frozenset({self.part} if self.part == _MARKER else {self.part, _MARKER})


HarmlessCall = Callable[[str], Awaitable[object]]
"""Makes a harmless call of one operation. Takes the key that was refused last; empty when there is none."""


def access_result_of(event: SourceCalled | StoreCalled) -> AccessResult | None:
    """Return what a call tells; None when it tells nothing about permissions."""
    service: Service = "sqs" if isinstance(event, SourceCalled) else "s3"
    part = "" if isinstance(event, SourceCalled) else _part(event)
    if event.error == "denied":
        return AccessResult(service, event.op, refused=True, code=event.code, part=part)
    if event.error in ("unavailable", "invalid"):
        return None
    if isinstance(event, SourceCalled) and event.op in _BATCHES and event.error is None and not event.messages:
        # The request was taken; what became of its entries is told one by one.
        return None
    return AccessResult(service, event.op, refused=False, code="", part=part)


def _part(event: StoreCalled) -> str:
    name = event.key.rpartition("/")[2]
    return name if name in _PARTS.get(event.op, ()) else ""


class RefusedOperations:
    """What stands refused, for those who tell of whole operations: log and metrics.

    Policies and keys can differ by object: while results are refused, a status that can be written ends nothing.

    Args:
        now: a clock that does not jump, seconds.
    """

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._parts: dict[tuple[Service, str], dict[str, float]] = {}
        """By service and operation: the parts, and when each was refused last."""

    def __bool__(self) -> bool:
        return bool(self._parts)

    def record(self, event: SourceCalled | StoreCalled) -> AccessResult | None:
        """Return what a call tells of its operation as a whole; None when it tells nothing."""
        result = access_result_of(event)
        if result is None:
            return None
        which = result.service, result.op
        if result.refused:
            self._parts.setdefault(which, {})[result.part] = self._now()
        elif parts := self._parts.get(which):
            began_at = self._now() - event.duration_s
            for part in result.frees:
                if began_at >= parts.get(part, math.inf):
                    del parts[part]
            if parts:
                return None
            del self._parts[which]
        return result


class _Refusal:
    __slots__ = ("key", "last_at")

    def __init__(self) -> None:
        self.last_at = 0.0
        self.key = ""


class Refusals:
    """An observer of calls; `may_receive` and `is_clear` tell what follows from them."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str, str], _Refusal] = {}
        """By service, operation and part."""
        self._tries: Mapping[tuple[str, str], HarmlessCall] = {}
        self.may_receive = Condition()
        """Closed while a call that work needs is refused. A refused receive does not close it: the next one shows."""

    @property
    def is_clear(self) -> bool:
        """Whether nothing is refused that work needs, receives included."""
        return self.may_receive.is_open and (*_RECEIVE, "") not in self._refused

    def use(self, tries: Mapping[tuple[str, str], HarmlessCall]) -> None:
        """Take the harmless calls, by service and operation."""
        self._tries = tries

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """What it wants to hear of."""
        return {SourceCalled: self._judge, StoreCalled: self._judge}

    def __call__(self, event: Event) -> None:
        """Judge one event."""
        if isinstance(event, (SourceCalled, StoreCalled)):
            self._judge(event)

    def _judge(self, event: SourceCalled | StoreCalled) -> None:
        if event.error is None and not self._refused:
            return
        result = access_result_of(event)
        if result is None:
            return
        which = result.service, result.op
        if result.refused:
            refusal = self._refused.setdefault((*which, result.part), _Refusal())
            refusal.last_at = asyncio.get_running_loop().time()
            refusal.key = event.key if isinstance(event, StoreCalled) else ""
        else:
            # A slow answer to a call that began before the refusal says nothing about now.
            began_at = asyncio.get_running_loop().time() - event.duration_s
            for part in result.frees:
                standing = self._refused.get((*which, part))
                if standing is not None and began_at >= standing.last_at:
                    del self._refused[(*which, part)]
        self._decide()

    def _decide(self) -> None:
        holding = {which[:2] for which in self._refused} - _BEST_EFFORT - {_RECEIVE}
        if self.may_receive.is_open is bool(holding):
            self.may_receive.set(is_open=not holding)

    async def run(self) -> None:
        """Repeat refused calls while no work is kept; until cancelled."""
        loop = asyncio.get_running_loop()
        failures, opened_at = 0, -math.inf
        while True:
            await self.may_receive.wait_closed()
            if loop.time() - opened_at >= PROBE_BACKOFF.max_s:
                # Sooner, the harmless call was allowed and the real one was not: the waits go on growing.
                failures = 0
            while not self.may_receive.is_open:
                await asyncio.sleep(PROBE_BACKOFF.pause_s(failures))
                failures += 1
                await self._try_all()
            opened_at = loop.time()

    async def _try_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for which, refusal in list(self._refused.items()):
            if now - refusal.last_at < QUIET_S:
                continue
            attempt = self._tries.get(which[:2])
            if attempt is None:
                # No harmless call is known: the next message shows.
                self._refused.pop(which, None)
                self._decide()
                continue
            try:
                await attempt(refusal.key)
            except DequeuerError:
                continue  # the call has been told, and judged, like any other
